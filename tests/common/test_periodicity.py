"""Hours, weekdays, releases and holidays: factors are found where they were planted, and never early."""

import numpy as np
import pandas as pd
import pytest

from stages.common.periodicity import REFIT, Effect, Periodicity, fit, mean_ahead, periodicity

HOUR = pd.Timedelta(hours=1)
H = 14
KEPT = 13 / 14


def made_ranges(n_bars: int, seed: int = 0, bar: pd.Timedelta = HOUR) -> pd.DataFrame:
    """Ranges that only chance moves, from Monday on."""
    open_time = pd.Series(pd.date_range("2022-01-03", periods=n_bars, freq=bar, tz="UTC", unit="ms"))
    chance = np.random.default_rng(seed).gamma(20, 0.05, n_bars)
    return pd.DataFrame({"open_time": open_time, "stretch": 0, "range": 0.01 * chance})


def found(ranges: pd.DataFrame, releases: pd.DataFrame | None = None) -> Periodicity:
    """The factors of hourly bars, H ahead."""
    return periodicity(ranges, HOUR, releases, H, [KEPT])


def weekly_releases(n_weeks: int) -> pd.DataFrame:
    """One each Wednesday afternoon."""
    first = pd.Timestamp("2022-01-05 15:30", tz="UTC")
    time = [first + week * pd.Timedelta(days=7) for week in range(n_weeks)]
    return pd.DataFrame({"event": "cpi", "time": pd.Series(time).astype("datetime64[ms, UTC]")})


def test_planted_hours_are_found():
    """Where noon is three times as wide and Sunday half, a year is enough to know within a tenth."""
    ranges = made_ranges(24 * 400)
    time = ranges["open_time"].dt
    planted = np.where(time.hour == 12, 3.0, 1.0) * np.where(time.day_of_week == 6, 0.5, 1.0)
    own = found(ranges.assign(range=ranges["range"] * planted)).own
    last_week = slice(-168, None)
    ratio = own[last_week] / planted[last_week]
    np.testing.assert_allclose(ratio / ratio.mean(), 1, atol=0.1)


def test_where_nothing_is_planted_factors_stay_near_one():
    """Chance alone makes no hour twice as wide."""
    own = found(made_ranges(24 * 400)).own
    assert np.abs(np.log(own[-168:])).max() < 0.1


def test_planted_releases_are_found_and_foretold():
    """One every other week, which no hour of the week foretells: it is known before it comes."""
    ranges, releases = made_ranges(24 * 400), weekly_releases(58)[::2]
    held = ranges["open_time"].isin(releases["time"].dt.floor("h"))
    wide = ranges.assign(range=ranges["range"] * np.where(held, 4, 1))
    known, unknown = found(wide, releases), found(wide)
    last = np.flatnonzero(held)[-1]
    quiet = last - 168
    assert known.own[last] > 3
    assert known.own[quiet] < 1.5
    assert unknown.own[last] == pytest.approx(unknown.own[quiet], rel=0.2)
    assert known.ahead[0][last - 1] > 1.1 * known.ahead[0][quiet - 1]


def test_before_the_first_fit_all_are_one():
    """Four weeks go by before anything is called usual."""
    both = found(made_ranges(24 * 40))
    start = REFIT // HOUR
    assert (both.own[:start] == 1).all()
    assert (both.ahead[0][:start] == 1).all()
    assert (both.own[start:] != 1).all()


@pytest.mark.parametrize("cut", [24 * 60, 24 * 84, 24 * 84 + 1, 24 * 97 + 5])
def test_what_comes_later_changes_no_factor(cut):
    """Neither its own nor the mean ahead, to the last bit, whether it is there or another market's."""
    ranges, releases = made_ranges(24 * 120), weekly_releases(17)
    whole = found(ranges, releases)
    changed = ranges.assign(range=ranges["range"].where(ranges.index < cut, 9.0))
    for other in (found(ranges[:cut], releases), found(changed, releases)):
        np.testing.assert_array_equal(other.own[:cut], whole.own[:cut])
        np.testing.assert_array_equal(other.ahead[0][:cut], whole.ahead[0][:cut])


@pytest.mark.parametrize("missing", [[632], [640, 641, 642], [700]])
def test_nor_does_it_where_candles_are_missing_before_a_refit(missing):
    """The week around a row is a week of rows: with some missing it ends later, and counts from then on."""
    ranges = made_ranges(24 * 60).drop(index=missing).reset_index(drop=True)
    whole = found(ranges)
    refit = int(ranges["open_time"].searchsorted(ranges["open_time"][0] + pd.Timedelta(weeks=4)))
    for cut in (refit, refit + 1, refit + 3):
        changed = ranges.assign(range=ranges["range"].where(ranges.index < cut, 9.0))
        for other in (found(ranges[:cut]), found(changed)):
            np.testing.assert_array_equal(other.own[:cut], whole.own[:cut])


def test_a_release_counts_from_a_week_before():
    """One that is further ahead than its notice changes nothing, though it lies within the horizon."""
    ranges, releases = made_ranges(24 * 120), weekly_releases(17)
    h = 24 * 14
    early = releases[:-1]
    both = [periodicity(ranges, HOUR, table, h, [1.0]).ahead[0] for table in (releases, early)]
    differ = np.flatnonzero(both[0] != both[1])
    week_before = releases["time"].iloc[-1] - pd.Timedelta(days=7)
    known_at = ranges["open_time"] + HOUR
    assert len(differ)
    assert known_at[differ[0]] >= week_before - HOUR


def test_a_missing_candle_moves_no_other():
    """Places in time count, not rows: after a gap the same hours have the same factors."""
    ranges = made_ranges(24 * 120)
    noon = ranges.assign(range=np.where(ranges["open_time"].dt.hour == 12, 3, 1) * ranges["range"])
    gappy = noon.drop(index=range(2000, 2007))
    own = found(gappy.reset_index(drop=True)).own
    late = gappy["open_time"].dt.hour.to_numpy()[-168:]
    assert own[-168:][late == 12].min() > 2 * own[-168:][late != 12].max()


@pytest.mark.parametrize("bar", ["15min", "4h", "1D", "7D", "14D"])
def test_any_timeframe_will_do(bar):
    """Factors are finite and above 0, of quarter hours as of fortnights."""
    length = pd.Timedelta(bar)
    both = periodicity(made_ranges(900, bar=length), length, weekly_releases(100), 5, [1.0, KEPT])
    for factors in (both.own, *both.ahead):
        assert np.isfinite(factors).all()
        assert (factors > 0).all()


@pytest.mark.parametrize("kept", [1.0, KEPT])
@pytest.mark.parametrize("notice", [0, 3, 50])
def test_the_mean_ahead_is_the_weighted_mean(kept, notice):
    """As a loop over bars gives it: nearer to t+h weighs more, and notice says which values count."""
    rng = np.random.default_rng(1)
    soon, later, h = rng.random(60), rng.random(60), 10
    weights = kept ** np.arange(h - 1, -1, -1)
    expected = [
        np.average([(soon if k <= notice else later)[t + k] for k in range(1, h + 1)], weights=weights)
        for t in range(50)
    ]
    np.testing.assert_allclose(mean_ahead(soon, later, notice, h, kept), expected, rtol=1e-12)


def test_a_fit_is_that_of_a_gamma_regression():
    """Without a prior, each kind's forecasts add up to what came: the equations of the likelihood."""
    rng = np.random.default_rng(2)
    kinds = [rng.integers(0, size, 4000) for size in (3, 5)]
    ratio, weight = rng.gamma(2, 0.5, 4000) * (1 + kinds[0]), rng.random(4000)
    effects = [Effect(kind, size, 0.0) for kind, size in zip(kinds, (3, 5), strict=True)]
    factors = fit(ratio, weight, effects)
    forecast = factors[0][kinds[0]] * factors[1][kinds[1]]
    for kind in kinds:
        np.testing.assert_allclose(
            np.bincount(kind, weight * ratio / forecast), np.bincount(kind, weight), rtol=1e-4
        )


def test_a_prior_shrinks_what_few_bars_say():
    """Two wild bars among a hundred make less of a factor than two hundred would."""
    kind = np.repeat([0, 1], [100, 2])
    ratio = np.where(kind == 1, 5.0, 1.0)
    few = fit(ratio, np.ones(102), [Effect(kind, 2, 10.0, base=True)])[0]
    assert few[0] == 1
    assert few[1] == pytest.approx((2 * 5 + 10) / (2 + 10))

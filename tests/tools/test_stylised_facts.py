from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from stages.common.calendar import read_releases
from stages.common.errors import InputError
from tools import stylised_facts
from tools.controls.market import Market, simulated

HAR_SKILL = "log-HAR + hour-of-week's skill over the benchmark, 14 hours, %"
DISTANCE_GAIN = "the same with distances from averages, gain, 14 hours, %"
PAGE = Path(__file__).parents[2] / "docs" / "stylised-facts.md"


@pytest.fixture(scope="module")
def markets():
    """Facts of the simulated markets in the table, a column each."""
    return {f"seed {seed}": stylised_facts.facts_of(seed) for seed in stylised_facts.SEEDS}


def hourly_returns(n_days: int, seed: int = 1) -> pd.Series:
    """Independent normal returns, an hour each, from midnight on."""
    times = pd.date_range("2022-01-03", periods=24 * n_days, freq="h", tz="UTC")
    return pd.Series(0.005 * np.random.default_rng(seed).standard_normal(24 * n_days), index=times)


def test_the_simulated_market_stays_within_every_tolerance(markets):
    """Each fact of each market in the table lies where the table says that it may."""
    outside = [
        f"{name} of {market}: {values[name]:.3g}"
        for market, values in markets.items()
        for name, fact in stylised_facts.FACTS.items()
        if not fact.low <= values[name] <= fact.high
    ]

    assert outside == []


def test_every_fact_is_measured_and_has_a_real_value(markets):
    """The tool measures what it has real values of, and nothing else; those lie within the tolerances."""
    for values in markets.values():
        assert list(values) == list(stylised_facts.FACTS)
    for fact in stylised_facts.FACTS.values():
        assert fact.low <= fact.real <= fact.high


def test_the_page_shows_what_the_tool_prints(markets):
    """docs/stylised-facts.md holds the table of today's market."""
    assert stylised_facts.table(markets) in PAGE.read_text(encoding="utf-8")


def test_the_table_leaves_out_what_was_not_measured():
    """One symbol's file has no correlation of two symbols: a dash stands there."""
    one = dict.fromkeys(list(stylised_facts.FACTS)[:-2], 0.5)

    lines = stylised_facts.table({"measured": one}).splitlines()

    assert len(lines) == 2 + len(stylised_facts.FACTS)
    assert [line.endswith("| - |") for line in lines[2:]] == [False] * len(one) + [True] * 2


def test_returns_and_ranges_do_not_reach_across_a_gap(make_candles):
    """After a missing hour the return is NaN and the true range is high - low."""
    candles = make_candles(100, missing=[50])

    hours = stylised_facts.by_hour(candles)

    after = candles.iloc[50]
    assert len(hours) == 100
    assert hours["log_return"].isna().sum() == 3  # the first, the missing one, the one after it
    assert (
        hours.loc[after["open_time"], "relative_range"] == (after["high"] - after["low"]) / after["close"]
    )


def test_candles_must_be_hourly(make_candles):
    """Candles of another timeframe are refused, for every fact is of hours."""
    with pytest.raises(InputError, match="1h; received one every 0 days 02:00:00"):
        stylised_facts.by_hour(make_candles(100).iloc[::2])


def test_the_week_profile_is_a_mean_by_hour_of_the_week():
    """Values that depend on the hour of the week alone come back, Monday 00:00 UTC first."""
    expected = np.arange(1.0, 169.0)
    times = pd.date_range("2022-01-05 07:00", periods=3 * 168, freq="h", tz="UTC")
    values = pd.Series(expected[times.day_of_week * 24 + times.hour], index=times)

    actual = stylised_facts.week_profile(values)

    np.testing.assert_allclose(actual, 100 * expected / expected.mean())


def test_the_real_profile_is_one():
    """The committed profile has an entry for each hour of the week, around 100 %."""
    assert stylised_facts.REAL_PROFILE.shape == (168,)
    assert stylised_facts.REAL_PROFILE.mean() == pytest.approx(100, abs=0.1)


def test_a_week_counts_without_its_mean():
    """What lasts for weeks leaves no trace in a comparison within weeks."""
    times = pd.date_range("2022-01-06", periods=4 * 168, freq="h", tz="UTC")
    within = pd.Series(np.tile(np.linspace(-1, 1, 168), 4), index=times)
    slow = pd.Series(np.repeat([0.0, 5.0, -3.0, 9.0], 168), index=times)

    np.testing.assert_allclose(stylised_facts.within_weeks(within + slow), within, atol=1e-12)


def test_jumps_are_found_and_noise_is_not():
    """Of normal days about one in a hundred is called a jump day; of those with one of 10 spreads, most."""
    noise = hourly_returns(n_days=500)
    jumps = noise.mask(np.arange(len(noise)) % 24 == 12, 0.05)

    assert stylised_facts.jump_share(noise) < 0.03
    assert stylised_facts.jump_share(jumps) > 0.6


def test_a_day_with_a_missing_hour_is_not_judged():
    """Days without all of their 24 returns don't count, jump or no jump."""
    returns = hourly_returns(n_days=20)
    returns.iloc[:24] *= np.where(np.arange(24) == 5, 50, 1)
    jump_day = stylised_facts.jump_share(returns)

    returns.iloc[7] = np.nan

    assert jump_day == pytest.approx(1 / 20)
    assert stylised_facts.jump_share(returns) == 0


@pytest.mark.parametrize(("memory", "low", "high"), [(0.0, -5.0, 1.0), (1.0, 25.0, 45.0)])
def test_volatility_is_foretold_only_where_it_has_memory(memory, low, high):
    """The reference forecast has skill on the calibrated market and none at constant variance."""
    candles = simulated(Market(volatility_memory=memory), seed=4)[:17_520]

    assert low < stylised_facts.volatility_gains(candles)[HAR_SKILL] < high


@pytest.mark.parametrize(("effect", "low", "high"), [(0.0, -5.0, 0.5), (1.0, 1.5, 10.0)])
def test_distances_help_only_where_they_drive_variance(effect, low, high):
    """Columns of distances make the reference forecast better on the market that has the effect."""
    candles = simulated(Market(distance_effect=effect), seed=4)[:17_520]

    assert low < stylised_facts.volatility_gains(candles)[DISTANCE_GAIN] < high


def test_a_release_is_held_against_the_weeks_around_it():
    """Ranges of hours with a release are three times the usual, of the hour after them twice."""
    hours = pd.Series(1.0, pd.date_range("2022-01-01", "2023-01-01", freq="h", tz="UTC"))
    hour = read_releases()["time"].dt.floor("h")
    hours[hours.index.isin(hour + pd.Timedelta(hours=1))] = 2.0
    hours[hours.index.isin(hour)] = 3.0

    ratios = stylised_facts.release_ratios(hours)

    assert list(ratios.values()) == pytest.approx([3.0, 3.0, 3.0, 2.0], rel=0.05)


def test_a_file_without_candles_is_refused(tmp_path):
    """A path that holds no candles ends in a line that says so."""
    with pytest.raises(InputError, match="must be a Parquet file"):
        stylised_facts.read_candles(str(tmp_path / "none.parquet"))

    pd.DataFrame({"close_time": [1], "y": [2.0]}).to_parquet(tmp_path / "labels.parquet")
    with pytest.raises(InputError, match="must hold candles; received the columns close_time, y"):
        stylised_facts.read_candles(str(tmp_path / "labels.parquet"))

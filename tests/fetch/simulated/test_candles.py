from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pandas.testing import assert_frame_equal

from stages.common.arrays import Floats
from stages.common.bars import bar_length
from stages.common.calendar import EVENTS, read_releases
from stages.fetch.clean import clean
from stages.fetch.params import SimulatedParams
from stages.fetch.simulated import candles as simulated

SYMBOL = "BTC/USDT"
PRICES = ["open", "high", "low", "close"]


RELEASES = read_releases()
CPI = pd.Timestamp("2022-01-12 13:30", tz="UTC")  # the first release after 2022-01-08


def market_settings(**changes: Any) -> SimulatedParams:
    """The market's own settings, as params.yaml has them but for the changes."""
    usual = {"seed": 1, "drift_signal": 0.0, "volatility_memory": 1.0}
    return SimulatedParams(**{**usual, "distance_effect": 1.0, "release_effect": 1.0, **changes})


def hourly(n_bars: int, symbol: str = SYMBOL, **changes: Any) -> pd.DataFrame:
    """Hourly candles of the market, from a Monday on."""
    open_time = pd.date_range("2022-01-03", periods=n_bars, freq="h", tz="UTC", unit="ms")
    return simulated.simulate(symbol, open_time, 60, market_settings(**changes), RELEASES)


def spread_of(n_minutes: int, noise: Floats | None = None, **changes: Any) -> Floats:
    """Spread of each minute from Monday 2022-01-10 on, on a noise of nil if there is none."""
    time = pd.date_range("2022-01-10", periods=n_minutes, freq="min", tz="UTC", unit="ms")
    noise = np.zeros(n_minutes) if noise is None else noise
    return simulated.minute_spread(SYMBOL, time, noise, market_settings(**changes), RELEASES)


@pytest.fixture
def fetch(make_params):
    """`fetch(end="2022-02-01")` gives the candles of each symbol, of January 2022 if not told otherwise."""

    def candles(symbols=(SYMBOL,), timeframe="1h", start="2022-01-03", end="2022-01-31", **changes):
        block = market_settings(**changes).model_dump()
        params = make_params(
            source="simulated",
            symbols=list(symbols),
            timeframe=timeframe,
            start=start,
            end=end,
            simulated=block,
        )
        return simulated.fetch_candles(params)

    return candles


@pytest.mark.parametrize("timeframe", ["1m", "15m", "1h", "4h", "1d", "1w"])
def test_candles_are_candles_at_every_timeframe(fetch, timeframe):
    """None missing, each opening where the last one closed, prices in order, some volume."""
    candles = fetch(timeframe=timeframe)[SYMBOL]

    times = pd.date_range(
        "2022-01-03", "2022-01-31", freq=bar_length(timeframe), inclusive="left", tz="UTC"
    )
    assert candles["open_time"].tolist() == times.tolist()
    np.testing.assert_array_equal(candles["open"][1:], candles["close"][:-1])
    assert (candles["high"] >= candles[PRICES].max(axis=1)).all()
    assert (candles["low"] <= candles[PRICES].min(axis=1)).all()
    assert (candles["low"] > 0).all()
    assert (candles["volume"] > 0).all()
    assert np.isfinite(candles[[*PRICES, "volume"]]).all(axis=None)


def test_fetch_accepts_the_candles_as_they_are(fetch, make_params):
    """The check that every source's candles pass changes nothing."""
    candles = fetch()[SYMBOL]

    cleaned = clean(candles, SYMBOL, make_params(start="2022-01-03", end="2022-01-31"))

    assert_frame_equal(candles, cleaned.candles, check_exact=True)
    assert cleaned[1:] == (0, 0, [], [], 0)


def test_bars_lie_on_the_exchanges_grid(fetch):
    """A window that starts and ends within a week gets whole weeks, from Mondays on."""
    candles = fetch(timeframe="1w", start="2022-01-05", end="2022-01-18")[SYMBOL]

    assert candles["open_time"].dt.strftime("%a %Y-%m-%d").tolist() == [
        "Mon 2022-01-03",
        "Mon 2022-01-10",
        "Mon 2022-01-17",
    ]


@given(
    seed=st.integers(0, 2**32 - 1),
    memory=st.floats(0, 1),
    drift=st.floats(0, 0.9),
    n_bars=st.integers(1, 48),
)
@settings(deadline=None, max_examples=25)
def test_any_setting_gives_candles(seed, memory, drift, n_bars):
    """Whatever the settings: finite, positive and in order."""
    candles = hourly(n_bars, seed=seed, volatility_memory=memory, drift_signal=drift)

    assert len(candles) == n_bars
    assert (candles["high"] >= candles[PRICES].max(axis=1)).all()
    assert (candles["low"] <= candles[PRICES].min(axis=1)).all()
    assert (candles["low"] > 0).all()
    assert np.isfinite(candles[[*PRICES, "volume"]]).all(axis=None)


def test_same_seed_same_candles(fetch):
    """A seed stands for one market; another seed for another one."""
    assert_frame_equal(fetch(seed=7)[SYMBOL], fetch(seed=7)[SYMBOL], check_exact=True)
    assert not fetch(seed=7)[SYMBOL]["close"].equals(fetch(seed=8)[SYMBOL]["close"])


def test_another_symbol_leaves_the_others_alone(fetch):
    """A symbol's candles are the same whatever other symbols there are, and in whatever order."""
    alone, beside = fetch()[SYMBOL], fetch(["ETH/USDT", SYMBOL])

    assert list(beside) == ["ETH/USDT", SYMBOL]
    assert_frame_equal(alone, beside[SYMBOL], check_exact=True)
    assert not beside["ETH/USDT"]["close"].equals(beside[SYMBOL]["close"])


@pytest.mark.parametrize("drift", [0.0, 0.1])
def test_a_later_end_changes_no_earlier_candle(fetch, drift):
    """As at an exchange, time only adds candles."""
    short = fetch(end="2022-01-17", drift_signal=drift)[SYMBOL]
    long = fetch(end="2022-01-31", drift_signal=drift)[SYMBOL]

    assert_frame_equal(short, long.iloc[: len(short)], check_exact=True)


@pytest.mark.parametrize(("timeframe", "n_bars"), [("15m", 4), ("1m", 60)])
def test_all_timeframes_show_one_market(fetch, timeframe, n_bars):
    """Shorter bars, put together, are the longer ones."""
    hours, parts = fetch()[SYMBOL], fetch(timeframe=timeframe)[SYMBOL]

    groups = parts.groupby(np.arange(len(parts)) // n_bars)
    whole = groups.agg({"open": "first", "high": "max", "low": "min", "close": "last", "volume": "sum"})

    assert_frame_equal(whole, hours[list(whole)], rtol=1e-12)


def test_symbols_move_together_but_not_as_one():
    """Returns share a common factor, and so does the size of returns."""
    one, other = (np.log(hourly(4000, symbol)["close"]).diff() for symbol in ("BTC/USDT", "ETH/USDT"))

    assert 0.7 < one.corr(other) < 0.95
    assert 0.5 < one.abs().corr(other.abs()) < 0.95


def test_memory_equals_its_written_recursion():
    """The filter gives what x[t] = a x[t-1] + sqrt(1 - a**2) shock[t] gives, from a first full shock on."""
    shock = np.random.default_rng(1).standard_normal(500)
    decay = np.exp(-1 / 90)
    expected = [shock[0]]
    for value in shock[1:]:
        expected.append(decay * expected[-1] + np.sqrt(1 - decay**2) * value)

    np.testing.assert_allclose(simulated.remember(shock, memory_hours=1.5), expected)


def test_without_memory_every_minute_has_the_same_variance():
    """volatility_memory 0 leaves no component, profile or release: one spread, of a year's volatility."""
    spread = spread_of(3 * simulated.WEEK_MINUTES, volatility_memory=0.0)

    np.testing.assert_allclose(spread * np.sqrt(365.25 * 24 * 60), simulated.ANNUAL_VOLATILITY)


@pytest.mark.parametrize("memory", [0.3, 1.0])
def test_memory_leaves_the_long_run_variance_where_it_is(monkeypatch, memory):
    """Neither the profile nor the components change the mean variance, only when it comes."""
    usual = simulated.ANNUAL_VOLATILITY**2 / (365.25 * 24 * 60)

    def variance() -> Floats:
        return spread_of(simulated.WEEK_MINUTES, volatility_memory=memory, release_effect=0.0) ** 2

    monkeypatch.setattr(simulated, "MEMORIES", {})
    profile = variance()
    monkeypatch.setattr(
        simulated, "MEMORIES", {0.02: 0.5}
    )  # hours: forgets within minutes, so averages soon
    both = variance()

    np.testing.assert_allclose(profile.mean(), usual)
    np.testing.assert_allclose((both / profile).mean(), 1, atol=0.1 * memory)
    assert both.std() > profile.std() > 0.1 * memory * usual


@pytest.mark.parametrize("share", [0.0, 0.6, 1.0])
def test_distance_leaves_the_long_run_variance_where_it_is(monkeypatch, share):
    """Whatever part of its component distance drives, that one keeps mean, variance and days of memory."""
    monkeypatch.setattr(simulated, "MEMORIES", {simulated.DRIVEN: simulated.MEMORIES[simulated.DRIVEN]})
    monkeypatch.setattr(simulated, "week_profile", lambda: np.zeros(simulated.WEEK_MINUTES))
    n_minutes = 6 * 365 * 24 * 60
    noise = simulated.minute_noise(SYMBOL, n_minutes, seed=1)

    log_variance = 2 * np.log(spread_of(n_minutes, noise, distance_effect=share, release_effect=0.0))

    usual = simulated.ANNUAL_VOLATILITY**2 / (365.25 * 24 * 60)
    assert np.exp(log_variance).mean() / usual == pytest.approx(1, abs=0.1)
    assert log_variance.var() == pytest.approx(0.25, abs=0.04)
    lag = simulated.DRIVEN * 60
    assert 0.15 < np.corrcoef(log_variance[lag:], log_variance[:-lag])[0, 1] < 0.45


def test_distance_counts_once_it_is_past_and_whichever_way():
    """A minute's noise moves the distance of later minutes alone; a mirrored market has the same one."""
    noise = simulated.minute_noise(SYMBOL, 3000, seed=1)
    shocked = noise.copy()
    shocked[2000] += 30

    plain, after, mirrored = (simulated.mean_distance(each) for each in (noise, shocked, -noise))

    np.testing.assert_array_equal(plain[:2001], after[:2001])
    assert (plain[2001:] != after[2001:]).all()
    np.testing.assert_array_equal(plain, mirrored)


def test_a_price_far_from_its_average_is_followed_by_wild_minutes():
    """A steady climb raises the spread, hour by hour, where distance has an effect, and nowhere else."""
    still, climb = np.zeros(5000), np.full(5000, 0.05)

    ratio = spread_of(5000, climb) / spread_of(5000, still)

    np.testing.assert_allclose(ratio[0], 1)
    assert (np.diff(ratio) > 0).all()
    assert ratio[-1] > 1.5
    np.testing.assert_array_equal(
        spread_of(5000, climb, distance_effect=0.0), spread_of(5000, still, distance_effect=0.0)
    )


def test_a_release_moves_the_market_from_its_minute_on():
    """The spread jumps in that very minute and falls back within a day; before, nobody knows."""
    first = int((CPI - pd.Timestamp("2022-01-10", tz="UTC")) / pd.Timedelta(minutes=1))

    ratio = spread_of(5 * 1440) / spread_of(5 * 1440, release_effect=0.0)

    height, minutes = simulated.RELEASE_SHOCKS["cpi"]
    np.testing.assert_array_equal(ratio[:first], 1)
    assert ratio[first] == pytest.approx(np.exp(height / 2))
    assert ratio[first + int(minutes)] == pytest.approx(np.exp(height / 2 / np.e))
    np.testing.assert_array_equal(ratio[first + simulated.RELEASE_MINUTES :], 1)


def test_releases_beyond_the_window_or_before_it_do_not_count():
    """The market begins with its first minute; a table may go on long after its last."""
    time = pd.date_range("2022-01-12 13:31", periods=600, freq="min", tz="UTC", unit="ms")

    assert (simulated.release_shocks(time, RELEASES) == 0).all()
    assert (simulated.release_shocks(time, RELEASES.iloc[:0]) == 0).all()


def test_every_kind_of_release_has_its_shock():
    """A new kind in the calendar needs one, too."""
    assert set(simulated.RELEASE_SHOCKS) == set(EVENTS)


def test_the_weekend_is_quiet_and_new_york_busy():
    """The profile has its peak on weekdays as New York opens, its trough at the weekend."""
    profile = simulated.week_profile()

    assert profile.argmax() % 1440 // 60 in (13, 14, 15)
    assert profile.argmax() < 5 * 1440
    assert profile.argmin() >= 5 * 1440


def test_the_profile_follows_the_calendar(fetch, monkeypatch):
    """A market that begins on a Saturday begins quietly."""
    monkeypatch.setattr(simulated, "MEMORIES", {})

    candles = fetch(start="2022-01-01", end="2022-01-08")[SYMBOL]

    log_range = np.log(candles["high"] / candles["low"])
    assert log_range[:48].mean() < 0.7 * log_range[48:].mean()


def test_returns_have_no_drift_of_their_own():
    """Minutes rise as often as they fall, and the mean simple return is nil within its error."""
    spread = np.full(200_000, 0.001)

    moves = simulated.minute_moves(simulated.minute_noise(SYMBOL, len(spread), seed=1), spread, 0.0)

    simple = np.expm1(moves)
    assert abs(simple.mean()) < 3 * simple.std() / np.sqrt(len(simple))
    assert abs((simple > 0).mean() - 0.5) < 3 * 0.5 / np.sqrt(len(simple))


@pytest.mark.parametrize("drift", [0.0, 0.6])
def test_returns_have_the_spread_they_are_given(drift):
    """Innovations and jumps together have variance spread**2, less what the planted drift will add."""
    spread = np.full(1_000_000, 1e-4)

    moves = simulated.minute_moves(simulated.minute_noise(SYMBOL, len(spread), seed=1), spread, drift)

    assert moves.std() == pytest.approx(1e-4 * np.sqrt(1 - drift**2), rel=0.05)


def test_no_move_takes_the_price_below_zero():
    """However wild the variance, a minute never loses more than half the price."""
    moves = simulated.minute_moves(simulated.minute_noise(SYMBOL, 1000, seed=1), np.full(1000, 10.0), 0.0)

    assert np.isfinite(moves).all()
    assert moves.min() == pytest.approx(np.log(0.5))


def test_past_returns_tell_nothing_unless_told_to():
    """The oracle of a drift that was never planted doesn't foretell the next bar; the planted one does."""
    correlations = {}
    for drift in (0.0, 0.2):
        candles = hourly(6000, drift_signal=drift, volatility_memory=0.0)
        signal = simulated.planted_signal(candles, 0.2)
        r = np.log(candles["close"].to_numpy() / candles["open"].to_numpy())
        correlations[drift] = np.corrcoef(signal[:-1], r[1:])[0, 1]

    assert abs(correlations[0.0]) < 3 / np.sqrt(6000)
    assert correlations[0.2] == pytest.approx(0.2, abs=0.05)


@pytest.mark.parametrize("drift", [0.02, 0.1, 0.4])
def test_candles_alone_tell_the_planted_drift(drift):
    """What planted_signal reads from candles is what was planted into the next bar."""
    rng = np.random.default_rng(3)
    spread = np.exp(rng.standard_normal(3000) / 2)
    noise = spread * rng.standard_normal(3000)

    planted = simulated.planted_drift(noise, spread, drift)
    close = np.cumsum(noise + planted)
    candles = pd.DataFrame({"open": close - noise - planted, "close": close})

    assert planted[0] == 0
    np.testing.assert_allclose(simulated.planted_signal(candles, drift)[:-1] * spread[1:], planted[1:])


@pytest.mark.parametrize("drift", [0.0, 0.05, 0.2])
def test_the_planted_drifts_share_of_the_spread_is_the_setting(drift):
    """The drift's own spread is drift_signal times that of the returns, within sampling error."""
    noise = np.sqrt(1 - drift**2) * np.random.default_rng(5).standard_normal(50_000)

    planted = simulated.planted_drift(noise, np.ones(50_000), drift)

    assert planted.std() == pytest.approx(drift, rel=0.12)
    assert (noise + planted).std() == pytest.approx(1, rel=0.05)


def test_the_planted_signal_ignores_the_future(candles):
    """Changing later candles leaves earlier values untouched."""
    shocked = candles.copy()
    shocked.loc[200:, "close"] *= np.linspace(0.5, 2, len(candles) - 200)

    expected, actual = (simulated.planted_signal(frame, 0.1) for frame in (candles, shocked))

    np.testing.assert_array_equal(expected[:200], actual[:200])
    assert not np.array_equal(expected[200:], actual[200:])


def test_extremes_are_those_of_a_brownian_path(monkeypatch):
    """With no overshoot, the mean rise from open to high is sqrt(2 / pi) spreads, and so is the fall."""
    monkeypatch.setattr(simulated, "WICK_VARIANCE", 1.0)
    spread = np.full(100_000, 0.01)
    moves = spread * np.random.default_rng(1).standard_normal(100_000)
    close = np.cumsum(moves)

    high, low = simulated.minute_extremes(SYMBOL, close, moves, spread, seed=1)

    opened = close - moves
    assert (high >= np.maximum(opened, close) - 1e-12).all()
    assert (low <= np.minimum(opened, close) + 1e-12).all()
    assert (high - opened).mean() == pytest.approx(0.01 * np.sqrt(2 / np.pi), rel=0.01)
    assert (opened - low).mean() == pytest.approx(0.01 * np.sqrt(2 / np.pi), rel=0.01)


def test_volume_is_in_proportion_to_the_range():
    """Twice the range, twice the volume, whatever volume does on its own."""
    log_range = np.random.default_rng(1).uniform(0.0001, 0.001, 500)

    once, twice = (simulated.minute_volume(SYMBOL, scale * log_range, seed=1) for scale in (1, 2))

    np.testing.assert_allclose(twice, 2 * once)
    assert (once > 0).all()


@settings(deadline=None, max_examples=10)
@given(seed=st.integers(0, 1000))
def test_prices_are_ticks_and_volumes_lots(seed):
    """Each is the very number that its decimals say, as an exchange gives it."""
    candles = hourly(200, seed=seed)

    for column in [*PRICES, "volume"]:
        decimals = simulated.VOLUME_DECIMALS if column == "volume" else simulated.PRICE_DECIMALS
        assert [float(f"{value:.{decimals}f}") for value in candles[column]] == candles[column].tolist()


def test_a_price_is_a_tick_at_least():
    """However far it falls: nothing is worth nothing."""
    prices = simulated.in_ticks(np.array([-100.0, 0.0]))

    assert prices.tolist() == [simulated.LEAST_TICK, simulated.START_PRICE]


@pytest.mark.parametrize("price", [123.456, 99.98765, 1.234567, 0.0012345678])
def test_a_low_price_keeps_its_digits(price):
    """A tick is .01 at most, and less where that would leave fewer than five digits."""
    (found,) = simulated.in_ticks(np.log(np.array([price]) / simulated.START_PRICE))

    assert found == float(f"{price:.5g}")

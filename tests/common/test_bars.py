import numpy as np
import pandas as pd
import pytest
import talib

from stages.common.bars import (
    ATR_PERIOD,
    atr,
    bar_length,
    each_stretch,
    hour_of_week,
    stretches,
    true_range,
)

HOUR = pd.Timedelta(hours=1)


def loop_true_range(candles: pd.DataFrame) -> list[float]:
    """Wilder's true range of one stretch, the greatest of three distances, as he printed it."""
    rows = candles[["high", "low", "close"]].to_numpy().tolist()
    result = [rows[0][0] - rows[0][1]]
    for t in range(1, len(rows)):
        (high, low, _), before = rows[t], rows[t - 1][2]
        result.append(max(high - low, abs(high - before), abs(low - before)))
    return result


def loop_atr(candles: pd.DataFrame) -> list[float]:
    """Wilder's ATR of one stretch: a plain mean of the first true ranges, then his recursion."""
    ranges = loop_true_range(candles)
    result = [np.nan] * ATR_PERIOD
    if len(ranges) > ATR_PERIOD:
        result.append(sum(ranges[1 : ATR_PERIOD + 1]) / ATR_PERIOD)
    for today in ranges[ATR_PERIOD + 1 :]:
        result.append((13 * result[-1] + today) / 14)
    return result[: len(ranges)]


@pytest.mark.parametrize(
    ("timeframe", "length"), [("1m", "1min"), ("15m", "15min"), ("4h", "4h"), ("1d", "24h"), ("1w", "168h")]
)
def test_bar_length_reads_timeframes(timeframe, length):
    """A timeframe in ccxt's terms is a length of time."""
    assert bar_length(timeframe) == pd.Timedelta(length)


def test_hour_of_week_counts_from_monday():
    """Monday's midnight is 0, Sunday's last hour 167."""
    times = pd.Series(
        pd.to_datetime(["2024-01-01 00:00", "2024-01-02 01:00", "2024-01-07 23:00"], utc=True)
    )

    np.testing.assert_array_equal(hour_of_week(times), [0, 25, 167])


def test_hour_of_week_has_168_values_at_any_timeframe():
    """Quarters of an hour share their hour's number."""
    times = pd.Series(pd.date_range("2024-01-01", periods=4 * 168 * 2, freq="15min", tz="UTC"))

    np.testing.assert_array_equal(hour_of_week(times), np.tile(np.repeat(np.arange(168), 4), 2))


def test_candles_without_a_gap_are_one_stretch(candles):
    """Without a missing candle all are number 0, even if no gap is bridged."""
    assert set(stretches(candles["open_time"], HOUR, bridge_bars=0)) == {0}


@pytest.mark.parametrize(("missing", "bridge", "count"), [(1, 0, 2), (1, 1, 1), (3, 3, 1), (4, 3, 2)])
def test_gaps_up_to_the_bridge_are_bridged(make_candles, missing, bridge, count):
    """A gap of as many candles as the bridge is long is bridged; one more starts a new stretch."""
    candles = make_candles(50, missing=range(20, 20 + missing))
    stretch = stretches(candles["open_time"], HOUR, bridge)

    assert stretch.max() + 1 == count
    assert stretch.tolist() == [0] * 20 + [count - 1] * (30 - missing)


def test_each_gap_counts_by_itself(make_candles):
    """Two short gaps close to each other are two short gaps, and each long one starts one stretch."""
    candles = make_candles(60, missing=[10, 11, 13, 14, *range(20, 25), *range(40, 50)])
    stretch = stretches(candles["open_time"], HOUR, bridge_bars=2)
    assert stretch.tolist() == [0] * 16 + [1] * 15 + [2] * 10


def test_a_stretch_depends_on_earlier_candles_alone(make_candles):
    """Cutting off later candles renumbers nothing."""
    open_time = make_candles(60, missing=[*range(10, 20), *range(40, 50)])["open_time"]
    whole = stretches(open_time, HOUR, bridge_bars=2)
    np.testing.assert_array_equal(stretches(open_time.iloc[:25], HOUR, bridge_bars=2), whole[:25])


def test_true_range_equals_wilders_loop(candles):
    """The greatest of high - low and of both distances to the close before."""
    actual = true_range(candles, np.zeros(len(candles), dtype=np.int64))
    np.testing.assert_array_equal(actual, loop_true_range(candles))


def test_true_range_by_hand():
    """A bar that opens away from the close before reaches back to it; a stretch's first bar has none."""
    candles = pd.DataFrame(
        {"high": [12.0, 20.0, 7.0, 9.0], "low": [10.0, 15.0, 6.0, 8.0], "close": [11.0, 16.0, 6.5, 8.0]}
    )
    actual = true_range(candles, np.array([0, 0, 0, 1]))
    assert actual.tolist() == [2.0, 9.0, 10.0, 1.0]


def test_atr_equals_wilders_loop(candles):
    """TA-Lib's ATR gives what Wilder's loop gives."""
    part = candles.iloc[:200]
    np.testing.assert_allclose(atr(part, np.zeros(200, dtype=np.int64)), loop_atr(part), rtol=1e-12)


def test_atr_starts_anew_in_each_stretch(candles):
    """Each stretch's ATR is that of its candles alone, however short it is."""
    part, lengths = candles.iloc[:100], [40, 1, 14, 15, 30]
    stretch = np.repeat(np.arange(5), lengths)

    actual = atr(part, stretch)
    for number, length in enumerate(lengths):
        alone = part[stretch == number].reset_index(drop=True)
        expected = atr(alone, np.zeros(length, dtype=np.int64))
        np.testing.assert_array_equal(actual[stretch == number], expected)
        np.testing.assert_allclose(expected, loop_atr(alone), rtol=1e-12)


def test_an_indicator_begins_anew_in_each_stretch():
    """One line or several: what TA-Lib gives of a stretch alone, and NaN of one too short for it."""
    close = pd.Series(np.random.default_rng(1).lognormal(size=121))
    start = np.repeat([0, 50, 51], [50, 1, 70])
    first, last = close.to_numpy()[:50], close.to_numpy()[51:]

    actual = each_stretch(talib.CMO, start, close, timeperiod=14)
    expected = [talib.CMO(first, 14), [np.nan], talib.CMO(last, 14)]
    np.testing.assert_array_equal(actual, np.concatenate(expected))

    lines = each_stretch(talib.MACD, start, close, fastperiod=3, slowperiod=6, signalperiod=4)
    expected = [talib.MACD(first, 3, 6, 4), np.full((3, 1), np.nan), talib.MACD(last, 3, 6, 4)]
    np.testing.assert_array_equal(lines, np.hstack(expected))


@pytest.mark.parametrize("function", [true_range, atr])
def test_ranges_ignore_the_future(candles, function):
    """Changing later candles leaves earlier rows untouched, to the bit."""
    shocked = candles.copy()
    shocked.loc[200:, ["open", "high", "low", "close"]] *= 7

    stretch = np.zeros(len(candles), dtype=np.int64)
    np.testing.assert_array_equal(function(shocked, stretch)[:200], function(candles, stretch)[:200])

import numpy as np
import pandas as pd
from pandas.testing import assert_frame_equal

from stages.baseline.rows import FLOOR, RANGES, SPANS, hour_of_week, log_ranges, make_rows, usable
from stages.common.bars import atr, bar_length, stretches, true_range

HOUR = bar_length("1h")


def test_log_ranges_equal_their_written_definition(make_candles):
    """Each column is the log of a mean of the stretch's last true ranges over the close."""
    candles = make_candles(1700, missing=range(800, 810))
    stretch = stretches(candles["open_time"], HOUR, bridge_bars=3)
    ranges, average = true_range(candles, stretch), atr(candles, stretch)

    actual = log_ranges(candles, stretch)

    assert list(actual.columns) == RANGES
    for t in (0, 5, 30, 700, 719, 720, 799, 800, 803, 900, 1520, 1689):
        begin = 0 if t < 800 else 800
        for span in SPANS:
            seen = ranges[max(begin, t - span + 1) : t + 1]
            expected = np.log(np.mean(seen) / candles["close"][t]) if len(seen) == span else np.nan
            np.testing.assert_allclose(actual[f"log_range_{span}"][t], expected, rtol=1e-9)
        np.testing.assert_allclose(actual["log_atr"][t], np.log(average[t] / candles["close"][t]))


def test_log_ranges_ignore_the_future(candles):
    """Dropping later candles leaves earlier rows as they are, to the last bit."""
    stretch = stretches(candles["open_time"], HOUR, bridge_bars=3)

    cut = log_ranges(candles.iloc[:1500], stretch[:1500])

    assert_frame_equal(cut, log_ranges(candles, stretch).iloc[:1500], check_exact=True)


def test_bars_without_a_range_are_floored(make_candles):
    """A bar that didn't move counts as a tenth of a basis point, not as minus infinity."""
    candles = make_candles(40)
    candles.loc[20:, ["open", "high", "low", "close"]] = candles["close"][19]
    flat = log_ranges(candles, np.zeros(40, dtype=np.int64))

    np.testing.assert_allclose(flat["log_range_1"][20:], np.log(FLOOR))
    assert flat["log_atr"][14:].gt(np.log(FLOOR)).all()


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


def test_future_atr_is_the_one_h_bars_later(make_candles, make_direction_labels):
    """`atr_ahead` is ATR(t+h) over close(t), known at the close of bar t+h, across gaps and all."""
    candles = make_candles(2400, missing=[1000, 1001, *range(1500, 1510)])
    average = atr(candles, stretches(candles["open_time"], HOUR, bridge_bars=3))
    known = pd.Series(average, candles["open_time"] + HOUR)
    close = candles.set_index(candles["open_time"] + HOUR)["close"]

    rows = make_rows(candles, make_direction_labels(candles), HOUR, bridge_bars=3, horizon_bars=14)

    assert rows["ahead_end"].sub(rows["close_time"]).eq(14 * HOUR).all()
    expected = known[rows["ahead_end"]].to_numpy() / close[rows["close_time"]].to_numpy()
    np.testing.assert_array_equal(rows["atr_ahead"], expected)


def test_rows_keep_the_labels_and_today_s_candle(make_candles, make_volatility_labels):
    """Labels come through untouched, and the regressors beside them are of the same close."""
    candles = make_candles(1600, missing=[1000, 1001])
    labels = make_volatility_labels(candles)

    rows = make_rows(candles, labels, HOUR, bridge_bars=3, horizon_bars=14)

    assert_frame_equal(rows[list(labels.columns)], labels, check_exact=True)
    np.testing.assert_allclose(np.exp(rows["log_atr"]), rows["atr"])
    np.testing.assert_array_equal(rows["hour_of_week"], hour_of_week(labels["close_time"]))


def test_rows_after_a_long_gap_remember_nothing_before_it(make_candles):
    """A gap of four candles makes the regressors start anew; one of three doesn't."""
    for missing, remembers in ((range(800, 803), True), (range(800, 804), False)):
        candles = make_candles(1000, missing=missing)
        labels = pd.DataFrame({"close_time": candles["open_time"][810:815] + HOUR})

        rows = make_rows(candles, labels, HOUR, bridge_bars=3, horizon_bars=14)

        assert rows[["log_range_1", "log_range_4"]].notna().all(axis=None)
        assert rows[["log_atr", "log_range_24", "log_range_720"]].notna().all(axis=None) == remembers


def test_usable_rows_have_regressors_and_a_positive_target():
    """A row with a missing regressor, a missing target or a target of nought can't train."""
    rows = pd.DataFrame(dict.fromkeys(RANGES, 0.0) | {"y": [1.0, 1.0, 0.0, np.nan]})
    rows.loc[1, "log_range_720"] = np.nan

    np.testing.assert_array_equal(usable(rows, "y"), [True, False, False, False])

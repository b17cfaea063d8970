import numpy as np
import pandas as pd
from pandas.testing import assert_frame_equal

from stages.baseline.rows import (
    ANSWERS,
    CLIP,
    FLOOR,
    KEPT,
    RANGES,
    RETURNS,
    SPANS,
    freed_ranges,
    log_ranges,
    log_returns,
    make_rows,
    past_returns,
    usable,
)
from stages.common.bars import atr, bar_length, hour_of_week, stretches, true_range

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


def test_log_returns_equal_their_written_definition(make_candles):
    """A bar's return is from the close before it; of a stretch's first bar, from its open."""
    candles = make_candles(60, missing=[20, *range(40, 44)])
    close, opens = candles["close"], candles["open"]

    actual = log_returns(candles, stretches(candles["open_time"], HOUR, bridge_bars=3))

    for t in range(len(candles)):
        before = opens[t] if t in (0, 39) else close[t - 1]  # candle 20 is bridged, 40 to 43 aren't
        np.testing.assert_allclose(actual[t], np.log(close[t] / before))


def test_past_returns_equal_their_written_definition(make_candles):
    """Moves since a close of the same stretch, in ATR times the root of the span."""
    candles = make_candles(1700, missing=range(800, 810))
    stretch = stretches(candles["open_time"], HOUR, bridge_bars=3)
    average, close = atr(candles, stretch), candles["close"]

    actual = past_returns(candles, stretch)

    assert list(actual.columns) == RETURNS
    for t in (0, 5, 30, 720, 721, 799, 800, 815, 900, 1519, 1521, 1689):
        begin = 0 if t < 800 else 800
        for span in SPANS:
            move = close[t] - close[t - span] if t - span >= begin else np.nan
            expected = np.clip(move / average[t] / np.sqrt(span), -CLIP, CLIP)
            np.testing.assert_allclose(actual[f"return_{span}"][t], expected, rtol=1e-9)


def test_freed_ranges_equal_their_written_definition(make_candles):
    """Where clock and calendar do nothing yet, freed ranges are ranges; means are of logs."""
    candles = make_candles(640, missing=range(300, 310))
    stretch = stretches(candles["open_time"], HOUR, bridge_bars=3)
    log_range = log_ranges(candles, stretch)["log_range_1"]
    bars = pd.DataFrame({"open_time": candles["open_time"], "stretch": stretch, "log_range": log_range})

    actual = freed_ranges(bars, None, HOUR, 14)

    assert list(actual.columns) == [*(f"freed_{n}" for n in SPANS), "freed_atr", "ahead_atr", "ahead_mean"]
    assert actual[["ahead_atr", "ahead_mean"]].eq(0).all(axis=None)
    for t in (0, 5, 30, 299, 300, 303, 323, 500, 629):
        begin = 0 if t < 300 else 300
        for span in SPANS:
            seen = log_range[max(begin, t - span + 1) : t + 1]
            expected = seen.mean() if len(seen) == span else np.nan
            np.testing.assert_allclose(actual[f"freed_{span}"][t], expected, rtol=1e-9)
        weights = np.append((1 / 14) * KEPT ** np.arange(t - begin), KEPT ** (t - begin))[::-1]
        expected = np.log(np.sum(weights * np.exp(log_range[begin : t + 1])))
        np.testing.assert_allclose(actual["freed_atr"][t], expected, rtol=1e-9)


def test_ranges_are_freed_of_hours_of_their_own(make_candles):
    """Where nights are wild, freed ranges are as wide by day as by night, and days ahead promise less."""
    candles = make_candles(24 * 120)
    hour = candles["open_time"].dt.hour.to_numpy()
    log_range = np.log(0.01 * np.where(hour < 6, 4, 1))
    bars = pd.DataFrame({"open_time": candles["open_time"], "stretch": 0, "log_range": log_range})

    actual = freed_ranges(bars, None, HOUR, 6)[-24 * 14 :]

    by_hour = actual["freed_1"].groupby(hour[-24 * 14 :]).mean()
    assert np.ptp(log_range) > 1.3
    assert np.ptp(by_hour) < 0.05
    ahead = actual["ahead_mean"].groupby(hour[-24 * 14 :]).mean()
    assert ahead[23] > ahead[5] + 1


def test_a_crash_is_clipped(make_candles):
    """A price that halves in a bar counts as CLIP, and one in a market that stood still has a unit too."""
    candles = make_candles(40)
    candles.loc[1:, ["open", "high", "low", "close"]] = candles["close"][0]
    calm = past_returns(candles, np.zeros(40, dtype=np.int64))
    candles.loc[30:, "close"] *= 0.5

    crashed = past_returns(candles, np.zeros(40, dtype=np.int64))

    assert (calm["return_1"][14:] == 0).all()
    assert (crashed["return_1"][30], crashed["return_4"][30]) == (-CLIP, -CLIP)


def test_every_candle_has_a_row(make_candles, make_direction_labels):
    """Labels stand beside their candle; candles without one keep what is known at their close."""
    candles = make_candles(2400, missing=[1000, 1001, *range(1500, 1510)])
    labels = make_direction_labels(candles)

    rows = make_rows(candles, labels, None, HOUR, bridge_bars=3, horizon_bars=14)

    assert (rows["close_time"] == candles["open_time"] + HOUR).all()
    held = rows["close_time"].isin(labels["close_time"])
    assert 0 < held.sum() == len(labels) < len(rows) - 700
    beside = rows.loc[held, ["close_time", *ANSWERS]].reset_index(drop=True)
    assert_frame_equal(beside, labels[["close_time", *ANSWERS]], check_exact=True)
    assert rows.loc[~held, [*ANSWERS, "atr_ahead", "ahead_end"]].isna().all(axis=None)
    assert rows.loc[14:, ["stretch", "log_return", "hour_of_week", "horizon_bars"]].notna().all(axis=None)
    np.testing.assert_array_equal(rows.loc[held, "atr"], labels["atr"])


def test_future_atr_is_the_one_h_bars_later(make_candles, make_direction_labels):
    """`atr_ahead` is ATR(t+h) over close(t), known at the close of bar t+h, across gaps and all."""
    candles = make_candles(2400, missing=[1000, 1001, *range(1500, 1510)])
    average = atr(candles, stretches(candles["open_time"], HOUR, bridge_bars=3))
    known = pd.Series(average, candles["open_time"] + HOUR)
    close = candles.set_index(candles["open_time"] + HOUR)["close"]

    rows = make_rows(candles, make_direction_labels(candles), None, HOUR, bridge_bars=3, horizon_bars=14)

    rows = rows[rows["y"].notna()]
    assert rows["ahead_end"].sub(rows["close_time"]).eq(14 * HOUR).all()
    expected = known[rows["ahead_end"]].to_numpy() / close[rows["close_time"]].to_numpy()
    np.testing.assert_array_equal(rows["atr_ahead"], expected)


def test_regressors_are_of_the_row_s_own_close(make_candles, make_volatility_labels):
    """ATR and hour are those of the candle that closes at close_time."""
    candles = make_candles(1600, missing=[1000, 1001])

    rows = make_rows(candles, make_volatility_labels(candles), None, HOUR, bridge_bars=3, horizon_bars=14)

    np.testing.assert_allclose(np.exp(rows["log_atr"]), rows["atr"])
    np.testing.assert_array_equal(rows["hour_of_week"], hour_of_week(rows["close_time"]))
    assert (rows["horizon_bars"] == 14).all()


def test_rows_ignore_the_future(make_candles, make_volatility_labels):
    """Dropping later candles leaves what earlier rows know as it is, to the last bit."""
    candles = make_candles(1600, missing=range(700, 710))
    known = ["close_time", "stretch", "log_return", "atr", "hour_of_week", *RANGES, *RETURNS]

    whole, cut = (
        make_rows(frame, make_volatility_labels(frame), None, HOUR, bridge_bars=3, horizon_bars=14)
        for frame in (candles, candles[:1500])
    )

    assert_frame_equal(cut[known], whole[known].iloc[:1500], check_exact=True)


def test_rows_after_a_long_gap_remember_nothing_before_it(make_candles, make_volatility_labels):
    """A gap of four candles makes the regressors start anew; one of three doesn't."""
    for missing, remembers in ((range(800, 803), True), (range(800, 804), False)):
        candles = make_candles(1000, missing=missing)

        rows = make_rows(
            candles, make_volatility_labels(candles), None, HOUR, bridge_bars=3, horizon_bars=14
        )

        rows = rows[807:812]
        assert rows[["log_range_1", "log_range_4"]].notna().all(axis=None)
        for name in ("log_atr", "log_range_24", "log_range_720", "return_24", "return_720"):
            assert rows[name].notna().all() == remembers


def test_usable_rows_have_regressors_and_a_positive_target():
    """A row with a missing regressor, a missing target or a target of nought can't train."""
    rows = pd.DataFrame(dict.fromkeys(RANGES, 0.0) | {"y": [1.0, 1.0, 0.0, np.nan]})
    rows.loc[1, "log_range_720"] = np.nan

    np.testing.assert_array_equal(usable(rows, "y"), [True, False, False, False])

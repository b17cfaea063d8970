import numpy as np

from stages.baseline.sizing import SIZING, return_per_atr, sizing_atr
from stages.baseline.volatility import har_hour_of_week


def test_sizing_atr_is_the_volatility_baseline(candles, make_volatility_labels, rows_of, params):
    """Where the question is ATR(t+h), sizing_atr is log-HAR + hour-of-week, to the last bit."""
    rows = rows_of(candles, make_volatility_labels(candles))

    np.testing.assert_array_equal(sizing_atr(rows, params), har_hour_of_week(rows, params))


def test_sizing_is_the_same_for_both_questions(
    candles, make_volatility_labels, make_direction_labels, rows_of, params
):
    """Sizing asks for ATR(t+h) whatever y is and whenever its label ends."""
    volatility = rows_of(candles, make_volatility_labels(candles))
    direction = rows_of(candles, make_direction_labels(candles))

    assert list(SIZING) == ["sizing_atr", "return_per_atr"]
    for forecaster in SIZING.values():
        np.testing.assert_array_equal(forecaster(volatility, params), forecaster(direction, params))


def test_return_per_atr_equals_the_written_ratio(candles, make_volatility_labels, rows_of, params):
    """Root mean square of next returns over mean ATR, of the rows that had ended at the refit."""
    rows = rows_of(candles[:1500], make_volatility_labels(candles[:1500]))
    expected = np.full(len(rows), np.nan)
    for t in range(943, len(rows)):
        refit = 943 + (t - 943) // 50 * 50
        past = rows.iloc[max(730, refit - 13 - 400) : refit - 13]
        expected[t] = np.sqrt((past["return_next"] ** 2).mean()) / past["atr"].mean()

    np.testing.assert_allclose(return_per_atr(rows, params), expected)


def test_sized_positions_hit_their_target(candles, make_volatility_labels, rows_of, params):
    """Returns over (sizing_atr x return_per_atr) have a spread near 1: it is a forecast of theirs."""
    rows = rows_of(candles, make_volatility_labels(candles))

    scaled = rows["return_next"] / (sizing_atr(rows, params) * return_per_atr(rows, params))

    assert 0.8 < np.sqrt((scaled**2).mean()) < 1.2

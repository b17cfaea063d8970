import numpy as np
import pandas as pd
import pytest

from stages.common.bars import atr, true_range
from stages.label.params import VolatilityParams
from stages.label.volatility import make_targets

ATR = VolatilityParams(target="atr")
TRUE_RANGE = VolatilityParams(target="true_range")
HORIZON = 6


def measured(candles: pd.DataFrame) -> pd.DataFrame:
    """Candles of one stretch with their true range and ATR."""
    stretch = np.zeros(len(candles), dtype=np.int64)
    return candles.assign(true_range=true_range(candles, stretch), atr=atr(candles, stretch))


@pytest.fixture
def bars(make_candles) -> pd.DataFrame:
    """Two hundred bars, measured."""
    return measured(make_candles(200))


def test_targets_worked_by_hand():
    """The ATR of the bar at the horizon, or the mean range of the bars up to it, over today's close."""
    bars = pd.DataFrame({"true_range": [9, 1, 2, 6, 9], "atr": [7, 7, 7, 5, 7], "close": [50, 1, 1, 1, 1]})

    for settings, y in [(ATR, 5 / 50), (TRUE_RANGE, 3 / 50)]:
        actual = make_targets(bars, np.array([0]), 3, settings)
        assert actual.iloc[0].to_dict() == {"y": y, "end": 3}


def test_future_atr_is_todays_and_the_ranges_between(bars):
    """ATR(t+h) = a^h ATR(t) + the ranges of t+1 ... t+h, each faded by a = 13/14 a bar since."""
    rows = np.arange(14, len(bars) - HORIZON)
    faded = 0.0
    for ahead in range(1, HORIZON + 1):
        faded = faded * 13 / 14 + bars["true_range"].to_numpy()[rows + ahead] / 14
    expected = (13 / 14) ** HORIZON * bars["atr"].to_numpy()[rows] + faded

    actual = make_targets(bars, rows, HORIZON, ATR)

    np.testing.assert_allclose(actual["y"] * bars["close"].to_numpy()[rows], expected, rtol=1e-12)


def test_true_range_target_equals_the_textbook_loop(bars):
    """The mean of max(high, previous close) - min(low, previous close), a bar at a time."""
    rows = np.arange(14, len(bars) - HORIZON)
    expected = []
    for t in rows:
        total = 0.0
        for bar in range(t + 1, t + HORIZON + 1):
            previous = bars["close"][bar - 1]
            total += max(bars["high"][bar], previous) - min(bars["low"][bar], previous)
        expected.append(total / HORIZON / bars["close"][t])

    actual = make_targets(bars, rows, HORIZON, TRUE_RANGE)

    np.testing.assert_allclose(actual["y"], expected, rtol=1e-12)


def test_true_range_target_shares_nothing_with_todays_atr(make_candles):
    """Wider bars up to t change today's ATR and so the ATR target, not the true-range one."""
    candles, t = make_candles(100), np.array([60])
    wider = candles.copy()
    wider.loc[:60, "high"] *= 1.1

    before, after = (
        [make_targets(measured(market), t, HORIZON, target)["y"][0] for target in (TRUE_RANGE, ATR)]
        for market in (candles, wider)
    )

    assert before[0] == after[0]
    assert before[1] < after[1]


@pytest.mark.parametrize("settings", [ATR, TRUE_RANGE])
def test_no_rows_give_no_targets(bars, settings):
    """No rows are an empty answer, not an error."""
    assert make_targets(bars, np.array([], dtype=np.int64), HORIZON, settings).shape == (0, 2)

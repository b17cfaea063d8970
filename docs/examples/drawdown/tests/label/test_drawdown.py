import numpy as np
import pandas as pd
import pytest

from stages.common.bars import atr
from stages.label.drawdown import make_targets
from stages.label.params import DrawdownParams

SETTINGS = DrawdownParams(least_atr=0.25)
HORIZON = 6


@pytest.fixture
def bars(make_candles):
    """Two hundred bars with their ATR."""
    candles = make_candles(200)
    return candles.assign(atr=atr(candles, np.zeros(len(candles), dtype=np.int64)))


def test_targets_worked_by_hand():
    """From 50 the close falls to 40 and comes back: a fifth, though it ends above and later falls lower."""
    bars = pd.DataFrame({"close": [50, 60, 40, 55, 10], "atr": 8.0})

    actual = make_targets(bars, np.array([0]), 3, SETTINGS)

    assert actual.iloc[0].to_dict() == {"y": 10 / 50, "end": 3}


@pytest.mark.parametrize("lowest", [49.0, 50.0, 60.0])
def test_a_small_fall_counts_as_the_least_one(lowest):
    """So does a rise: a quarter of an ATR of 8 is 2 of 50."""
    bars = pd.DataFrame({"close": [50, lowest, 70], "atr": 8.0})

    assert make_targets(bars, np.array([0]), 2, SETTINGS)["y"].tolist() == [2 / 50]


def test_targets_equal_the_textbook_loop(bars):
    """The lowest close of the horizon, a bar at a time."""
    rows = np.arange(14, len(bars) - HORIZON)
    expected = []
    for t in rows:
        lowest = min(bars["close"][bar] for bar in range(t + 1, t + HORIZON + 1))
        fall = bars["close"][t] - lowest
        expected.append(max(fall, 0.25 * bars["atr"][t]) / bars["close"][t])

    actual = make_targets(bars, rows, HORIZON, SETTINGS)

    np.testing.assert_allclose(actual["y"], expected, rtol=1e-12)


def test_no_rows_give_no_targets(bars):
    """No rows are an empty answer, not an error."""
    assert make_targets(bars, np.array([], dtype=np.int64), HORIZON, SETTINGS).shape == (0, 2)

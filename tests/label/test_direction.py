import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stages.label import direction
from stages.label.direction import make_targets
from stages.label.params import DirectionParams

SIGN = DirectionParams(up_atr=1.5, down_atr=1.0, timeout="sign")
ZERO = DirectionParams(up_atr=1.5, down_atr=1.0, timeout="zero")


def coarse_bars(steps: list[tuple[int, int, int]]) -> pd.DataFrame:
    """Bars of whole prices, so that barriers are often met exactly; each step is (change, above, below)."""
    change, above, below = np.array(steps, dtype=np.float64).T
    close = 100 + np.cumsum(change)
    previous = close - change
    high, low = np.maximum(close, previous) + above, np.minimum(close, previous) - below
    return pd.DataFrame({"open": previous, "high": high, "low": low, "close": close, "atr": 2.0})


def textbook(bars: pd.DataFrame, t: int, horizon: int, params: DirectionParams) -> tuple[float, int]:
    """The triple barrier as it is told: walk from bar to bar until one is touched or time is out."""
    start, atr = bars["close"][t], bars["atr"][t]
    up, down = start + params.up_atr * atr, start - params.down_atr * atr
    for end in range(t + 1, t + horizon + 1):
        touches_up, touches_down = bars["high"][end] >= up, bars["low"][end] <= down
        if touches_up and touches_down:
            return (1.0 if bars["close"][end] > start else 0.0), end
        if touches_up:
            return 1.0, end
        if touches_down:
            return 0.0, end
    if params.timeout == "zero":
        return 0.0, t + horizon
    return (1.0 if bars["close"][t + horizon] > start else 0.0), t + horizon


STEPS = st.lists(
    st.tuples(st.integers(-2, 2), st.integers(0, 2), st.integers(0, 2)), min_size=8, max_size=40
)


@given(steps=STEPS, horizon=st.integers(1, 7), params=st.sampled_from([SIGN, ZERO]))
@settings(max_examples=200, deadline=None)
def test_targets_equal_the_textbook_walk(steps, horizon, params):
    """Whole-array labels are what a walk from bar to bar gives, ties and time-outs included."""
    bars = coarse_bars(steps)
    rows = np.arange(len(bars) - horizon)

    actual = make_targets(bars, rows, horizon, params)

    y, end = zip(*(textbook(bars, t, horizon, params) for t in rows), strict=True)
    assert actual["y"].tolist() == list(y)
    assert actual["end"].tolist() == list(end)


def bars_after(*later: tuple[float, float, float]) -> pd.DataFrame:
    """A bar that closes at 100 with an ATR of 2, then bars of the given (high, low, close).

    So the upper barrier stands at 103, the lower one at 98. Bar 0 itself reaches far beyond both.
    """
    bars = pd.DataFrame([(150.0, 50.0, 100.0), *later], columns=["high", "low", "close"])
    return bars.assign(atr=2.0)


CALM = (101.0, 99.0, 100.0)


@pytest.mark.parametrize(
    ("later", "y", "end"),
    [
        pytest.param([CALM, (103, 100, 102), (102, 90, 91)], 1, 2, id="up first"),
        pytest.param([(100, 98, 99), (110, 99, 109), CALM], 0, 1, id="down first"),
        pytest.param([CALM, CALM, (103, 100, 101)], 1, 3, id="up on the last bar"),
        pytest.param([(104, 97, 101), CALM, CALM], 1, 1, id="both, closing higher"),
        pytest.param([(104, 97, 99), (110, 99, 109), CALM], 0, 1, id="both, closing lower"),
        pytest.param([(104, 97, 100), (110, 99, 109), CALM], 0, 1, id="both, closing where it began"),
    ],
)
@pytest.mark.parametrize("params", [SIGN, ZERO])
def test_first_touch_decides(later, y, end, params):
    """The first bar at or beyond a barrier decides, whatever a time-out would count as."""
    actual = make_targets(bars_after(*later), np.array([0]), 3, params)

    assert actual.iloc[0].to_dict() == {"y": y, "end": end}


@pytest.mark.parametrize(("close", "by_sign"), [(100.5, 1), (100, 0), (99.5, 0)])
def test_time_out_counts_by_its_sign_or_as_zero(close, by_sign):
    """Without a touch the label ends at the horizon, however wild the next bar is."""
    bars = bars_after(CALM, CALM, (101, 99, close), (200, 10, 50))

    for params, y in [(SIGN, by_sign), (ZERO, 0)]:
        actual = make_targets(bars, np.array([0]), 3, params)
        assert actual.iloc[0].to_dict() == {"y": y, "end": 3}


@pytest.mark.parametrize("block", [1, 7, 100])
def test_labels_do_not_depend_on_how_many_are_made_at_once(monkeypatch, block):
    """Rows with holes between them, as gaps and flat hours leave."""
    rng = np.random.default_rng(1)
    closes = 100 + np.cumsum(rng.standard_normal(400))
    bars = bars_after(*((close + 1, close - 1, close) for close in closes))
    rows = np.flatnonzero(rng.random(380) < 0.7)
    at_once = make_targets(bars, rows, 20, SIGN)

    monkeypatch.setattr(direction, "BLOCK", block)

    pd.testing.assert_frame_equal(make_targets(bars, rows, 20, SIGN), at_once)
    assert len(set(at_once["end"] - rows)) > 5


def test_no_rows_give_no_targets():
    """No rows are an empty answer, not an error."""
    actual = make_targets(bars_after(CALM), np.array([], dtype=np.int64), 3, SIGN)

    assert actual.shape == (0, 2)

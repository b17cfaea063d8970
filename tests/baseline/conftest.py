"""Labels made by hand, so that these tests need no other stage."""

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from stages.baseline.params import BaselineParams
from stages.baseline.rows import make_rows
from stages.common.arrays import Floats, Ints
from stages.common.bars import atr, bar_length, stretches, true_range
from stages.common.calendar import read_releases
from stages.common.task import TASKS

HOUR = bar_length("1h")
HORIZON, BRIDGE, WARMUP = 14, 3, 730
RELEASES = read_releases()

MakeLabels = Callable[[pd.DataFrame], pd.DataFrame]
MakeRows = Callable[[pd.DataFrame, pd.DataFrame], pd.DataFrame]


def complete_rows(candles: pd.DataFrame) -> Ints:
    """Positions of candles that are warmed up and whose horizon no gap interrupts."""
    stretch, t = stretches(candles["open_time"], HOUR, BRIDGE), np.arange(len(candles))
    warm = t - np.searchsorted(stretch, stretch) >= WARMUP
    ahead = candles["open_time"].shift(-HORIZON) - candles["open_time"]
    return np.flatnonzero(warm & (ahead == HORIZON * HOUR).to_numpy())


def label_table(candles: pd.DataFrame, t: Ints, y: Floats, end: Ints) -> pd.DataFrame:
    """The columns that label writes."""
    close = candles["close"].to_numpy()
    close_time = (candles["open_time"] + HOUR).astype("datetime64[ms, UTC]")
    relative_atr = atr(candles, stretches(candles["open_time"], HOUR, BRIDGE))[t] / close[t]
    return pd.DataFrame(
        {
            "close_time": close_time.iloc[t].array,
            "y": y,
            "label_end": close_time.iloc[end].array,
            "weight": 1.0,
            "return_to_end": 0.0,
            "atr": relative_atr,
            "return_next": close[t + 1] / close[t] - 1,
        }
    )


def volatility_labels(candles: pd.DataFrame) -> pd.DataFrame:
    """Labels of how much: y is ATR(14) at t+h over close(t)."""
    t = complete_rows(candles)
    future_atr = atr(candles, stretches(candles["open_time"], HOUR, BRIDGE))[t + HORIZON]
    return label_table(candles, t, future_atr / candles["close"].to_numpy()[t], t + HORIZON)


def true_range_labels(candles: pd.DataFrame) -> pd.DataFrame:
    """Labels of how much: y is the mean true range of bars t+1 ... t+h over close(t)."""
    t = complete_rows(candles)
    ranges = true_range(candles, stretches(candles["open_time"], HOUR, BRIDGE))
    ahead = np.mean([ranges[t + bar] for bar in range(1, HORIZON + 1)], axis=0)
    return label_table(candles, t, ahead / candles["close"].to_numpy()[t], t + HORIZON)


def direction_labels(candles: pd.DataFrame) -> pd.DataFrame:
    """Labels of which way: does the close rise over 1 to h bars? They end out of order, as touches do."""
    t = complete_rows(candles)
    end = t + 1 + t * 7 % HORIZON
    close = candles["close"].to_numpy()
    return label_table(candles, t, (close[end] > close[t]).astype(np.float64), end)


@pytest.fixture
def make_labels() -> Callable[[str, pd.DataFrame], pd.DataFrame]:
    """`make_labels(task, candles)`: of classes, or else of amounts."""
    return lambda task, candles: (
        direction_labels(candles) if TASKS[task].classes else volatility_labels(candles)
    )


@pytest.fixture
def make_volatility_labels() -> MakeLabels:
    """`make_volatility_labels(candles)`."""
    return volatility_labels


@pytest.fixture
def make_true_range_labels() -> MakeLabels:
    """`make_true_range_labels(candles)`."""
    return true_range_labels


@pytest.fixture
def make_direction_labels() -> MakeLabels:
    """`make_direction_labels(candles)`."""
    return direction_labels


@pytest.fixture
def rows_of() -> MakeRows:
    """`rows_of(candles, labels)` gives the rows that baselines are fitted on."""
    return lambda candles, labels: make_rows(
        candles, labels, RELEASES, HOUR, bridge_bars=BRIDGE, horizon_bars=HORIZON
    )


@pytest.fixture
def params() -> BaselineParams:
    """Refits often enough for a short market to see its window grow and slide, the slow ones too."""
    return BaselineParams(refit_bars=50, min_bars=200, window_bars=400, slow_refit_bars=300)

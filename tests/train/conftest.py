"""A tiny market whose first feature tells of y, and the settings of networks small enough for it."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pytest

from stages.common.task import TASKS, Task
from stages.train.params import TrainParams
from stages.train.rows import Fold, make_fold


class Job(NamedTuple):
    """What a fit takes."""

    fold: Fold
    seed: int
    table: np.ndarray[Any, np.dtype[np.float32]]
    task: Task
    params: TrainParams


MakeParams = Callable[..., TrainParams]
MakeJob = Callable[..., Job]

N_ROWS = 400
SPANS = {"train": (0, 249), "val": (250, 319), "test": (320, 399)}  # rows, inclusive


def tiny_params(**changes: Any) -> TrainParams:
    """Settings of a network that fits within a second or two, with the changes asked for."""
    settings: dict[str, Any] = {
        "network": "dense",
        "units": 2,
        "window": 4,
        "dropout": 0.0,
        "offset": "baseline",
        "error_half_lives": [],
        "trees": 0,
        "class_weights": "none",
        "uniqueness": False,
        "batch": 32,
        "epochs": 3,
        "keep_epoch": "best",
        "refit_epochs": 0,
        "patience": 3,
        "learning_rate": 0.02,
        "seeds": [1],
    }
    return TrainParams(**settings | changes)


def tiny_table() -> np.ndarray[Any, np.dtype[np.float32]]:
    """Three features of 400 rows: two of noise, and a constant."""
    table = np.random.default_rng(1).standard_normal((N_ROWS, 3))
    table[:, 2] = 0.1
    return table.astype(np.float32)


def tiny_rows(task: str, signal: float) -> pd.DataFrame:
    """Rows whose y follows the first feature of their own row and of the row before."""
    table, rng = tiny_table().astype(np.float64), np.random.default_rng(2)
    told = signal * (table[:, 0] + np.roll(table[:, 0], 1))
    if TASKS[task].classes:
        y = (rng.random(N_ROWS) < 1 / (1 + np.exp(-told))).astype(np.float64)
        offset = np.full(N_ROWS, 0.1)
    else:
        y = 0.005 * np.exp(0.2 * told + 0.1 * rng.standard_normal(N_ROWS))
        offset = np.full(N_ROWS, np.log(0.005))
    # The features start at row 7, so that windows of 4 rows start at row 10.
    ends = np.where(np.arange(N_ROWS) >= 10, np.arange(N_ROWS), -1)
    return pd.DataFrame(
        {
            "symbol": "BTC-USDT",
            "close_time": pd.date_range("2022-01-03", periods=N_ROWS, freq="h", tz="UTC", unit="ms"),
            "y": y,
            "weight": rng.uniform(0.1, 1.0, N_ROWS),
            "end": ends,
            "offset": offset,
        }
    )


def tiny_spans(rows: pd.DataFrame) -> pd.DataFrame:
    """One fold, in order of time."""
    times = rows["close_time"]
    return pd.DataFrame(
        [("1", role, times[first], times[last]) for role, (first, last) in SPANS.items()],
        columns=["fold", "role", "first", "last"],
    )


@pytest.fixture
def make_params() -> MakeParams:
    """`make_params(**changes)` gives the settings of a tiny dense network."""
    return tiny_params


@pytest.fixture
def spans() -> pd.DataFrame:
    """One fold of the tiny market: rows 0-249 train, 250-319 val, 320-399 test."""
    return tiny_spans(tiny_rows("direction", 0.0))


@pytest.fixture
def rows() -> pd.DataFrame:
    """The tiny market's 400 labelled rows, for direction; the first ten have no whole window."""
    return tiny_rows("direction", 2.0)


@pytest.fixture(scope="session")
def make_job() -> MakeJob:
    """`make_job(task="direction", signal=2.0, seed=1, **changes of settings)` gives one fit's job."""

    def make(task: str = "direction", signal: float = 2.0, seed: int = 1, **changes: Any) -> Job:
        market, params = tiny_rows(task, signal), tiny_params(**changes)
        fold = make_fold("1", tiny_spans(market), market, TASKS[task], params)
        return Job(fold, seed, tiny_table(), TASKS[task], params)

    return make

"""The baseline's own last errors, as features: it may err the same way for weeks."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from stages.common.task import Task


def error_names(half_lives: Sequence[int]) -> list[str]:
    """The columns' names, in order."""
    return [f"error_{half_life}" for half_life in half_lives]


def last_errors(
    known: pd.Series, rows: pd.DataFrame, task: Task, horizon: pd.Timedelta, half_lives: Sequence[int]
) -> NDArray[np.float32]:
    """Averages of the errors known at each moment, that weigh half as much so many rows back.

    `known`: close_time of the rows of a symbol's feature table. `rows`: the symbol's labelled rows, as
    `label_rows` has them. An error is the task's `residual` of the score that the network corrects, and is
    known a `horizon` after its row; without `train.offset` that score is nought. Half-lives count labelled
    rows, whatever gaps lie between. Shape (n_rows, n_half_lives); nought before the first error is known.
    """
    told = rows[np.isfinite(rows["offset"])]
    residual = pd.Series(task.residual(told["y"].to_numpy(), told["offset"].to_numpy()))
    averages = [residual.ewm(halflife=half_life).mean().to_numpy() for half_life in half_lives]
    nothing_yet = np.zeros((1, len(half_lives)))
    n_known = np.searchsorted(told["close_time"], known - horizon, side="right")
    return np.concatenate([nothing_yet, np.column_stack(averages)])[n_known].astype(np.float32)

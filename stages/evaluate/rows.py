"""The rows to compare: a forecast, what came of it, and what the baselines said, side by side."""

import numpy as np
import pandas as pd

from stages.common.errors import InputError
from stages.common.task import Task

KEYS = ["symbol", "close_time"]
AIDS = ("sizing_atr", "return_per_atr")  # of the strategy, in the same table


def opponents(baselines: pd.DataFrame) -> list[str]:
    """The columns of data/baselines that forecast the task's y, `benchmark` among them."""
    return [name for name in baselines.columns if name not in (*KEYS, *AIDS)]


def join(
    predictions: pd.DataFrame, labels: pd.DataFrame, baselines: pd.DataFrame, task: Task
) -> pd.DataFrame:
    """Each prediction with its label and its baselines, in the predictions' order.

    All three have `symbol` and `close_time`. In the result the opponents are scores, on the task's link
    scale like `score`; `forecast` and `benchmark_forecast` are in the task's own unit, and `delta` is the
    score less the benchmark. Rows from before a baseline's first fit are left out, so that all are
    compared on the same rows. Raises InputError where a score, a label or a baseline's score isn't
    finite, or a fold has no rows left to choose its best baseline or to be tested on.
    """
    names = opponents(baselines)
    rows = predictions.merge(labels, on=KEYS, how="left", validate="many_to_one")
    rows = rows.merge(baselines, on=KEYS, how="left", validate="many_to_one")
    # A forecast of exactly 0 or 1 has no finite score: the checks below name it.
    with np.errstate(divide="ignore", invalid="ignore"):
        rows = rows.assign(**{name: task.link(rows[name].to_numpy(np.float64)) for name in names})
    check_finite(rows, ["raw_score", "score"], "data/predictions.parquet", "row")
    check_finite(rows, ["y", "return_to_end"], "data/labels", "row of data/predictions.parquet")
    rows = rows.dropna(subset=[*names, *AIDS], ignore_index=True)
    check_finite(rows, names, "data/baselines", "row once it is fitted")
    check_folds(predictions, rows)
    return rows.assign(
        forecast=task.inverse(rows["score"].to_numpy(np.float64)),
        benchmark_forecast=task.inverse(rows["benchmark"].to_numpy(np.float64)),
        delta=rows["score"] - rows["benchmark"],
    )


def check_finite(rows: pd.DataFrame, columns: list[str], source: str, where: str) -> None:
    """Raise InputError unless these columns are finite throughout."""
    for name, n_missing in (~np.isfinite(rows[columns])).sum().items():
        if n_missing:
            raise InputError(
                f"{source}: {name} must be finite in every {where}; received {n_missing} of "
                f"{len(rows):,} without it."
            )


def check_folds(predictions: pd.DataFrame, rows: pd.DataFrame) -> None:
    """Raise InputError unless every fold of `predictions` has val and test rows left in `rows`."""
    left = set(zip(rows["fold"], rows["role"], strict=True))
    for fold in predictions["fold"].unique():
        for role in ("val", "test"):
            if (fold, role) not in left:
                raise InputError(
                    f"data/predictions.parquet: fold {fold} must have {role} rows on which every "
                    "baseline has a forecast; received none."
                )

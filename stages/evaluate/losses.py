"""What each forecast loses on each row, and the baseline to beat in each fold."""

import numpy as np
import pandas as pd

from stages.common.errors import InputError
from stages.evaluate.calibration import Loss


def loss_table(rows: pd.DataFrame, opponents: list[str], loss: Loss) -> pd.DataFrame:
    """Loss of each row by the network, by each opponent (its name), and by its fold's best baseline.

    Columns `network`, the opponents, `best`; lower is better. Raises InputError where a loss isn't finite.
    """
    y = rows["y"].to_numpy(np.float64)
    forecasts = {"network": "score"} | {name: name for name in opponents}
    with np.errstate(all="ignore"):  # what isn't finite is named below
        losses = pd.DataFrame(
            {name: loss(y, rows[column].to_numpy(np.float64)) for name, column in forecasts.items()},
            index=rows.index,
        )
    for name, column in losses.items():
        n_bad = int((~np.isfinite(column)).sum())
        if n_bad:
            raise InputError(
                f"data/labels: y must have a finite loss under every forecast; received {n_bad} of "
                f"{len(rows):,} rows without one under {name}."
            )
    losses["best"] = 0.0
    for fold, name in best_baselines(rows, losses[opponents]).items():
        losses.loc[rows["fold"] == fold, "best"] = losses[name]
    return losses


def best_baselines(rows: pd.DataFrame, losses: pd.DataFrame) -> dict[str, str]:
    """The baseline of least mean loss on each fold's validation rows: known before its test begins."""
    val = rows["role"] == "val"
    means = losses[val].groupby(rows.loc[val, "fold"]).mean()
    return {str(fold): str(name) for fold, name in means.idxmin(axis=1).items()}

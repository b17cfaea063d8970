"""What each forecast loses on each row, and the baseline to beat in each fold."""

import numpy as np
import pandas as pd

from stages.common.arrays import Floats
from stages.common.errors import InputError
from stages.evaluate.calibration import Loss


def loss_table(rows: pd.DataFrame, opponents: list[str], loss: Loss) -> tuple[pd.DataFrame, dict[str, str]]:
    """Loss of each row by the network, each opponent, and its fold's best baseline; the latter's names.

    Columns `network`, the opponents, `best`; lower is better. Raises InputError where a loss isn't finite.
    """
    y = rows["y"].to_numpy(np.float64)
    forecasts = {"network": "score"} | {name: name for name in opponents}
    with np.errstate(all="ignore"):  # what isn't finite is named below
        losses = pd.DataFrame(
            {name: loss(y, rows[column].to_numpy(np.float64)) for name, column in forecasts.items()},
            index=rows.index,
        )
    for name, n_bad in (~np.isfinite(losses)).sum().items():
        if n_bad:
            raise InputError(
                f"data/labels: y must have a finite loss under every forecast; received {n_bad} of "
                f"{len(rows):,} rows without one under {name}."
            )
    best = best_baselines(rows, losses[opponents])
    return losses.assign(best=of_best(rows["fold"], losses, best)), best


def best_baselines(rows: pd.DataFrame, losses: pd.DataFrame) -> dict[str, str]:
    """The baseline of least mean loss on each fold's validation rows: known before its test begins."""
    val = rows["role"] == "val"
    means = losses[val].groupby(rows.loc[val, "fold"]).mean()
    return {str(fold): str(name) for fold, name in means.idxmin(axis=1).items()}


def of_best(fold: pd.Series, figures: pd.DataFrame, best: dict[str, str]) -> Floats:
    """Each row's figure of the baseline that `best` names for its fold; shape (n_rows,)."""
    chosen = np.zeros(len(fold))
    for one, name in best.items():
        in_fold = (fold == one).to_numpy()
        chosen[in_fold] = figures[name].to_numpy(np.float64)[in_fold]
    return chosen

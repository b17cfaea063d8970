"""What results/metrics.json holds: plain numbers in a fixed order."""

import json
from typing import Any

import numpy as np
import pandas as pd

from stages.evaluate.calibration import Loss
from stages.evaluate.params import EvaluateParams
from stages.evaluate.scores import shared_block, split_block

Metrics = dict[str, Any]


def make_metrics(
    rows: pd.DataFrame,
    losses: pd.DataFrame,
    loss: Loss,
    *,
    horizon_bars: int,
    bar: pd.Timedelta,
    params: EvaluateParams,
) -> Metrics:
    """The shared block of test, its four figures of val and train, and `overfit_gap_pct` between them."""
    splits = {role: rows["role"] == role for role in ("test", "val", "train")}
    test = shared_block(
        rows[splits["test"]],
        losses[splits["test"]],
        loss,
        horizon_bars=horizon_bars,
        bar=bar,
        replicates=params.bootstrap,
        rng=np.random.default_rng(params.seed),
    )
    val, train = (split_block(rows[splits[role]], losses[splits[role]]) for role in ("val", "train"))
    gap = train["skill_pct"] - test["skill_pct"]
    return {"test": test, "val": val, "train": train, "overfit_gap_pct": gap}


def baseline_losses(rows: pd.DataFrame, losses: pd.DataFrame) -> dict[str, float]:
    """Each baseline's mean test loss in thousandths, to survive the five decimals of `dvc metrics diff`."""
    means = losses[rows["role"] == "test"].drop(columns=["model", "best"]).mean()
    return {str(name): float(1000 * mean) for name, mean in means.items()}


def rounded(value: Any) -> Any:
    """The same metrics with six significant digits: noise in the fifteenth is no difference."""
    if isinstance(value, dict):
        return {key: rounded(item) for key, item in value.items()}
    if isinstance(value, int):
        return value
    return float(f"{value:.6g}") + 0.0  # -0.0 becomes 0.0


def as_json(metrics: Metrics) -> str:
    """The text of metrics.json. Raises ValueError where a figure isn't finite."""
    return json.dumps(metrics, indent=2, allow_nan=False) + "\n"

"""What results/metrics.json holds, and the tables beside it: plain numbers in a fixed order."""

import json
from typing import Any

import pandas as pd

from stages.evaluate.shared import role_block

Metrics = dict[str, Any]


def table_by_time(test: pd.DataFrame, losses: pd.DataFrame, returns: pd.DataFrame) -> pd.DataFrame:
    """What each bar of the test brought, a row a close_time, in order; means of its symbols.

    Columns: close_time; `market_return` of the next bar; the losses `network`, `benchmark` and `best`;
    `net_return` and `ref_net_return` of the strategy and its reference; as float32.
    """
    means = losses[["network", "benchmark", "best"]].groupby(test["close_time"]).mean()
    market = test["return_next"].groupby(test["close_time"]).mean()
    net = returns[["network", "reference"]].set_axis(["net_return", "ref_net_return"], axis=1)
    # As float32, for the last bits of a logarithm are the C library's own.
    return pd.concat([market.rename("market_return"), means, net], axis=1).astype("float32").reset_index()


def make_metrics(
    rows: pd.DataFrame, losses: pd.DataFrame, test: dict[str, float], own_block: dict[str, float], task: str
) -> Metrics:
    """The shared block `test`, four figures of val and train, `overfit_gap_pct` between test and train.

    Then the task's own block under its name, and what each baseline loses.
    """
    val, train = (
        role_block(rows[rows["role"] == role], losses[rows["role"] == role]) for role in ("val", "train")
    )
    return {
        "test": test,
        "val": val,
        "train": train,
        "overfit_gap_pct": train["skill_pct"] - test["skill_pct"],
        task: own_block,
        "baselines": baseline_losses(rows, losses),
    }


def baseline_losses(rows: pd.DataFrame, losses: pd.DataFrame) -> dict[str, float]:
    """Each baseline's mean test loss in thousandths, to survive the five decimals of `dvc metrics diff`."""
    means = losses[rows["role"] == "test"].drop(columns=["network", "best"]).mean()
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

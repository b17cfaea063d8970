"""What results/metrics.json holds, and the tables beside it: plain numbers in a fixed order."""

import json
from dataclasses import dataclass
from functools import partial
from types import ModuleType
from typing import Any

import numpy as np
import pandas as pd

from stages.evaluate import breakdown
from stages.evaluate.calibration import Loss
from stages.evaluate.confidence_set import mcs_p
from stages.evaluate.conformal import coverage_block, intervals
from stages.evaluate.information import gains
from stages.evaluate.params import EvaluateParams
from stages.evaluate.scores import best_baselines, shared_block, split_block
from stages.evaluate.significance import compare, sample_of
from stages.evaluate.trading import hourly_returns, strategy_block

Metrics = dict[str, Any]


@dataclass(frozen=True)
class Setting:
    """What a test is measured by. `question`: the task's module in this folder; `loss`: the task's."""

    question: ModuleType
    loss: Loss
    horizon_bars: int
    bar: pd.Timedelta
    params: EvaluateParams


@dataclass(frozen=True)
class Findings:
    """`test`, the shared block; its figures taken apart; and `hourly`, losses and returns of every hour."""

    test: dict[str, float]
    tables: dict[str, pd.DataFrame]
    hourly: pd.DataFrame


def judge(rows: pd.DataFrame, losses: pd.DataFrame, by: Setting) -> Findings:
    """All that the test rows say; `rows` of `rows.join` and `losses` of `loss_table`, of all roles."""
    rng = np.random.default_rng(by.params.seed)
    in_test = rows["role"] == "test"
    test, test_losses = rows[in_test], losses[in_test]
    sample = sample_of(test, by.horizon_bars, by.bar, by.params.bootstrap, rng)
    covered = intervals(rows, by.question.nonconformity, by.question.bounds, by.question.width)
    hours = hourly_returns(
        rows, by.question.stance, horizon_bars=by.horizon_bars, bar=by.bar, params=by.params
    )
    in_set = mcs_p(
        test_losses.drop(columns="best"), sample.hour, sample.block, by.params.bootstrap, by.params.seed
    )
    best = best_baselines(rows, losses.drop(columns=["model", "best"]))
    block = (
        shared_block(test, test_losses, by.loss, sample, rng)
        | {"mcs_p": in_set["model"]}
        | gains(rows, best, by.question.log_density)
        | coverage_block(rows, covered, by.bar)
        | strategy_block(hours, sample.starts, sample.block, by.bar)
        | {"n_rows": len(test), "n_eff": (sample.hour.max() + 1) / by.horizon_bars}
    )
    tables = breakdown.breakdowns(rows, losses, covered["covered"]) | {
        "forecasts": breakdown.forecasts(test_losses, in_set, partial(compare, sample=sample))
    }
    return Findings(block, tables, hourly_table(test, test_losses, hours))


def hourly_table(test: pd.DataFrame, losses: pd.DataFrame, hours: pd.DataFrame) -> pd.DataFrame:
    """What each hour of the test brought, a row a close_time, in order; means of its symbols.

    Columns: close_time; `market_return` of the next bar; the losses `model`, `naive` and `best`;
    `net_return` and `ref_net_return` of the strategy and its reference.
    """
    means = losses[["model", "naive", "best"]].groupby(test["close_time"]).mean()
    market = test["return_next"].groupby(test["close_time"]).mean()
    returns = hours[["model", "reference"]].set_axis(["net_return", "ref_net_return"], axis=1)
    return pd.concat([market.rename("market_return"), means, returns], axis=1).reset_index()


def make_metrics(
    rows: pd.DataFrame, losses: pd.DataFrame, test: dict[str, float], own_block: dict[str, float], task: str
) -> Metrics:
    """The shared block `test`, four figures of val and train, `overfit_gap_pct` between test and train.

    Then the task's own block under its name, and what each baseline loses.
    """
    val, train = (
        split_block(rows[rows["role"] == role], losses[rows["role"] == role]) for role in ("val", "train")
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

"""What results/metrics.json holds, and the tables beside it: plain numbers in a fixed order."""

import json
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from stages.evaluate import breakdown
from stages.evaluate.calibration import Loss
from stages.evaluate.confidence_set import mcs_p
from stages.evaluate.conformal import coverage_block, intervals
from stages.evaluate.information import gains
from stages.evaluate.params import EvaluateParams
from stages.evaluate.question import Question
from stages.evaluate.shared import role_block, shared_block
from stages.evaluate.significance import sample_of
from stages.evaluate.trading import returns_by_time, strategy_block

Metrics = dict[str, Any]


class Yardstick(NamedTuple):
    """What a test is measured by; `question` and `loss` are the task's."""

    question: Question
    loss: Loss
    horizon_bars: int
    bar: pd.Timedelta
    params: EvaluateParams


class Findings(NamedTuple):
    """The shared block of the test; its figures taken apart; losses and returns of each time of it."""

    shared: dict[str, float]
    tables: dict[str, pd.DataFrame]
    by_time: pd.DataFrame


def judge(rows: pd.DataFrame, losses: pd.DataFrame, best: dict[str, str], yardstick: Yardstick) -> Findings:
    """All that the test rows say; `rows` of `rows.join`, `losses` and `best` of `loss_table`, all roles."""
    question, loss, horizon_bars, bar, params = yardstick
    rng = np.random.default_rng(params.seed)
    in_test = rows["role"] == "test"
    test, test_losses = rows[in_test], losses[in_test]
    sample = sample_of(test, horizon_bars, bar, params.bootstrap, rng)
    covered = intervals(rows, question, horizon_bars * bar)
    returns = returns_by_time(rows, question, horizon_bars=horizon_bars, bar=bar, params=params)
    set_p = mcs_p(
        test_losses.drop(columns="best"), sample.time, sample.block, params.bootstrap, params.seed
    )
    block = (
        shared_block(test, test_losses, loss, sample, rng)
        | {"mcs_p": set_p["network"]}
        | gains(rows, best, question.log_density)
        | coverage_block(rows, covered, bar)
        | strategy_block(returns, sample.starts, sample.block, bar)
        | {"n_rows": len(test), "n_eff": (sample.time.max() + 1) / horizon_bars}
    )
    tables = breakdown.breakdowns(rows, losses, covered["covered"], best) | {
        "forecasts": breakdown.forecasts(test_losses, set_p, sample)
    }
    return Findings(block, tables, table_by_time(test, test_losses, returns))


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

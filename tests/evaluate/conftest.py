"""What label, baseline and train leave, made up in memory: forecasts of a known worth."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

from stages.common.task import TASKS
from stages.evaluate.losses import loss_table
from stages.evaluate.params import EvaluateParams
from stages.evaluate.question import question_of
from stages.evaluate.rows import join, opponents


class Inputs(NamedTuple):
    """The three tables that evaluate joins."""

    predictions: pd.DataFrame
    labels: pd.DataFrame
    baselines: pd.DataFrame


MakeInputs = Callable[..., Inputs]
Compared = tuple[pd.DataFrame, pd.DataFrame]


def made_up(
    task: str,
    n_times: int = 600,
    symbols: Sequence[str] = ("BTC-USDT", "ETH-USDT"),
    knowledge: float = 0.5,
    seed: int = 1,
) -> Inputs:
    """Two folds of 150 test and 100 val times; the network foretells a share `knowledge` of what can be.

    Of classes logit p of y is 2 z, of amounts ln y is -5 + .5 z + noise; the network's delta is that
    share of the part with z. The second baseline knows a tenth of it.
    """
    rng = np.random.default_rng(seed)
    predictions, labels, baselines = [], [], []
    times = pd.date_range("2022-01-03 01:00", periods=n_times, freq="h", tz="UTC", unit="ms")
    for symbol in symbols:
        z, noise = rng.standard_normal(n_times), 0.2 * rng.standard_normal(n_times)
        if TASKS[task].classes:
            y = (rng.random(n_times) < 1 / (1 + np.exp(-2 * z))).astype(float)
            benchmark, part, second = np.full(n_times, 0.5), 2 * z, "base_rate_90d"
        else:
            y = np.exp(-5 + 0.5 * z + noise)
            benchmark, part, second = np.full(n_times, np.exp(-4.85)), 0.5 * z, "har"
        link, inverse = TASKS[task].link, TASKS[task].inverse
        score = link(benchmark) + knowledge * part
        label = {"symbol": symbol, "close_time": times, "y": y, "return_to_end": 2 * y - 1 + noise}
        label |= {"label_end": times + pd.Timedelta(hours=14), "return_next": noise / 100, "atr": 0.01}
        labels.append(pd.DataFrame(label))
        table = pd.DataFrame({"symbol": symbol, "close_time": times, "benchmark": benchmark})
        table[second] = inverse(link(benchmark) + 0.1 * part)
        table["sizing_atr"], table["return_per_atr"] = np.exp(-5), 0.8
        table.loc[:29, ["benchmark", second, "sizing_atr", "return_per_atr"]] = np.nan
        baselines.append(table)
        predictions += fold_predictions(symbol, times, score)
    return Inputs(*(pd.concat(tables, ignore_index=True) for tables in (predictions, labels, baselines)))


def fold_predictions(
    symbol: str, times: pd.DatetimeIndex, score: NDArray[np.float64]
) -> list[pd.DataFrame]:
    """A symbol's rows of train, val and test in two folds; the train rows of both overlap."""
    tables = []
    for fold, end in (("1", len(times) - 150), ("2", len(times))):
        roles = {"train": (0, end - 250), "val": (end - 250, end - 150), "test": (end - 150, end)}
        for role, (first, last) in roles.items():
            part = slice(first, last)
            tables.append(
                pd.DataFrame(
                    {
                        "symbol": symbol,
                        "close_time": times[part],
                        "fold": fold,
                        "role": role,
                        "raw_score": score[part],
                        "score": score[part],
                    }
                )
            )
    return tables


@pytest.fixture
def make_inputs() -> MakeInputs:
    """`make_inputs(task, n_times=600, symbols=..., knowledge=.5, seed=1)` gives evaluate's three tables."""
    return made_up


def rows_and_losses(inputs: Inputs, task: str) -> Compared:
    """What `__main__` makes of its inputs."""
    question = question_of(task)
    rows = join(*inputs, TASKS[task])
    losses, _ = loss_table(rows, opponents(inputs.baselines), TASKS[task].loss)
    return rows.assign(event=question.event, surprise=question.surprise), losses


@pytest.fixture
def compared() -> Callable[[Inputs, str], Compared]:
    """`compared(inputs, task)` gives the joined rows and their losses."""
    return rows_and_losses


@pytest.fixture
def params() -> EvaluateParams:
    """Few replicates, and the strategy as params.yaml has it."""
    return EvaluateParams(
        bootstrap=100,
        seed=1,
        cost_bps=5.0,
        target_volatility_pct=20.0,
        max_position=2.0,
        no_trade_band=0.1,
    )

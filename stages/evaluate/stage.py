"""What the forecasts were worth, against the benchmark and against the best baseline."""

from typing import NamedTuple

import pandas as pd

from stages.common.bars import bar_length
from stages.common.tables import Tables
from stages.common.task import TASKS
from stages.evaluate.curves import make_tables
from stages.evaluate.losses import loss_table
from stages.evaluate.metrics import Metrics, Yardstick, judge, make_metrics, rounded
from stages.evaluate.question import question_of
from stages.evaluate.rows import join, opponents
from stages.evaluate.trading import YEAR
from stages.params import Params


class Evaluation(NamedTuple):
    """`metrics`, as results/metrics.json has them; `tables` behind the plots, by name.

    `test`: the test rows. `by_time`: losses and returns of each time of the test, as float32. `n_lost`:
    forecasts left out for want of a baseline's.
    """

    metrics: Metrics
    tables: dict[str, pd.DataFrame]
    test: pd.DataFrame
    by_time: pd.DataFrame
    n_lost: int


def evaluate(predictions: pd.DataFrame, labels: Tables, baselines: Tables, params: Params) -> Evaluation:
    """Judge the forecasts of all folds. Raises InputError as `join` and `loss_table` do."""
    task, question = TASKS[params.task], question_of(params.task)
    bar = bar_length(params.fetch.timeframe)
    yardstick = Yardstick(question, task.loss, params.label.horizon, bar, params.evaluate)
    classics = in_one(baselines)
    rows = join(predictions, in_one(labels), classics, task)
    losses, best = loss_table(rows, opponents(classics), task.loss)
    rows = rows.assign(event=question.event, surprise=question.surprise)
    findings = judge(rows, losses, best, yardstick)
    test = rows[rows["role"] == "test"]
    own_block = question.block(test, YEAR / bar)
    return Evaluation(
        metrics=rounded(make_metrics(rows, losses, findings.shared, own_block, params.task)),
        tables=findings.tables | make_tables(test, question),
        test=test,
        by_time=findings.by_time,
        n_lost=len(predictions) - len(rows),
    )


def in_one(tables: Tables) -> pd.DataFrame:
    """The tables of all symbols in one, with `symbol`."""
    parts = [table.assign(symbol=symbol) for symbol, table in tables.items()]
    return pd.concat(parts, ignore_index=True)

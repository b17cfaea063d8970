"""A run's test rows: what each lost, whether its set held the outcome, and what was earned."""

from typing import NamedTuple

import pandas as pd

from stages.common.tables import Tables
from stages.common.task import TASKS
from stages.evaluate.conformal import intervals
from stages.evaluate.information import information
from stages.evaluate.losses import loss_table
from stages.evaluate.question import question_of
from stages.evaluate.rows import KEYS, join, opponents
from stages.evaluate.stage import in_one
from stages.evaluate.trading import returns_by_time
from stages.params import Params


class Scored(NamedTuple):
    """`rows`: symbol, close_time, y; losses network, benchmark and best; info; covered, width.

    `info`: log density of y under the forecast less that under the benchmark, in nats. `money`: net return
    and utility of each close_time of the test, its index; columns `net`, `utility`. `horizon_bars`: how far
    ahead the question looks. `bar`: how long a bar is.
    """

    rows: pd.DataFrame
    money: pd.DataFrame
    horizon_bars: int
    bar: pd.Timedelta


def score(predictions: pd.DataFrame, labels: Tables, baselines: Tables, params: Params) -> Scored:
    """By the functions that evaluate scores with. Raises InputError as `join` and `loss_table` do."""
    task, question = TASKS[params.task], question_of(params.task)
    horizon_bars, bar = params.label.horizon, params.fetch.bar
    classics = in_one(baselines)
    rows = join(predictions, in_one(labels), classics, task)
    losses, _ = loss_table(rows, opponents(classics), task.loss)
    sets = intervals(rows, question, horizon_bars * bar)
    money = returns_by_time(rows, question, horizon_bars=horizon_bars, bar=bar, params=params.evaluate)
    info = information(rows, question.log_density)
    columns = rows[[*KEYS, "y"]].assign(info=info).join(losses[["network", "benchmark", "best"]])
    return Scored(
        columns[rows["role"] == "test"].join(sets[["covered", "width"]]),
        money[["network", "network_utility"]].set_axis(["net", "utility"], axis=1),
        horizon_bars,
        bar,
    )

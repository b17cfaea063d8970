"""What the forecasts were worth, against the benchmark and against the best baseline."""

from typing import NamedTuple

import numpy as np
import pandas as pd

from stages.common.bars import bar_length
from stages.common.tables import Tables
from stages.common.task import TASKS
from stages.evaluate import breakdown
from stages.evaluate.confidence_set import mcs_p
from stages.evaluate.conformal import coverage_block, intervals
from stages.evaluate.curves import make_tables, pictured
from stages.evaluate.evidence import evidence_rows, newest_best
from stages.evaluate.figures import Figure
from stages.evaluate.information import gains, information
from stages.evaluate.losses import loss_table
from stages.evaluate.margins import Margins, margins
from stages.evaluate.metrics import Metrics, make_metrics, rounded, table_by_time
from stages.evaluate.question import question_of
from stages.evaluate.risk import FIGURES, risk_block
from stages.evaluate.rows import join, opponents
from stages.evaluate.shared import shared_block
from stages.evaluate.significance import sample_of
from stages.evaluate.trading import YEAR, returns_by_time, strategy_block
from stages.params import Params


class Findings(NamedTuple):
    """The shared block of the test; its figures taken apart; losses and returns of each time of it.

    `pictured`, `margins`: what the report shows besides, as `curves.pictured` and `margins` have it.
    """

    shared: dict[str, float]
    tables: dict[str, pd.DataFrame]
    by_time: pd.DataFrame
    pictured: dict[str, pd.DataFrame]
    margins: Margins


class Evaluation(NamedTuple):
    """`metrics`, as results/metrics.json has them; `tables` behind the plots, by name.

    `pictured`, `margins`: of `Findings`. `test`: the test rows. `by_time`: losses and returns of each time
    of the test, as float32. `evidence`, `best`: of `evidence_rows` and `newest_best`. `n_lost`: forecasts
    left out for want of a baseline's.
    """

    metrics: Metrics
    tables: dict[str, pd.DataFrame]
    pictured: dict[str, pd.DataFrame]
    margins: Margins
    test: pd.DataFrame
    by_time: pd.DataFrame
    evidence: pd.DataFrame
    best: str
    n_lost: int


def evaluate(predictions: pd.DataFrame, labels: Tables, baselines: Tables, params: Params) -> Evaluation:
    """Judge the forecasts of all folds. Raises InputError as `join` and `loss_table` do."""
    task, question = TASKS[params.task], question_of(params.task)
    classics = in_one(baselines)
    rows = join(predictions, in_one(labels), classics, task)
    losses, best = loss_table(rows, opponents(classics), task.loss)
    rows = rows.assign(event=question.event, surprise=question.surprise)
    findings = judge(rows, losses, best, params)
    test = rows[rows["role"] == "test"]
    return Evaluation(
        metrics=rounded(make_metrics(rows, losses, findings.shared, own_block(rows, params), params.task)),
        tables=findings.tables | make_tables(test, question),
        pictured=findings.pictured,
        margins=findings.margins,
        test=test,
        by_time=findings.by_time,
        evidence=evidence_rows(rows, question, params.label.horizon),
        best=newest_best(rows, losses),
        n_lost=len(predictions) - len(rows),
    )


def judge(rows: pd.DataFrame, losses: pd.DataFrame, best: dict[str, str], params: Params) -> Findings:
    """All that the test rows say; `rows` of `rows.join`, `losses` and `best` of `loss_table`, all roles."""
    question, loss, settings = question_of(params.task), TASKS[params.task].loss, params.evaluate
    horizon_bars, bar = params.label.horizon, bar_length(params.fetch.timeframe)
    rng = np.random.default_rng(settings.seed)
    in_test = rows["role"] == "test"
    test, test_losses = rows[in_test], losses[in_test]
    sample = sample_of(test, horizon_bars, bar, settings.bootstrap, rng)
    sets = intervals(rows, question, horizon_bars * bar)
    returns = returns_by_time(rows, question, horizon_bars=horizon_bars, bar=bar, params=settings)
    set_p = mcs_p(
        test_losses.drop(columns="best"), sample.time, sample.block, settings.bootstrap, settings.seed
    )
    block = (
        shared_block(test, test_losses, loss, sample, rng)
        | {"mcs_p": set_p["network"]}
        | gains(rows, best, question.log_density)
        | coverage_block(rows, sets, bar)
        | strategy_block(returns, sample.starts, sample.block, bar)
        | {"n_rows": len(test), "n_eff": (sample.time.max() + 1) / horizon_bars}
    )
    tables = breakdown.breakdowns(rows, losses, sets["covered"], best) | {
        "forecasts": breakdown.forecasts(test_losses, set_p, sample)
    }
    info = information(rows, question.log_density)[in_test]
    return Findings(
        shared=block,
        tables=tables,
        by_time=table_by_time(test, test_losses, returns),
        pictured=pictured(test, sets, returns, question),
        margins=margins(info, sets["covered"].to_numpy(np.float64), returns, sample.time),
    )


def own_block(rows: pd.DataFrame, params: Params) -> dict[str, float]:
    """The task's own figures of the test rows; `rows` of `rows.join`, all roles."""
    question = question_of(params.task)
    test, known = rows[rows["role"] == "test"], rows[rows["role"] != "train"]
    block = question.block(test, YEAR / bar_length(params.fetch.timeframe))
    if question.tails:
        block |= risk_block(known, question.spread(known, params.label.horizon))
    return block


def own_figures(task: str) -> dict[str, Figure]:
    """What the figures of a task's own block are."""
    question = question_of(task)
    return question.figures | (FIGURES if question.tails else {})


def in_one(tables: Tables) -> pd.DataFrame:
    """The tables of all symbols in one, with `symbol`."""
    parts = [table.assign(symbol=symbol) for symbol, table in tables.items()]
    return pd.concat(parts, ignore_index=True)

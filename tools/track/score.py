"""Recorded forecasts, held against what came."""

from typing import NamedTuple

import numpy as np
import pandas as pd

from stages.common.arrays import Bools, Floats
from stages.common.task import TASKS
from stages.evaluate.conformal import MISSES
from stages.evaluate.question import question_of
from stages.evaluate.risk import ends_apart
from stages.evaluate.shared import balanced_hits
from stages.evaluate.significance import gain_interval, gain_pct
from stages.params import Params
from tools.track.betting import coverage_wealth, gain_wealth

FEWEST = 10  # outcomes that don't overlap, before an interval is told


class Gain(NamedTuple):
    """Percent of an opponent's loss that is saved, with a 90 % interval, as `significance` has it."""

    pct: float
    lo: float
    hi: float


class Score(NamedTuple):
    """What became of the forecasts of a symbol: counts, and figures of the `scored` ones.

    late: recorded after the next bar had closed, or before the candle had; open: the outcome has yet to
    come; lost: it never will, for candles are missing or flat, or begin later than they did. `skill`,
    `edge`: None where too few are scored. `rows`: those scored, with y, covered, and the wealth of both
    bets after each outcome that counts.
    """

    recorded: int
    late: int
    open: int
    lost: int
    scored: int
    skill: Gain | None
    edge: Gain | None
    coverage_pct: float
    hit_rate: float
    bias_pct: float
    rows: pd.DataFrame


def score(entries: pd.DataFrame, labels: pd.DataFrame, params: Params, end: pd.Timestamp) -> Score:
    """The score of one symbol's entries, in order of as_of, all of the question of `params`.

    `labels`: of today's candles, as `label_candles` has them; `end`: when the last of these closed.
    """
    task, bar = TASKS[params.task], params.fetch.bar
    entries = entries.drop_duplicates("as_of")  # the first that was recorded counts
    # By a clock that is slow a forecast is recorded before its candle has closed: nobody knows when it was.
    late = ~entries["recorded_at"].between(entries["as_of"], entries["as_of"] + bar)
    known = entries[~late].merge(labels, left_on="as_of", right_on="close_time", how="left")
    is_open = known["as_of"] + params.label.horizon * bar > end
    rows = known[known["y"].notna()].reset_index(drop=True)
    losses = {
        name: task.loss(rows["y"].to_numpy(), task.link(rows[name].to_numpy(np.float64)))
        for name in ("forecast", "benchmark", "best")
    }
    low, high = (rows[name].astype(np.float64) for name in ("lo", "hi"))  # none, where the set was empty
    rows = rows.assign(covered=(low <= rows["y"]) & (rows["y"] <= high))
    apart, missed = ends_apart(rows), ~rows["covered"].to_numpy(np.bool_)
    rows["coverage_wealth"] = spread_out(coverage_wealth(missed[apart], MISSES), apart)
    bets = gain_wealth(losses["forecast"][apart], losses["benchmark"][apart])
    rows["skill_wealth"] = spread_out(bets, apart)
    gains = [gain(losses["forecast"], losses[name]) for name in ("benchmark", "best")]
    skill, edge = gains if apart.sum() >= FEWEST else (None, None)
    return Score(
        recorded=len(entries),
        late=int(late.sum()),
        open=int(is_open.sum()),
        lost=int((~is_open & known["y"].isna()).sum()),
        scored=len(rows),
        skill=skill,
        edge=edge,
        coverage_pct=100 * float(rows["covered"].mean()) if len(rows) else np.nan,
        hit_rate=hits(rows, params.task),
        bias_pct=100 * float(rows["forecast"].sum() / rows["y"].sum() - 1) if rows["y"].sum() else np.nan,
        rows=rows,
    )


def spread_out(values: Floats, counts: Bools) -> Floats:
    """The values of the rows that count, each until the next one; 1 before the first; shape (n_rows,)."""
    return np.concatenate([[1.0], values])[np.cumsum(counts)]


def gain(loss: Floats, opponent: Floats) -> Gain:
    """What is saved of an opponent's losses; all in order of time, one of each."""
    return Gain(float(gain_pct(loss.sum(), opponent.sum())), *gain_interval(loss, opponent))


def hits(rows: pd.DataFrame, task: str) -> float:
    """`hit_rate` as docs/metrics.md has it; NaN of no rows."""
    if rows.empty:
        return np.nan
    link = TASKS[task].link
    score, benchmark = (link(rows[name].to_numpy(np.float64)) for name in ("forecast", "benchmark"))
    return balanced_hits(score - benchmark, question_of(task).event(rows.assign(benchmark=benchmark)))

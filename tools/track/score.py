"""Recorded forecasts, held against what came."""

from typing import NamedTuple

import numpy as np
import pandas as pd

from stages.common.arrays import Bools, Floats
from stages.common.task import TASKS
from stages.evaluate.conformal import MISSES
from stages.evaluate.risk import ends_apart
from stages.evaluate.significance import Comparison, compare, sample_of
from tools.track.betting import coverage_wealth, gain_wealth

FEWEST = 10  # outcomes, before an interval is told


class Score(NamedTuple):
    """What became of the forecasts of a symbol: counts, and figures of the `scored` ones.

    late: recorded after the next bar had closed; open: the outcome has yet to come; lost: it never will,
    for candles are missing. `skill`, `edge`: None where too few are scored. `rows`: those scored, with y,
    covered, and the wealth of both bets after each outcome that counts.
    """

    recorded: int
    late: int
    open: int
    lost: int
    scored: int
    skill: Comparison | None
    edge: Comparison | None
    coverage_pct: float
    hit_rate: float
    bias_pct: float
    rows: pd.DataFrame


def score(entries: pd.DataFrame, labels: pd.DataFrame, bar: pd.Timedelta, newest: pd.Timestamp) -> Score:
    """The score of one symbol's entries, all of one task and horizon, in order of as_of.

    `labels`: of today's candles, as `label_candles` has them; `newest`: when the last of these closed.
    """
    task, horizon_bars = TASKS[entries["task"].iloc[0]], int(entries["horizon_bars"].iloc[0])
    entries = entries.drop_duplicates("as_of")  # the first that was recorded counts
    late = entries["recorded_at"] > entries["as_of"] + bar
    known = entries[~late].merge(labels, left_on="as_of", right_on="close_time", how="left")
    is_open = known["as_of"] + horizon_bars * bar > newest
    rows = known[known["y"].notna()].reset_index(drop=True)
    losses = {
        name: task.loss(rows["y"].to_numpy(), task.link(rows[name].to_numpy(np.float64)))
        for name in ("forecast", "benchmark", "best")
    }
    low, high = (rows[name].astype(np.float64) for name in ("lo", "hi"))  # none, where the set was empty
    rows = rows.assign(covered=(low <= rows["y"]) & (rows["y"] <= high), fold="1")
    apart, missed = ends_apart(rows), ~rows["covered"].to_numpy(np.bool_)
    rows["coverage_wealth"] = spread_out(coverage_wealth(missed[apart], MISSES), apart)
    bets = gain_wealth(losses["forecast"][apart], losses["benchmark"][apart])
    rows["skill_wealth"] = spread_out(bets, apart)
    skill, edge = (compared(rows, losses, name, horizon_bars, bar) for name in ("benchmark", "best"))
    return Score(
        recorded=len(entries),
        late=int(late.sum()),
        open=int(is_open.sum()),
        lost=int((~is_open & known["y"].isna()).sum()),
        scored=len(rows),
        skill=skill,
        edge=edge,
        coverage_pct=100 * float(rows["covered"].mean()) if len(rows) else np.nan,
        hit_rate=hits(rows, classes=task.classes),
        bias_pct=100 * float(rows["forecast"].sum() / rows["y"].sum() - 1) if rows["y"].sum() else np.nan,
        rows=rows,
    )


def spread_out(values: Floats, counts: Bools) -> Floats:
    """The values of the rows that count, each until the next one; 1 before the first; shape (n_rows,)."""
    return np.concatenate([[1.0], values])[np.cumsum(counts)]


def compared(
    rows: pd.DataFrame, losses: dict[str, Floats], against: str, horizon_bars: int, bar: pd.Timedelta
) -> Comparison | None:
    """The forecast against the benchmark, or the best baseline; None of too few."""
    if len(rows) < FEWEST:
        return None
    sample = sample_of(rows, horizon_bars, bar, 1, np.random.default_rng(1))
    return compare(losses["forecast"], losses[against], sample)


def hits(rows: pd.DataFrame, *, classes: bool) -> float:
    """Share of rows where forecast and outcome lie on the same side of the benchmark; NaN of none."""
    called = rows["forecast"] > rows["benchmark"]
    came = rows["y"] == 1 if classes else rows["y"] > rows["benchmark"]
    differs = rows["forecast"] != rows["benchmark"]
    return float((called == came)[differs].mean()) if differs.any() else np.nan

"""Sets that hold nine outcomes of ten, whatever the forecast is worth: adaptive conformal prediction.

A set is what lies between two bounds of the nonconformity, which says how badly an outcome fits its
forecast and is the task's own matter. The bounds are ranks among the rows of the last 90 days: rolling
split conformal, Lei et al. (2018), JASA 113(523). Each miss makes the next sets wider and each hit
makes them narrower: Gibbs and Candes (2021), NeurIPS 34. So the share of hits is right in the long run
even of a bad forecast: it is the width that tells forecasts apart.
"""

from bisect import bisect_left, insort
from collections.abc import Callable

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from stages.common.arrays import Floats
from stages.evaluate.question import Question

Times = NDArray[np.datetime64]
# Lowest and highest nonconformity in a set, of past ones in rising order and the share that may miss.
Bounds = Callable[[list[float], float], tuple[float, float]]

MISSES = 0.1
QUARTER = pd.Timedelta(days=90)
HORIZONS = 20  # that ranks go back at least: where bars are days, 90 of them hold few answers
MONTH = pd.Timedelta(days=30)


def intervals(rows: pd.DataFrame, question: Question, horizon: pd.Timedelta) -> pd.DataFrame:
    """The set of each test row: `covered` (bool), `width` (the task's unit, finite), `least`, `greatest`.

    The last two: its least and greatest outcome, NaN where it is empty. Index as in `rows`.
    `rows` as `rows.join` gives them, with a unique index, in any order. A fold's symbol is walked on its
    own, through val, which only warms up, and then test.
    """
    known = rows[rows["role"] != "train"]
    tables = []
    for _, group in known.groupby(["fold", "symbol"]):
        part = group.sort_values("close_time")
        misfit = question.nonconformity(part)
        lo, hi = bounds_of(part, misfit, question, horizon)
        least, greatest = question.outcomes(part["forecast"].to_numpy(np.float64), lo, hi)
        columns = {"covered": (lo <= misfit) & (misfit <= hi), "width": question.width(part, lo, hi)}
        columns |= {"least": least, "greatest": greatest}
        tables.append(pd.DataFrame(columns, index=part.index))
    return pd.concat(tables).loc[rows.index[rows["role"] == "test"]]


def bounds_of(
    rows: pd.DataFrame, misfit: Floats, question: Question, horizon: pd.Timedelta
) -> tuple[Floats, Floats]:
    """Lowest and highest nonconformity in the set of each row; each of shape (n_rows,).

    `rows`, of one symbol in order of time: close_time; label_end, NaT where it has yet to come. `misfit`:
    the nonconformity, whatever it is where the label has yet to come. Ranks go back 90 days, or 20 of
    `horizon`. The set at row t rests on rows whose horizon had passed by its close, for before that
    nobody knows whether a gap will take the label away, even if y is told sooner.
    """
    memory = max(QUARTER, HORIZONS * horizon).to_timedelta64()
    close = rows["close_time"].to_numpy("datetime64[ms]")
    # What has yet to come is never ranked.
    end = close + np.where(rows["label_end"].isna(), memory, horizon.to_timedelta64())
    return walk(misfit, close, end, question.bounds, gamma=question.gamma, memory=memory)


def walk(
    misfit: Floats, close: Times, end: Times, bounds: Bounds, *, gamma: float, memory: np.timedelta64
) -> tuple[Floats, Floats]:
    """Lowest and highest nonconformity in each row's set; each of shape (n_rows,).

    `misfit`: the nonconformity of what came, in order of `close`; known from `end` on, which is later
    than `close`. Row t ranks the rows with `end` up to close[t] and `close` within `memory` before.
    The share that may miss starts at .1; when a row's label ends, in order of `end`, it moves by
    gamma (.1 - missed). A row that had none to rank has whatever `bounds` makes of an empty list, and
    doesn't move it. A row whose label takes as long as `memory` is never ranked, and doesn't either.
    """
    ranks = end - close < memory
    by_close, by_end = np.flatnonzero(ranks), np.lexsort([close, end])
    by_end = by_end[ranks[by_end]]
    ended = np.split(by_end, np.searchsorted(end[by_end], close, side="right"))
    gone = np.split(by_close, np.searchsorted(close[by_close] + memory, close, side="right"))

    values, alpha, ranked = misfit.tolist(), MISSES, list[float]()
    lo, hi, had_ranks = np.zeros(len(misfit)), np.zeros(len(misfit)), np.zeros(len(misfit), np.bool_)
    for row in range(len(misfit)):
        for past in ended[row]:
            if had_ranks[past]:
                alpha += gamma * (MISSES - (not lo[past] <= values[past] <= hi[past]))
            insort(ranked, values[past])
        for past in gone[row]:
            del ranked[bisect_left(ranked, values[past])]
        had_ranks[row] = bool(ranked)
        lo[row], hi[row] = bounds(ranked, alpha)
    return lo, hi


def coverage_block(rows: pd.DataFrame, intervals: pd.DataFrame, bar: pd.Timedelta) -> dict[str, float]:
    """Share of test rows covered, in percent, that of the worst 30 days, and the mean width.

    Thirty days are as many bars that have rows, on end though other folds or a gap lie between, or the
    whole test if it is shorter; there, the symbols of a time count as one.
    """
    times = rows.loc[intervals.index, "close_time"]
    by_time = intervals["covered"].groupby(times).mean().to_numpy()
    n_bars = min(max(1, round(MONTH / bar)), len(by_time))
    running = np.concatenate([[0.0], np.cumsum(by_time)])
    return {
        "coverage_90_pct": float(100 * intervals["covered"].mean()),
        "worst_30d_pct": float(100 * (running[n_bars:] - running[:-n_bars]).min() / n_bars),
        "width": float(intervals["width"].mean()),
    }

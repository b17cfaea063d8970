"""Better, worse, no difference worth having, or can't tell: one run's test rows against another's.

Both are compared on the rows that both scored. Where the question is the same, and so is what came, the
losses are compared by the pipeline's own Diebold-Mariano test and interval. Where it isn't, losses are of
different kinds, and the skill over each one's benchmark is compared by a block bootstrap.
"""

from collections.abc import Mapping
from typing import Literal, NamedTuple

import numpy as np
import pandas as pd

from stages.common.arrays import Floats, Ints
from stages.evaluate.rows import KEYS
from stages.evaluate.significance import (
    MIN_BLOCKS,
    block_bars,
    block_starts,
    dm_p,
    full_block_bars,
    gain_interval,
    gain_pct,
    resampled_sums,
)
from stages.evaluate.trading import YEAR, sharpe_of_sums
from tools.compare.scored import Scored

Verdict = Literal["better", "worse", "no difference worth having", "can't tell"]
Unit = Literal["% of the loss", "points of skill"]
Why = Literal[
    "",
    "no test row was scored by both",
    "their candles aren't equally long",
    "the test rows of one of them aren't here",
]
Sums = dict[str, Floats]  # over each time's symbols, or over a replicate's times, by column

REPLICATES, SEED = 2000, 1
LEVEL = 0.05  # of the two-sided test by which one is called better or worse


class Range(NamedTuple):
    """A figure of both runs on their common rows, and the difference with its 90 % interval."""

    a: float
    b: float
    difference: float
    lo: float
    hi: float


class Answer(NamedTuple):
    """The verdict on b against a, and what it rests on.

    why: nothing can be compared; else empty. gain, lo, hi: of `unit`: percent of a's loss that b saves, or
    points of skill that b has more, with a 90 % interval; p: two-sided. They are None where nothing can
    be compared, or nothing differs. n_rows, n_hours: common rows and their times; n_blocks: these times
    in blocks of four weeks, or two horizons. identical: both lose the same on every row. ranges: by key
    of metrics.json's `test`.
    """

    verdict: Verdict = "can't tell"
    why: Why = ""
    unit: Unit = "% of the loss"
    gain: float | None = None
    lo: float | None = None
    hi: float | None = None
    p: float | None = None
    n_rows: int = 0
    n_hours: int = 0
    n_blocks: float = 0.0
    identical: bool = False
    ranges: Mapping[str, Range] = {}


def answer(a: Scored, b: Scored, *, same_task: bool, worth: float) -> Answer:
    """What b is against a; `worth`: the least difference worth having, in percent."""
    if a.bar != b.bar:
        return Answer(why="their candles aren't equally long")
    horizon_bars, bar = max(a.horizon_bars, b.horizon_bars), b.bar
    common = a.rows.merge(b.rows, on=KEYS, suffixes=("_a", "_b"), validate="1:1")
    if common.empty:
        return Answer(why="no test row was scored by both")
    sums = sums_by_time(common, a.money, b.money)
    n_hours = len(sums["times"])
    same = same_task and np.array_equal(common["y_a"], common["y_b"])
    starts, block = sample(n_hours, horizon_bars, bar)
    replicates = {name: resampled_sums(values, starts, block) for name, values in sums.items()}
    found = Answer(
        unit="% of the loss" if same else "points of skill",
        n_rows=len(common),
        n_hours=n_hours,
        n_blocks=n_hours / full_block_bars(horizon_bars, bar),
        ranges=ranges(sums, replicates, bar),
    )
    if same and np.array_equal(common["network_a"], common["network_b"]):
        return found._replace(verdict="no difference worth having", identical=True)
    gain, lo, hi, p = loss_saved(sums) if same else skill_gained(found.ranges["skill_pct"], replicates, bar)
    verdict = judged(gain, lo, hi, p, worth) if found.n_blocks >= MIN_BLOCKS else "can't tell"
    return found._replace(verdict=verdict, gain=gain, lo=lo, hi=hi, p=p)


def judged(gain: float, lo: float, hi: float, p: float, worth: float) -> Verdict:
    """What a difference is called, of a test that is long enough."""
    if -worth < lo and hi < worth:
        return "no difference worth having"
    if p >= LEVEL:
        return "can't tell"
    return "better" if gain > 0 else "worse"


def loss_saved(sums: Sums) -> tuple[float, float, float, float]:
    """Percent of a's loss that b saves, its 90 % interval and the two-sided p of "nothing"."""
    one, other = sums["network_a"], sums["network_b"]
    one_sided = dm_p((one - other) / sums["n"])
    return (
        float(gain_pct(other.sum(), one.sum())),
        *gain_interval(other, one),
        2 * min(one_sided, 1 - one_sided),
    )


def skill_gained(skill: Range, replicates: Sums, bar: pd.Timedelta) -> tuple[float, float, float, float]:
    """Points of skill that b has more, and the same; p: twice the share of replicates beyond nil."""
    a, b = (figures(replicates, side, bar)["skill_pct"] for side in "ab")
    beyond = min(float(np.mean(b <= a)), float(np.mean(b >= a)))
    return skill.difference, skill.lo, skill.hi, min(1.0, 2 * max(beyond, 1 / REPLICATES))


def sample(n_times: int, horizon_bars: int, bar: pd.Timedelta) -> tuple[Ints, int]:
    """The bootstrap's blocks: the first time of each, and their length."""
    block = block_bars(n_times, horizon_bars, bar)
    return block_starts(n_times, block, REPLICATES, np.random.default_rng(SEED)), block


def sums_by_time(common: pd.DataFrame, money_a: pd.DataFrame, money_b: pd.DataFrame) -> Sums:
    """Sums over each time's symbols, in order of time; `n`: their number; `times`: 1; money as it is."""
    numbers = common.drop(columns=["symbol"]).groupby("close_time").sum()
    found = {str(name): numbers[name].to_numpy(np.float64) for name in numbers}
    found["n"] = common.groupby("close_time").size().to_numpy(np.float64)
    found["times"] = np.ones(len(numbers))
    for side, money in (("a", money_a), ("b", money_b)):
        net, utility = money.loc[numbers.index, ["net", "utility"]].to_numpy(np.float64).T
        found |= {f"net_{side}": net, f"square_{side}": net**2, f"utility_{side}": utility}
    return found


def ranges(sums: Sums, replicates: Sums, bar: pd.Timedelta) -> dict[str, Range]:
    """Each figure of both runs with the interval of the difference: a paired circular block bootstrap."""
    whole = {name: np.array(values.sum()) for name, values in sums.items()}
    (one, other), (ones, others) = (
        [figures(each, side, bar) for side in "ab"] for each in (whole, replicates)
    )
    found = {}
    for key in one:
        lo, hi = np.quantile(others[key] - ones[key], [0.05, 0.95])
        a, b = float(one[key]), float(other[key])
        found[key] = Range(a, b, b - a, float(lo), float(hi))
    return found


def figures(sums: Sums, side: str, bar: pd.Timedelta) -> dict[str, Floats]:
    """Keys of metrics.json that are made of sums, of run a or b; elementwise."""
    of = {name.removesuffix(f"_{side}"): values for name, values in sums.items()}
    n, n_times = of["n"], of["times"]
    return {
        "skill_pct": gain_pct(of["network"], of["benchmark"]),
        "edge_pct": gain_pct(of["network"], of["best"]),
        "info_gain_mnats": 1000 * of["info"] / n,
        "coverage_90_pct": 100 * of["covered"] / n,
        "width": of["width"] / n,
        "net_sharpe": sharpe_of_sums(of["net"], of["square"], n_times, YEAR / bar),
        "utility_bps": of["utility"] / n_times,
    }

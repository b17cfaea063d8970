"""Better, worse, no difference worth having, or can't tell: one run's test rows against another's.

Both are compared on the rows that both scored. Where the question is the same, and so is what came, the
losses are compared by the pipeline's own Diebold-Mariano test and interval. Where it isn't, losses are of
different kinds, and the skill over each one's benchmark is compared.

Differences of figures have intervals by the delta method, with the same long-run variance. A bootstrap of
blocks of four weeks would do for errors that last for days. Where they last for weeks, it calls equal
forecasts different in a fifth of all pairs.
"""

from collections.abc import Mapping
from typing import Literal, NamedTuple

import numpy as np
import pandas as pd
from scipy.special import stdtr

from stages.common.arrays import Floats
from stages.evaluate.rows import KEYS
from stages.evaluate.significance import (
    MIN_BLOCKS,
    cosines,
    dm_p,
    full_block_bars,
    gain_interval,
    gain_pct,
    margin,
    standard_error,
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
Sums = dict[str, Floats]  # over each time's symbols, by column; or their means over times

MONEY = ("net_sharpe", "utility_bps")
ROUNDING = 1e-9
LEVEL = 0.05  # of the two-sided test by which one is called better or worse


class Range(NamedTuple):
    """A figure of both runs on their common rows; the difference, its 90 % interval and two-sided p."""

    a: float
    b: float
    difference: float
    lo: float
    hi: float
    p: float


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
    same = same_task and np.allclose(common["y_a"], common["y_b"], rtol=1e-9, atol=0)
    found = Answer(
        unit="% of the loss" if same else "points of skill",
        n_rows=len(common),
        n_hours=n_hours,
        n_blocks=n_hours / full_block_bars(horizon_bars, bar),
        ranges=ranges(sums, bar, traded=set(a.rows["symbol"]) == set(b.rows["symbol"])),
    )
    long_enough = found.n_blocks >= MIN_BLOCKS
    if same and np.array_equal(common["network_a"], common["network_b"]):
        whole = len(common) == len(a.rows) == len(b.rows)
        verdict: Verdict = "no difference worth having" if whole or long_enough else "can't tell"
        return found._replace(verdict=verdict, identical=True)
    skill = found.ranges["skill_pct"]
    gain, lo, hi, p = loss_saved(sums) if same else (skill.difference, skill.lo, skill.hi, skill.p)
    verdict = judged(lo, hi, p, worth) if long_enough else "can't tell"
    return found._replace(verdict=verdict, gain=gain, lo=lo, hi=hi, p=p)


def judged(lo: float, hi: float, p: float, worth: float) -> Verdict:
    """What a difference is called, of a test that is long enough.

    Interval and test must agree: with symbols that come and go they weigh times differently.
    """
    if -worth < lo and hi < worth:
        return "no difference worth having"
    if p < LEVEL and lo > 0:
        return "better"
    return "worse" if p < LEVEL and hi < 0 else "can't tell"


def loss_saved(sums: Sums) -> tuple[float, float, float, float]:
    """Percent of a's loss that b saves, its 90 % interval and the two-sided p of "nothing"."""
    one, other = sums["network_a"], sums["network_b"]
    one_sided = dm_p((one - other) / sums["n"])
    return (
        float(gain_pct(other.sum(), one.sum())),
        *gain_interval(other, one),
        2 * min(one_sided, 1 - one_sided),
    )


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


def ranges(sums: Sums, bar: pd.Timedelta, *, traded: bool) -> dict[str, Range]:
    """Each figure of both runs, with what is known of the difference.

    By the delta method: the figures are functions of means over times, so that the difference moves as a
    weighted sum of these does. Its long-run variance is that of the pipeline's test, of eight cosines and
    with their t distribution. `traded`: whether both traded the same symbols; else money isn't compared.
    Source: van der Vaart (1998), Asymptotic Statistics, ch. 3.
    """
    values = np.column_stack(list(sums.values()))
    means = values.mean(axis=0)
    # Of each column the step by which the slopes are taken: small against how much it varies.
    steps = 1e-4 * values.std(axis=0)
    above, below = (
        [differences(dict(zip(sums, means + sign * step, strict=True)), bar) for step in np.diag(steps)]
        for sign in (1, -1)
    )
    n_times, found = len(values), {}
    for key, (a, b) in pairs(dict(zip(sums, means, strict=True)), bar).items():
        rise = np.array([up[key] - down[key] for up, down in zip(above, below, strict=True)])
        slopes = np.divide(rise, 2 * steps, out=np.zeros(len(steps)), where=steps > 0)
        error = standard_error((values - means) @ slopes)
        if error < ROUNDING * max(abs(a), 1.0):  # both are the same function of the same columns
            error = 0.0
        half = margin(error, n_times)
        p = float(2 * stdtr(cosines(n_times), -abs(b - a) / error)) if error > 0 else float(a == b)
        found[key] = Range(a, b, b - a, b - a - half, b - a + half, p)
    return found if traded else {key: each for key, each in found.items() if key not in MONEY}


def differences(means: Sums, bar: pd.Timedelta) -> dict[str, float]:
    """Each figure of b less that of a."""
    return {key: b - a for key, (a, b) in pairs(means, bar).items()}


def pairs(means: Sums, bar: pd.Timedelta) -> dict[str, tuple[float, float]]:
    """Each figure of a and of b."""
    one, other = (figures(means, side, bar) for side in "ab")
    return {key: (float(one[key]), float(other[key])) for key in one}


def figures(sums: Sums, side: str, bar: pd.Timedelta) -> dict[str, Floats]:
    """Keys of metrics.json that are made of sums, or of means, of run a or b."""
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

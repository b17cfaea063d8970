"""The controls: what is run, what is counted, and what must come out."""

from collections.abc import Callable
from operator import itemgetter
from typing import NamedTuple

import numpy as np
from scipy.stats import binomtest, t

from stages.common.arrays import Floats
from stages.common.task import TASKS
from tools.controls.market import Market
from tools.controls.runs import ControlRun, EqualRun, Figures, MarketRun

# Past returns foretell a part of the next, more and more; variance remembers more and more.
PREDICTABLE = {f"drift_signal {drift}": Market(drift_signal=drift) for drift in (0.05, 0.1, 0.2, 0.3, 0.4)}
REMEMBERING = {
    f"volatility_memory {memory}": Market(volatility_memory=memory)
    for memory in (0.05, 0.1, 0.15, 0.25, 1.0)
}
ERROR_MEMORIES = {"a day": 24, "a week": 168, "a month": 720}
# Half-widths of its interval, of the oracle's skill: from here on the network must see it too.
VISIBLE = 4.0

Figure = Callable[[Figures], float]


class Estimate(NamedTuple):
    """A share or a mean over runs, with its 95 % interval; in percent."""

    pct: float
    lo: float
    hi: float


class Rule(NamedTuple):
    """What must be."""

    text: str
    holds: Callable[[Estimate], bool]


class Line(NamedTuple):
    """A line of the table: a figure of a run, over all seeds.

    `oracle`: the run whose skill decides whether the rule applies; none: it always does.
    """

    control: str
    setting: str
    counted: str
    run: ControlRun
    figure: Figure
    estimate: Callable[[Floats], Estimate]
    rule: Rule | None = None
    oracle: ControlRun | None = None


def share(counted: Floats) -> Estimate:
    """Share of runs that count, each 1 or 0; `counted` has shape (n_runs,).

    The interval is the exact one: Clopper and Pearson (1934), Biometrika 26(4).
    """
    interval = binomtest(int(counted.sum()), len(counted)).proportion_ci(0.95, method="exact")
    return Estimate(100 * float(counted.mean()), 100 * interval.low, 100 * interval.high)


def mean(values: Floats) -> Estimate:
    """Mean over runs, of figures in percent, with Student's t interval; of one run a point."""
    n_runs, centre = len(values), float(values.mean())
    error = values.std(ddof=1) / np.sqrt(n_runs) if n_runs > 1 else 0.0
    half = float(t.ppf(0.975, max(1, n_runs - 1)) * error)
    return Estimate(centre, centre - half, centre + half)


SELDOM = Rule("at most 5 %, within error", lambda estimate: estimate.lo <= 5)
MOSTLY = Rule("at least 90 %", lambda estimate: estimate.pct >= 90)
ALWAYS = Rule("at least 95 %", lambda estimate: estimate.pct >= 95)
NINETY = Rule("88 to 92 %", lambda estimate: 88 <= estimate.pct <= 92)
WORST = Rule("at least 84 %", lambda estimate: estimate.pct >= 84)


def signal(figures: Figures) -> float:
    """Whether a signal was called."""
    return float(figures["signal"] == 1)


def edge(figures: Figures) -> float:
    """Whether the best baseline seemed beaten, with or without the signal that an edge also needs."""
    return float(figures["edge_lo"] > 0 and figures["edge_dm_p"] < 0.05)


def null_lines() -> list[Line]:
    """Constant variance and no drift: there is nothing to know."""
    market = Market(volatility_memory=0.0)
    return [
        Line("null", task, f"network, {name}", MarketRun(market, task, "network"), figure, share, SELDOM)
        for task in TASKS
        for name, figure in (("signal 1", signal), ("best baseline beaten", edge))
    ]


def changing_volatility_lines() -> list[Line]:
    """Volatility as calibrated: how much can be known, which way can't."""
    models = (
        ("direction", "volatility alone", SELDOM),
        ("direction", "network", SELDOM),
        ("volatility", "network", ALWAYS),
    )
    return [
        Line(
            "changing_volatility",
            f"{task}, {years} years",
            f"{model}, signal 1",
            MarketRun(Market(years=years), task, model),
            signal,
            share,
            rule,
        )
        for years in (3, 5)
        for task, model, rule in models
    ]


def equal_forecasts_lines() -> list[Line]:
    """Forecasts that are equally bad: how often one is called better."""
    counts: tuple[tuple[str, Figure], ...] = (
        ("verdict 1", lambda figures: float(figures["verdict"] == 1)),
        ("dm_p below .05", lambda figures: float(figures["dm_p"] < 0.05)),
        ("interval above 0", lambda figures: float(figures["lo"] > 0)),
    )
    return [
        Line("equal_forecasts", f"errors last {words}", counted, EqualRun(hours), figure, share, SELDOM)
        for words, hours in ERROR_MEMORIES.items()
        for counted, figure in counts
    ]


def planted_lines(control: str, task: str, markets: dict[str, Market]) -> list[Line]:
    """The curve of detection, beside what an oracle sees that knows what was planted.

    It must be found where it is large enough to be seen.
    """
    lines = []
    for setting, market in markets.items():
        network, oracle = (MarketRun(market, task, model) for model in ("network", "oracle"))
        lines += [
            Line(control, setting, "network, signal 1", network, signal, share, MOSTLY, oracle),
            Line(control, setting, "oracle, signal 1", oracle, signal, share),
        ]
    return lines


def regime_shift_lines() -> list[Line]:
    """Returns twice as large from one hour to the next: the intervals must follow."""
    run = MarketRun(Market(late_scale=2.0), "volatility", "har_hour_of_week")
    return [
        Line("regime_shift", "volatility", counted, run, itemgetter(name), mean, rule)
        for counted, name, rule in (
            ("coverage of 90 % intervals, mean", "coverage_90_pct", NINETY),
            ("coverage in the worst 30 days, mean", "worst_30d_pct", WORST),
        )
    ]


CONTROLS: dict[str, list[Line]] = {
    "null": null_lines(),
    "changing_volatility": changing_volatility_lines(),
    "equal_forecasts": equal_forecasts_lines(),
    "planted_direction": planted_lines("planted_direction", "direction", PREDICTABLE),
    "planted_memory": planted_lines("planted_memory", "volatility", REMEMBERING),
    "regime_shift": regime_shift_lines(),
}

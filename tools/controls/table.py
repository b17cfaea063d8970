"""The page: each line's figure over all seeds, held against what must be."""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from tools import markdown
from tools.controls.plan import VISIBLE, Estimate, Line
from tools.controls.runs import ControlRun, Figures

Results = Mapping[ControlRun, Sequence[Figures]]

HEADER = ["control", "setting", "what is counted", "runs", "result [95 % interval]", "must be", "holds"]
BROKEN = "**no**"  # in place of `yes`

PAGE = """\
# How often do the verdicts err?

Is noise called noise, and signal signal? Here are simulated markets of which the truth is known, each with
many seeds, and how often what was called. `{command}` writes this page.

{table}

The market is the built-in one, hourly, with one symbol, without effects of distance or releases, so that
what the classics know is all there is. The settings are those of `params.yaml`, but for a dense network,
monthly refits, baselines without the slow ones, and four tests that are together long enough for a verdict.
The intervals of shares are exact binomial ones (Clopper and Pearson). "Within error": the interval reaches
down to what must be.

- **null**: constant variance and no drift, so that there is nothing to know. "Best baseline beaten"
  counts the interval and the test of the edge, whether or not there is a signal.
- **changing_volatility**: volatility as calibrated, with martingale returns. "Volatility alone" forecasts
  the direction from ln(forecast of ATR / ATR) and the hour of the week: it knows how much, but not
  which way.
- **equal_forecasts**: two made-up forecasts whose log errors are independent AR(1) series of equal
  variance, compared by QLIKE. Luck alone makes one of them better; the nominal share of each line is 5
  %.
- **planted_direction**: returns that past returns foretell. The oracle knows how. Its mean skill is
  given in mean half-widths of the skill's interval; from {visible:g} on the network must see a signal,
  too.
- **planted_memory**: variance that remembers more and more. The oracle knows how the market was made (each
  component's memory and variance, the week's profile) but sees no more than its candles, through a Kalman
  filter.
- **regime_shift**: log returns of the second half of the tests are twice as large. Coverage is that of
  the intervals around the baseline `har_hour_of_week`.
"""


def page(lines: Sequence[Line], results: Results, command: str) -> str:
    """The whole of docs/controls.md."""
    return PAGE.format(command=command, table=table(lines, results), visible=VISIBLE)


def table(lines: Sequence[Line], results: Results) -> str:
    """Markdown: a row a line that has results."""
    return markdown.table(HEADER, [row(line, results) for line in lines if results.get(line.run)])


def row(line: Line, results: Results) -> list[str]:
    """The cells of a line; nothing must be where even the oracle sees too little."""
    estimate = line.estimate(np.array([line.figure(figures) for figures in results[line.run]]))
    setting, rule = line.setting, line.rule
    if line.oracle is not None:
        seen = visibility(results[line.oracle])
        setting += f" (oracle: {seen:.1f} half-widths)"
        rule = rule if seen >= VISIBLE else None
    must, holds = "-", "-"
    if rule is not None:
        must, holds = rule.text, "yes" if rule.holds(estimate) else BROKEN
    n_runs = str(len(results[line.run]))
    return [line.control, setting, line.counted, n_runs, in_percent(estimate), must, holds]


def n_broken(lines: Sequence[Line], results: Results) -> int:
    """How many lines that have results are not as they must be."""
    return sum(row(line, results)[-1] == BROKEN for line in lines if results.get(line.run))


def visibility(of_oracle: Iterable[Figures]) -> float:
    """Mean skill over the mean half-width of its interval."""
    skill, lo, hi = (
        np.mean([figures[f"skill_{part}"] for figures in of_oracle]) for part in ("pct", "lo", "hi")
    )
    return float(2 * skill / (hi - lo))


def in_percent(estimate: Estimate) -> str:
    """`5.0 % [0.6, 16.9]`."""
    return f"{estimate.pct:.1f} % [{estimate.lo:.1f}, {estimate.hi:.1f}]"

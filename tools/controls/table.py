"""The page: each line's figure over all seeds, held against what must be."""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from tools.controls.plan import VISIBLE, Estimate, Line
from tools.controls.runs import Figures, Run

Results = Mapping[Run, Sequence[Figures]]

HEADER = ["control", "setting", "what is counted", "runs", "result [95 % interval]", "must be", "holds"]

PAGE = """\
# Controls

Is noise called noise, and signal signal? Here are simulated markets of which the truth is known, each with
many seeds, and how often what was called. `{command}` writes this page.

{table}

The market is the built-in one, hourly, with one symbol. The settings are those of `params.yaml`, but for a
dense network, monthly refits, baselines without the slow ones, and four tests that are together long enough
for a verdict. The intervals of shares are exact binomial ones (Clopper and Pearson). "Within error": the
interval reaches down to what must be.

- **null**: constant variance and no drift, so that there is nothing to know.
- **changing_volatility**: the market as it comes, with martingale returns. "Volatility alone" forecasts
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
    rows = [HEADER, ["---"] * len(HEADER)]
    rows += [row(line, results) for line in lines if results.get(line.run)]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in rows)


def row(line: Line, results: Results) -> list[str]:
    """The cells of a line."""
    values = np.array([line.figure(figures) for figures in results[line.run]])
    estimate = line.estimate(values)
    setting = line.setting
    asked = line.rule is not None
    if line.oracle is not None:
        half_widths = visibility(results[line.oracle])
        setting += f" (oracle: {half_widths:.1f} half-widths)"
        asked = asked and half_widths >= VISIBLE
    must, holds = "-", "-"
    if asked and line.rule is not None:
        must, holds = line.rule.text, "yes" if line.rule.holds(estimate) else "**no**"
    return [line.control, setting, line.counted, str(len(values)), in_percent(estimate), must, holds]


def visibility(of_oracle: Iterable[Figures]) -> float:
    """Mean skill over the mean half-width of its interval."""
    skill, lo, hi = (
        np.mean([figures[f"skill_{part}"] for figures in of_oracle]) for part in ("pct", "lo", "hi")
    )
    return float(2 * skill / (hi - lo))


def in_percent(estimate: Estimate) -> str:
    """`5.0 % [0.6, 16.9]`."""
    return f"{estimate.pct:.1f} % [{estimate.lo:.1f}, {estimate.hi:.1f}]"

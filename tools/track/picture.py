"""The record as a picture: forecasts, their sets and what came; below, how coverage and both bets ran."""

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from stages.common.task import TASKS
from stages.evaluate.plots import BLACK, BLUE, GREY, LIGHT, ORANGE, legend_above, tidy
from tools.track.betting import REJECTED

PERCENT = 100.0


def picture(rows: pd.DataFrame, symbol: str, task: str) -> Figure:
    """Three panels over the same time; `rows` of `Score`."""
    figure = Figure(figsize=(9, 8), layout="constrained")
    above, middle, below = figure.subplots(3, 1, sharex=True, height_ratios=[3, 2, 2])
    time = rows["as_of"]
    unit = "probability, %" if TASKS[task].classes else "% of price"
    if not TASKS[task].classes:
        low, high = (PERCENT * rows[name].astype(float) for name in ("lo", "hi"))
        above.fill_between(time, low, high, color=LIGHT, lw=0, label="90 % interval")
    above.plot(time, PERCENT * rows["y"], ".", color=BLACK, ms=3, label="outcome")
    above.plot(time, PERCENT * rows["forecast"], color=BLUE, lw=1.2, label="forecast")
    tidy(above, f"{symbol}: {task}, as it was forecast and as it came", "", unit)
    legend_above(above)

    running = PERCENT * rows["covered"].expanding().mean()
    middle.plot(time, running, color=BLUE, lw=1.2, label="coverage so far")
    middle.axhline(90, color=GREY, lw=1, ls="--", label="promised")
    tidy(middle, "Coverage of 90 % sets", "", "%")
    legend_above(middle)

    below.plot(time, rows["coverage_wealth"], color=ORANGE, lw=1.2, label="against the coverage")
    below.plot(time, rows["skill_wealth"], color=BLUE, lw=1.2, label="against no skill")
    below.axhline(REJECTED, color=GREY, lw=1, ls="--", label="the claim fails at 5 %")
    below.set_yscale("log")
    below.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    tidy(below, "Wealth of who bets against it", "close of the candle, UTC", "times the stake")
    legend_above(below)
    return figure

"""The plots as pictures, drawn from the tables of curves.py; the same input gives the same bytes."""

import re
from io import StringIO
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.dates import DateFormatter
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from stages.evaluate.question import Words

# Okabe and Ito's colours, told apart by colour-blind eyes and in grey. The report changes them with the
# reader's light or dark: so a picture has no other colour.
BLUE, ORANGE, LIGHT, GREY, BLACK, WHITE = "#0072b2", "#d55e00", "#c8c8c8", "#8c8c8c", "#222222", "#ffffff"
STYLE: Any = {
    "svg.fonttype": "none",  # text stays text: it can be searched
    "svg.hashsalt": "barometer",  # names inside the file would be random else
    **dict.fromkeys(
        ["text.color", "axes.labelcolor", "axes.edgecolor", "xtick.color", "ytick.color"], BLACK
    ),
}
WIDE = 7.4  # inches
POINTS = 750  # of a line, at most
TAIL = re.compile(r"(\.\d\d)\d+")


def draw(
    tables: dict[str, pd.DataFrame], words: Words, test: dict[str, float], *, banded: bool
) -> dict[str, Figure]:
    """Every picture by its name in results/figures.

    `tables`: those of the plots, of `curves.pictured`, and `training`. `test`: the shared block. `banded`:
    whether sets are a band around the forecast; those of a yes or no aren't.
    """
    with mpl.rc_context(STYLE):
        return {
            "forecast": forecast(tables["forecast"], tables["band"] if banded else None, words),
            "recent": recent(tables["recent"], words, banded=banded),
            "forecasts": forecasts(tables["forecasts"]),
            "calibration": calibration(tables["calibration"], words),
            "coverage": coverage(tables["coverage"]),
            "folds": folds(tables["folds"]),
            "months": months(tables["months"]),
            "wealth": wealth(tables["wealth"]),
            "training": training(tables["training"]),
            "calls": calls(tables["calls"], tables["scatter"], words, test["ic"]),
        }


def as_svg(figure: Figure) -> str:
    """A picture as SVG, without a date and the name of what drew it, which changes with its version."""
    written = StringIO()
    with mpl.rc_context(STYLE):
        figure.savefig(written, format="svg", metadata={"Date": None, "Creator": None})
    # Coordinates of six digits are twice as long, and no eye sees the difference.
    return re.sub(r' (d|x|y)="[^"]*"', lambda found: TAIL.sub(r"\1", found[0]), written.getvalue())


def canvas(width: float, height: float, *, left: float = 0.8, bottom: float = 0.45) -> Figure:
    """A figure in inches, with room left and below for what stands beside the axes.

    Matplotlib can find out how much room that takes, but draws all of it twice to do so.
    """
    figure = Figure(figsize=(width, height))
    figure.subplots_adjust(left / width, bottom / height, 1 - 0.4 / width, 1 - 0.35 / height)
    return figure


def tidy(axes: Axes, title: str, x: str, y: str) -> None:
    """Title and units; no frame where nothing is read."""
    axes.set_title(title, loc="left", fontsize=11, color=BLACK)
    axes.set_xlabel(x)
    axes.set_ylabel(y)
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(colors=BLACK, labelsize=9)


def legend_above(axes: Axes) -> None:
    """The legend at the right of the title's line, where no data can be."""
    axes.legend(frameon=False, fontsize=9, ncols=3, loc="lower right", bbox_to_anchor=(1, 0.99))


def step(table: pd.DataFrame) -> int:
    """How many days a point of a line stands for: no screen has room for thousands."""
    return -(-len(table) // POINTS)


def by(k: int, table: pd.DataFrame) -> pd.DataFrame:
    """Means of each k rows, but for the date."""
    return table.drop(columns="date").groupby(np.arange(len(table)) // k).mean()


def fill(axes: Axes, time: pd.Series, sets: pd.DataFrame) -> None:
    """The band that nine of ten outcomes lie in."""
    axes.fill_between(time, sets["least"], sets["greatest"], color=LIGHT, alpha=0.5, lw=0, label="90 % set")


def training(table: pd.DataFrame) -> Figure:
    """A panel a fold: train and val loss by epoch, and the lowest loss of val."""
    folds = list(table.groupby("fold", sort=False))
    n_columns, n_rows = min(len(folds), 5), -(-len(folds) // 5)
    figure = canvas(max(5.0, 1.8 * n_columns), 0.6 + 2.4 * n_rows, left=0.95, bottom=0.85)
    figure.subplots_adjust(wspace=0.12, hspace=0.45)
    panels = figure.subplots(n_rows, n_columns, sharey=True, squeeze=False)
    for unused in panels.flat[len(folds) :]:
        unused.set_axis_off()
    for axes, (fold, curve) in zip(panels.flat, folds, strict=False):
        # What is learnt by heart: the gap between the two.
        gap = (curve["train_loss"], curve["val_loss"])
        axes.fill_between(curve["epoch"], *gap, color=LIGHT, alpha=0.5, lw=0, label="gap")
        axes.plot(curve["epoch"], curve["train_loss"], color=ORANGE, marker="o", ms=3, label="train")
        axes.plot(curve["epoch"], curve["val_loss"], color=BLUE, marker="o", ms=3, label="validation")
        least = curve[curve["val_loss"] == curve["val_loss"].min()].iloc[:1]
        axes.plot(least["epoch"], least["val_loss"], "o", ms=9, mfc="none", mec=BLACK, label="lowest")
        tidy(axes, f"fold {fold}" if str(fold).isdigit() else str(fold), "epoch", "")
        axes.xaxis.get_major_locator().set_params(integer=True)
    figure.supylabel("loss, lower is better", fontsize=10)
    figure.legend(*panels.flat[0].get_legend_handles_labels(), frameon=False, ncols=4, loc="lower center")
    return figure


def forecast(table: pd.DataFrame, band: pd.DataFrame | None, words: Words) -> Figure:
    """Forecast, its band and outcome over the test's days, and below it the level: 30-day means."""
    figure = canvas(WIDE, 5.4)
    figure.subplots_adjust(hspace=0.2)
    top, bottom = figure.subplots(2, 1, sharex=True)
    month = table[["forecast", "benchmark", "outcome"]].rolling(min(30, len(table))).mean()
    k = step(table)
    date, month = pd.to_datetime(table["date"])[::k], month[::k]
    if band is not None:
        fill(top, date, by(k, band))
    table = by(k, table)
    top.plot(date, table["outcome"], color=ORANGE, lw=0.8, label="outcome")
    top.plot(date, table["forecast"], color=BLUE, lw=1, label="forecast")
    bottom.plot(date, month["outcome"], color=GREY, lw=2.5, label="outcome")
    bottom.plot(date, month["forecast"], color=BLUE, lw=1.5, label="forecast")
    # Above the forecast, which may be the very same.
    bottom.plot(date, month["benchmark"], color=ORANGE, lw=1.2, ls="--", label="benchmark")
    tidy(top, "Means of a day" if k == 1 else f"Means of {k} days", "", words.unit)
    tidy(bottom, "Means of 30 days", "", words.unit)
    for axes in (top, bottom):
        axes.margins(x=0.01)
        legend_above(axes)
    return figure


def recent(table: pd.DataFrame, words: Words, *, banded: bool) -> Figure:
    """Forecast, its band and outcome of each bar of the last 30 days."""
    figure = canvas(WIDE, 3.2)
    axes = figure.subplots()
    time = table["close_time"]
    if banded:
        fill(axes, time, table)
        axes.plot(time, table["outcome"], color=ORANGE, lw=0.8, label="outcome")
    else:
        axes.plot(time, table["outcome"], "|", color=ORANGE, ms=5, label="outcome")
    axes.plot(time, table["forecast"], color=BLUE, lw=1.2, label="forecast")
    tidy(axes, "The last 30 days, bar by bar", "", words.unit)
    axes.margins(x=0.01)
    axes.xaxis.set_major_formatter(DateFormatter("%d %b"))  # type: ignore[no-untyped-call]
    legend_above(axes)
    return figure


def coverage(table: pd.DataFrame) -> Figure:
    """Share of outcomes that lay in their 90 % sets, means of 30 days; nine of ten is the promise."""
    figure = canvas(WIDE, 2.8)
    axes = figure.subplots()
    axes.axhline(90, color=GREY, lw=1, ls="--", label="promised")
    shown = table[:: step(table)]
    axes.plot(pd.to_datetime(shown["date"]), shown["month"], color=BLUE, lw=1.5, label="held")
    tidy(axes, "Outcomes in their 90 % sets, means of 30 days", "", "%")
    axes.margins(x=0.01)
    legend_above(axes)
    return figure


def wealth(table: pd.DataFrame) -> Figure:
    """Wealth of the strategy, its reference and a constant exposure, after costs; below, what is lost."""
    figure = canvas(WIDE, 4.6)
    figure.subplots_adjust(hspace=0.25)
    top, bottom = figure.subplots(2, 1, sharex=True, height_ratios=[2, 1])
    k = step(table)
    date = pd.to_datetime(table["date"])[::k]
    styles = (("constant", GREY, "-"), ("reference", ORANGE, "--"), ("network", BLUE, "-"))
    for name, colour, style in styles:
        fallen = 100 * (table[name] / np.maximum(table[name].cummax(), 1.0) - 1)
        label = "forecast" if name == "network" else name
        top.plot(date, table[name][::k], color=colour, ls=style, lw=1.2, label=label)
        bottom.plot(date, fallen[::k], color=colour, ls=style, lw=1.2)
    tidy(top, "Wealth after costs", "", "of 1 at the start")
    tidy(bottom, "Below the highest so far", "", "%")
    for axes in (top, bottom):
        axes.margins(x=0.01)
    legend_above(top)
    return figure


def calibration(table: pd.DataFrame, words: Words) -> Figure:
    """Mean outcome against mean forecast, a dot a tenth of the test rows."""
    figure = canvas(4.8, 4.8, bottom=0.6)
    axes = figure.subplots()
    both = table[["forecast", "outcome"]].to_numpy()
    ends = [both.min(), both.max()]
    axes.plot(ends, ends, color=GREY, lw=1, ls="--", label="perfect")
    axes.plot(table["forecast"], table["outcome"], color=BLUE, marker="o", label="a tenth of the rows")
    tidy(axes, "Calibration", f"mean forecast: {words.unit}", f"mean outcome: {words.outcome}")
    legend_above(axes)
    return figure


def folds(table: pd.DataFrame) -> Figure:
    """Skill and edge of each fold, side by side."""
    figure = canvas(max(6.0, 1.2 + 1.15 * len(table)), 3.6, bottom=0.55)
    axes = figure.subplots()
    place = np.arange(len(table))
    for name, shift, colour in (("skill", -0.2, BLUE), ("edge", 0.2, ORANGE)):
        bars = axes.bar(place + shift, table[f"{name}_pct"], width=0.38, color=colour, label=name)
        axes.bar_label(bars, fmt="%.3g", fontsize=8, padding=2)
    axes.axhline(0, color=BLACK, lw=0.8)
    best = table["best_baseline"].str.replace("_", " ")
    names = [f"fold {fold}\n{name}" for fold, name in zip(table["fold"], best, strict=True)]
    axes.set_xticks(place, [*names[:-1], "all folds"])
    axes.margins(y=0.12)
    tidy(axes, "Skill and edge", "", "% of the loss saved")
    legend_above(axes)
    return figure


def forecasts(table: pd.DataFrame) -> Figure:
    """Skill of the network and of each baseline, least loss on top, with its interval."""
    figure = canvas(WIDE, 1.2 + 0.32 * len(table), left=1.5, bottom=0.6)
    axes = figure.subplots()
    place = np.arange(len(table))[::-1]
    reach = [table["skill_pct"] - table["skill_lo"], table["skill_hi"] - table["skill_pct"]]
    axes.errorbar(table["skill_pct"], place, xerr=np.maximum(reach, 0), fmt="none", ecolor=GREY, lw=2)
    for mine, colour in ((True, ORANGE), (False, BLUE)):
        chosen = (table["forecast"] == "network") == mine
        axes.plot(table["skill_pct"][chosen], place[chosen], "o", color=colour)
    axes.axvline(0, color=BLACK, lw=0.8)
    axes.set_yticks(place, table["forecast"].str.replace("_", " "))
    tidy(axes, "Skill of each forecast, 90 % intervals", "% of the benchmark's loss saved", "")
    return figure


def months(table: pd.DataFrame) -> Figure:
    """Skill of each month of the test, the pooled one as a line."""
    figure = canvas(WIDE, 3.2, bottom=0.75)
    axes = figure.subplots()
    each, pooled = table[:-1], table["skill_pct"].iloc[-1]
    place = np.arange(len(each))
    axes.bar(place, each["skill_pct"], color=BLUE)
    axes.axhline(pooled, color=ORANGE, lw=1.5, ls="--", label=f"all months: {pooled:.3g} %")
    axes.axhline(0, color=BLACK, lw=0.8)
    step = -(-len(each) // 16)
    axes.set_xticks(place[::step], each["month"][::step], rotation=45, ha="right")
    axes.margins(x=0.01)
    tidy(axes, "Skill month by month", "", "% of the benchmark's loss saved")
    legend_above(axes)
    return figure


def calls(table: pd.DataFrame, scatter: pd.DataFrame, words: Words, ic: float) -> Figure:
    """What was called against what came, in percent of all test rows, and a scatter beside it."""
    figure = canvas(WIDE, 3.8, bottom=0.6)
    figure.subplots_adjust(wspace=0.3)
    left, right = figure.subplots(1, 2, width_ratios=[1.2, 1])
    shares = table.pivot_table(index="actual", columns="predicted", values="percent")
    kinds, percent = list(shares.columns), shares.to_numpy()
    for (row, column), value in np.ndenumerate(percent):
        # Only the lighter half of the colour: figures stay readable on all of them.
        shade = 0.5 * value / max(percent.max(), 1e-9)
        left.add_patch(Rectangle((column - 0.5, row - 0.5), 1, 1, facecolor=BLUE, alpha=shade, lw=0))
        left.text(column, row, f"{value:.1f}", ha="center", va="center", fontsize=9)
    left.set(xlim=(-0.5, len(kinds) - 0.5), ylim=(-0.5, len(kinds) - 0.5))
    left.set_xticks(np.arange(1, len(kinds)) - 0.5, minor=True)
    left.set_yticks(np.arange(1, len(kinds)) - 0.5, minor=True)
    left.grid(which="minor", color=LIGHT, lw=0.8)
    left.tick_params(which="minor", length=0)
    left.set_xticks(range(len(kinds)), kinds)
    left.set_yticks(range(len(kinds)), kinds)
    tidy(left, words.calls, "predicted", "actual")
    right.plot(scatter["delta"], scatter["surprise"], ".", color=BLUE, ms=3, alpha=0.4)
    right.axhline(0, color=GREY, lw=0.8)
    right.axvline(0, color=GREY, lw=0.8)
    tidy(right, f"Rank correlation {ic:.2f}", words.delta, words.surprise)
    return figure

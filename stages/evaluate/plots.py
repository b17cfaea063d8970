"""The plots as pictures, drawn from the tables of curves.py; the same input gives the same bytes."""

from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from stages.evaluate.question import Words

# Okabe and Ito's colours, told apart by colour-blind eyes and in grey.
BLUE, ORANGE, LIGHT, GREY, BLACK = "#0072B2", "#D55E00", "#C8C8C8", "#8C8C8C", "#222222"


def draw(
    tables: dict[str, pd.DataFrame], scatter: pd.DataFrame, words: Words, test: dict[str, float]
) -> dict[str, Figure]:
    """Every picture by its name in results/figures; `test` is the shared block, quoted in titles."""
    return {
        "training": training(tables["training"]),
        "forecast": forecast(tables["forecast"], words),
        "calibration": calibration(tables["calibration"], words),
        "forecasts": forecasts(tables["forecasts"]),
        "folds": folds(tables["folds"]),
        "months": months(tables["months"]),
        "calls": calls(tables["calls"], scatter, words, test["ic"]),
    }


def save(figure: Figure, path: Path) -> None:
    """Write a PNG without the name of what drew it, which would change with its version."""
    figure.savefig(path, dpi=110, metadata={"Software": None})


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


def training(table: pd.DataFrame) -> Figure:
    """A panel a fold: train and val loss by epoch, and the lowest loss of val."""
    folds = list(table.groupby("fold", sort=False))
    n_columns, n_rows = min(len(folds), 5), -(-len(folds) // 5)
    figure = Figure(figsize=(max(5.0, 2.6 * n_columns), 0.6 + 3 * n_rows), layout="constrained")
    panels = figure.subplots(n_rows, n_columns, sharey=True, squeeze=False)
    for unused in panels.flat[len(folds) :]:
        unused.set_axis_off()
    for axes, (fold, curve) in zip(panels.flat, folds, strict=False):
        axes.plot(curve["epoch"], curve["train_loss"], color=ORANGE, marker="o", ms=3, label="train")
        axes.plot(curve["epoch"], curve["val_loss"], color=BLUE, marker="o", ms=3, label="validation")
        least = curve[curve["val_loss"] == curve["val_loss"].min()].iloc[:1]
        axes.plot(least["epoch"], least["val_loss"], "o", ms=9, mfc="none", mec=BLACK, label="lowest")
        tidy(axes, f"fold {fold}" if str(fold).isdigit() else str(fold), "epoch", "")
        axes.xaxis.get_major_locator().set_params(integer=True)
    figure.supylabel("loss, lower is better", fontsize=10)
    figure.legend(
        *panels.flat[0].get_legend_handles_labels(), frameon=False, ncols=3, loc="outside lower center"
    )
    return figure


def forecast(table: pd.DataFrame, words: Words) -> Figure:
    """Forecast and outcome over the test's days, and below it the level of both: 30-day means."""
    figure = Figure(figsize=(10, 6.4), layout="constrained")
    top, bottom = figure.subplots(2, 1, sharex=True)
    date = pd.to_datetime(table["date"])
    month = table[["forecast", "benchmark", "outcome"]].rolling(min(30, len(table))).mean()
    top.plot(date, table["outcome"], color=LIGHT, lw=2, label="outcome")
    top.plot(date, table["forecast"], color=BLUE, lw=1, label="forecast")
    bottom.plot(date, month["outcome"], color=GREY, lw=2.5, label="outcome")
    bottom.plot(date, month["forecast"], color=BLUE, lw=1.5, label="forecast")
    # Above the forecast, which may be the very same.
    bottom.plot(date, month["benchmark"], color=ORANGE, lw=1.2, ls="--", label="benchmark")
    tidy(top, "Forecast and outcome of the test rows, means of a day", "", words.unit)
    tidy(bottom, "Means of the last 30 days", "", words.unit)
    for axes in (top, bottom):
        axes.margins(x=0.01)
        legend_above(axes)
    return figure


def calibration(table: pd.DataFrame, words: Words) -> Figure:
    """Mean outcome against mean forecast, a dot a tenth of the test rows."""
    figure = Figure(figsize=(5.6, 5.6), layout="constrained")
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
    figure = Figure(figsize=(max(6.0, 1.4 * len(table)), 4), layout="constrained")
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
    tidy(axes, "Skill over the benchmark, edge over the best baseline", "", "% of their loss saved")
    legend_above(axes)
    return figure


def forecasts(table: pd.DataFrame) -> Figure:
    """Skill of the network and of each baseline, least loss on top, with its interval."""
    figure = Figure(figsize=(8, 1.4 + 0.4 * len(table)), layout="constrained")
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
    figure = Figure(figsize=(10, 3.6), layout="constrained")
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
    figure = Figure(figsize=(10, 4.6), layout="constrained")
    left, right = figure.subplots(1, 2)
    shares = table.pivot_table(index="actual", columns="predicted", values="percent")
    kinds, percent = list(shares.columns), shares.to_numpy()
    # Only the lighter half of the colours: black figures stay readable on all of them.
    left.imshow(percent, cmap="Blues", vmin=0, vmax=2 * percent.max(), origin="lower")
    for (row, column), value in np.ndenumerate(percent):
        left.text(column, row, f"{value:.1f} %", ha="center", va="center", color=BLACK)
    left.set_xticks(range(len(kinds)), kinds)
    left.set_yticks(range(len(kinds)), kinds)
    tidy(left, words.calls, "predicted", "actual")
    right.plot(scatter["delta"], scatter["surprise"], ".", color=BLUE, ms=3, alpha=0.4)
    right.axhline(0, color=GREY, lw=0.8)
    right.axvline(0, color=GREY, lw=0.8)
    tidy(right, f"Departure from the benchmark: rank correlation {ic:.2f}", words.delta, words.surprise)
    return figure

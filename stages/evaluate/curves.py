"""The tables behind the plots: small, the same columns for both tasks."""

import numpy as np
import pandas as pd

from stages.common.bars import Ints

CALIBRATION_BINS = 10
CALLS_SHOWN = 1000
SCATTER_SHOWN = 2000


def make_tables(
    test: pd.DataFrame, curves: dict[str, pd.DataFrame], calls_of_test: pd.DataFrame, scale: float
) -> dict[str, pd.DataFrame]:
    """Every table by its name in results/plots; forecasts and outcomes times `scale`."""
    return {
        "training": training(curves),
        "forecast": forecast(test, scale),
        "calibration": calibration(test, scale),
        "calls": calls(calls_of_test),
    }


def training(curves: dict[str, pd.DataFrame]) -> pd.DataFrame:
    """Each fold's epoch, train_loss and val_loss; epoch 0 is the network untrained.

    `fold_epoch` lines the folds up on one axis: 2.5 is the second fold, half-way to the most epochs of
    any fold. DVC draws a table as one line.
    """
    table = pd.concat([curve.assign(fold=fold) for fold, curve in curves.items()], ignore_index=True)
    place = 1 + table["fold"].map({fold: k for k, fold in enumerate(curves)})
    fold_epoch = place + table["epoch"] / (table["epoch"].max() + 1)
    return table.assign(fold_epoch=fold_epoch)[["fold", "epoch", "fold_epoch", "train_loss", "val_loss"]]


def forecast(test: pd.DataFrame, scale: float) -> pd.DataFrame:
    """Daily means of forecast, naive forecast and outcome, times `scale`; `year` is the day as a number.

    A day is that of close_time, in UTC; days without a row are absent.
    """
    day = test["close_time"].dt.floor("D").rename("day")
    columns = {"forecast": "forecast", "naive_forecast": "naive", "y": "outcome"}
    means = scale * test[list(columns)].rename(columns=columns).groupby(day).mean()
    days = pd.DatetimeIndex(means.index)
    # DVC's line templates take numbers alone for x.
    year = days.year + (days.day_of_year - 1) / (365 + days.is_leap_year)
    return means.reset_index(drop=True).assign(day=days.strftime("%Y-%m-%d"), year=year)[
        ["day", "year", *columns.values()]
    ]


def calibration(test: pd.DataFrame, scale: float) -> pd.DataFrame:
    """Mean forecast, mean outcome and number of rows of each tenth of the rows, by forecast.

    Equal forecasts share a tenth, so that there may be fewer.
    """
    share_below = (test["score"].rank() - 0.5) / len(test)
    tenth = (share_below * CALIBRATION_BINS).astype(int).rename("tenth")
    groups = test.groupby(tenth)
    means = scale * groups[["forecast", "y"]].mean().rename(columns={"y": "outcome"})
    return means.assign(rows=groups.size()).reset_index(drop=True)


def calls(each: pd.DataFrame) -> pd.DataFrame:
    """A thousand rows in proportion to the rows of each pair of `actual` and `predicted`.

    DVC's confusion matrix counts rows, so that its counts are thousandths of all calls.
    """
    counts = each.groupby(["actual", "predicted"]).size()
    shown = counts.index.repeat(in_proportion(counts.to_numpy().astype(np.int64), CALLS_SHOWN))
    return shown.to_frame(index=False)


def in_proportion(counts: Ints, total: int) -> Ints:
    """Whole numbers in proportion to `counts` that add up to `total`: the largest remainders round up."""
    exact = counts / counts.sum() * total
    whole = exact.astype(np.int64)
    largest = np.argsort(whole - exact, kind="stable")[: total - whole.sum()]
    whole[largest] += 1
    return whole


def scatter(test: pd.DataFrame) -> pd.DataFrame:
    """Delta and target of every k-th test row, two thousand at most."""
    step = -(-len(test) // SCATTER_SHOWN)
    return test[["delta", "target"]].iloc[::step]

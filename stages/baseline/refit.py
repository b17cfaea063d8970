"""When the classical forecasts are refit, and on which rows: only on those whose answer was known."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

from stages.baseline.params import BaselineParams
from stages.baseline.regression import Line
from stages.baseline.rows import FLOOR, usable
from stages.common.arrays import Bools, Floats, Ints

Forecaster = Callable[[pd.DataFrame, BaselineParams], Floats]
FitLine = Callable[[Floats, Floats, Ints], Line]


def refits(
    close_time: pd.Series, ended: pd.Series, may_train: Bools, params: BaselineParams
) -> list[tuple[Ints, slice]]:
    """For each refit the rows to fit on, and the rows to forecast until the next one.

    `ended` is when a row's answer is known (NaT: never), `may_train` whether the row can be learnt from,
    which a row without an answer can't. The first refit is at the first row by whose close `min_bars` such
    rows have ended, the next `refit_bars` rows later, whichever can be learnt from; each is fitted on the
    last `window_bars` that can. Empty if there never are enough. Row positions count from the first, so
    rows that are added at the end change nothing before them.
    """
    now, known = (times.to_numpy("datetime64[ms]") for times in (close_time, ended))
    rows = np.flatnonzero(may_train)
    known = known[rows]
    all_known = np.maximum.accumulate(known)  # when it is, and all that can be learnt from before it
    enough = np.sort(known)[params.min_bars - 1 : params.min_bars]
    first = np.searchsorted(now, enough[0]) if len(enough) else len(now)
    schedule = []
    for row in range(first, len(now), params.refit_bars):
        n_before = np.searchsorted(rows, row)
        n_known = min(np.searchsorted(all_known, now[row], side="right"), n_before)
        # A view, for a window of indices a refit takes more memory than the candles.
        past = rows[:n_known][-params.window_bars :]
        early = rows[n_known:n_before][known[n_known:n_before] <= now[row]]
        if len(early):
            past = np.concatenate([past, early])[-params.window_bars :]
        schedule.append((past, slice(row, row + params.refit_bars)))
    return schedule


def log_forecasts(
    rows: pd.DataFrame,
    params: BaselineParams,
    fit: FitLine,
    columns: list[str],
    *,
    target: str = "y",
    ended: str = "label_end",
    over: Callable[[Floats, Ints, slice], Any] = lambda ratio, _past, _ahead: np.mean(ratio),
) -> Floats:
    """Forecasts of `target`, known from `ended`, by a fit in logs on `columns`; shape (n_rows,).

    A forecast in logs aims at a median, so it is multiplied by its window's mean of y/f: QLIKE wants a
    mean. Or by what `over` makes of these ratios, of the past rows, for the rows ahead. NaN before the
    first fit, and where a regressor is.
    """
    # Row by row in memory, so that a row's sum is taken in the same order however many rows there are.
    X = np.ascontiguousarray(rows[columns])
    hour, y = rows["hour_of_week"].to_numpy(), rows[target].to_numpy()
    forecast = np.full(len(rows), np.nan)
    for past, ahead in refits(rows["close_time"], rows[ended], usable(rows, target), params):
        line = fit(X[past], np.log(y[past]), hour[past])
        ratio = y[past] / np.exp(line.at(X[past], hour[past]))
        forecast[ahead] = over(ratio, past, ahead) * np.exp(line.at(X[ahead], hour[ahead]))
    return forecast


def scaled(rows: pd.DataFrame, params: BaselineParams, level: Floats) -> Floats:
    """`level`, which foretells y but for a factor, times the window's mean of y/level; shape (n_rows,).

    Row t of `level` is of what is known at t. NaN before the first fit, and where `level` is.
    """
    y, level = rows["y"].to_numpy(), np.maximum(level, FLOOR)
    forecast = np.full(len(rows), np.nan)
    for past, ahead in refits(rows["close_time"], rows["label_end"], usable(rows, "y"), params):
        forecast[ahead] = np.mean(y[past] / level[past]) * level[ahead]
    return forecast

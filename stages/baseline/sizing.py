"""What a strategy sizes its positions by, whichever question is asked."""

import numpy as np
import pandas as pd

from stages.baseline.params import BaselineParams
from stages.baseline.refit import Forecaster, log_forecasts, refits
from stages.baseline.regression import ridge_by_hour
from stages.baseline.rows import RANGES, usable
from stages.common.arrays import Floats


def sizing_atr(rows: pd.DataFrame, params: BaselineParams) -> Floats:
    """Forecast of ATR(t+h) over close(t), by log-HAR + hour-of-week; shape (n_rows,)."""
    return log_forecasts(rows, params, ridge_by_hour, RANGES, target="atr_ahead", ended="ahead_end")


def return_per_atr(rows: pd.DataFrame, params: BaselineParams) -> Floats:
    """Root mean square of the next bar's return over the mean relative ATR, in the refit window.

    Times a forecast of ATR over close, this is a forecast of the spread of a bar's return. Shape
    (n_rows,), a ratio; NaN before the first fit.
    """
    next_return, atr = rows["return_next"].to_numpy(), rows["atr"].to_numpy()
    ratio = np.full(len(rows), np.nan)
    for past, ahead in refits(rows["close_time"], rows["ahead_end"], usable(rows, "atr_ahead"), params):
        ratio[ahead] = np.sqrt(np.mean(next_return[past] ** 2)) / np.mean(atr[past])
    return ratio


SIZING: dict[str, Forecaster] = {"sizing_atr": sizing_atr, "return_per_atr": return_per_atr}

"""Classical answers to "how much?": forecasts of ATR over close, or of mean true range over close."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

from stages.baseline.params import BaselineParams
from stages.baseline.refit import log_forecasts
from stages.baseline.regression import ols, ridge_by_hour
from stages.baseline.rows import FLOOR, RANGES
from stages.common.bars import Floats

Forecaster = Callable[[pd.DataFrame, BaselineParams], Floats]


def naive(rows: pd.DataFrame, params: BaselineParams) -> Floats:
    """A line in logs: ln f = a + b ln(ATR(t) / close).

    Nests the last value (a = 0, b = 1) and the mean (b = 0), so that nothing has to be chosen.
    """
    return log_forecasts(rows, params, ols, ["log_atr"])


def last_value(rows: pd.DataFrame, _params: BaselineParams) -> Floats:
    """ATR(t) / close as it is."""
    return np.maximum(rows["atr"].to_numpy(), FLOOR)  # a forecast of zero has no log


def har(rows: pd.DataFrame, params: BaselineParams) -> Floats:
    """Log-HAR on true range over an hour, four, ATR(14), a day, a week and a month of hourly bars."""
    return log_forecasts(rows, params, ols, RANGES)


def har_hour_of_week(rows: pd.DataFrame, params: BaselineParams) -> Floats:
    """Log-HAR with an effect for each hour of the week: the one to beat."""
    return log_forecasts(rows, params, ridge_by_hour, RANGES)


BASELINES: dict[str, Forecaster] = {
    "naive": naive,
    "last_value": last_value,
    "har": har,
    "har_hour_of_week": har_hour_of_week,
}


def forecasts(rows: pd.DataFrame, params: BaselineParams, **_settings: Any) -> dict[str, Floats]:
    """Each baseline's forecasts, a row a label; the target is in the labels, so no setting matters."""
    return {name: forecaster(rows, params) for name, forecaster in BASELINES.items()}

"""Classical answers to "how far down?": a wilder market falls deeper, so they are lines on its ranges."""

from typing import Any

import pandas as pd

from stages.baseline.params import BaselineParams
from stages.baseline.question import Question
from stages.baseline.refit import Forecaster, log_forecasts
from stages.baseline.regression import ols, ridge_by_hour
from stages.baseline.rows import RANGES
from stages.common.arrays import Floats


def benchmark(rows: pd.DataFrame, params: BaselineParams) -> Floats:
    """A line in logs: ln f = a + b ln(ATR(t) / close). Nests a fixed number of ATR, and the mean."""
    return log_forecasts(rows, params, ols, ["log_atr"])


def har(rows: pd.DataFrame, params: BaselineParams) -> Floats:
    """Log-HAR on true range over an hour, four, ATR(14), a day, a week and a month of hourly bars."""
    return log_forecasts(rows, params, ols, RANGES)


def har_hour_of_week(rows: pd.DataFrame, params: BaselineParams) -> Floats:
    """Log-HAR with an effect for each hour of the week."""
    return log_forecasts(rows, params, ridge_by_hour, RANGES)


def baselines(**_settings: Any) -> dict[str, Forecaster]:
    """Each column's forecaster; a fall is forecast alike, whatever the least one is."""
    return {"benchmark": benchmark, "har": har, "har_hour_of_week": har_hour_of_week}


QUESTION = Question(baselines=baselines)

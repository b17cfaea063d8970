"""Classical answers to "which way?": probabilities that the upper barrier comes first."""

from typing import Any

import numpy as np
import pandas as pd
from scipy.sparse import csr_array

from stages.baseline.boosting import boosted_probability, tree_columns
from stages.baseline.chance import base_rate, by_volatility, logistic_line, probabilities, smoothed_rate
from stages.baseline.params import BaselineParams
from stages.baseline.question import Question
from stages.baseline.refit import Forecaster
from stages.baseline.rows import RETURNS
from stages.common.arrays import Floats

NINETY_DAYS = np.timedelta64(90, "D")

# Where past returns say nothing, as on BTC/USDT before 2022, .001 costs a tenth of what .1 does, half a
# thousandth of a nat; of a drift planted in the simulated market it finds nine tenths as much.
C_RETURNS = 0.001


def logistic(rows: pd.DataFrame, params: BaselineParams) -> Floats:
    """Logistic regression on past returns over an hour to a month of hourly bars; shape (n_rows,)."""
    return probabilities(rows, rows[RETURNS].to_numpy(), line_of_returns, params)


def line_of_returns(past_X: Floats, past_y: Floats, X: Floats) -> Floats:
    """P(y = 1) by L2 logistic regression on the columns of X as they are."""
    return logistic_line(csr_array(past_X), past_y, csr_array(X), C_RETURNS)


def boosting(rows: pd.DataFrame, params: BaselineParams) -> Floats:
    """Gradient boosting on ranges, past returns, hour of the day and day of the week; shape (n_rows,)."""
    return probabilities(rows, tree_columns(rows, RETURNS), boosted_probability, params.slow())


def base_rate_90d(rows: pd.DataFrame, params: BaselineParams) -> Floats:
    """Share of y = 1 among labels whose horizon ended in the 90 days up to t; shape (n_rows,).

    NaN until the first refit. Row t uses labels whose horizon ended by its close.
    """
    answered = rows[rows["y"].notna()]
    ended = answered["ahead_end"].to_numpy("datetime64[ms]")
    now = rows["close_time"].to_numpy("datetime64[ms]")
    ones = np.concatenate([[0.0], np.cumsum(answered["y"])])
    first, last = (np.searchsorted(ended, time, side="right") for time in (now - NINETY_DAYS, now))
    p = smoothed_rate(ones[last] - ones[first], last - first)
    return np.where(np.isnan(base_rate(rows, params)), np.nan, p)


# With `zero`, y asks whether any barrier is touched, too: that is a question of volatility.
BENCHMARK: dict[str, Forecaster] = {"sign": base_rate, "zero": by_volatility}
BASELINES: dict[str, Forecaster] = {
    "base_rate_90d": base_rate_90d,
    "logistic": logistic,
    "boosting": boosting,
}


def baselines(timeout: str, **_settings: Any) -> dict[str, Forecaster]:
    """Each column's forecaster; which is the benchmark depends on `label.direction.timeout`."""
    return {"benchmark": BENCHMARK[timeout]} | BASELINES


QUESTION = Question(baselines=baselines)

"""What the classical answers to all questions of "whether?" share: probabilities that y is 1.

y may be known early, as where a barrier is touched, but whether a candle has a label at all is known only
once its horizon has passed without a gap: labels are learnt from then on, at `ahead_end`. Those that end
early would also be the first to be heard, and of another kind than the rest.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
from scipy.sparse import csr_array, hstack
from sklearn.linear_model import LogisticRegression

from stages.baseline.params import BaselineParams
from stages.baseline.refit import refits
from stages.baseline.rows import FLOOR, HOURS
from stages.baseline.sizing import sizing_atr
from stages.common.arrays import Floats, Ints

FitProbability = Callable[[Floats, Floats, Floats], Floats]

# Inverse strength of the penalty, meant for the 168 hours, which have 52 rows each in a full year: on
# BTC/USDT and ETH/USDT .02 loses least of .02, .05 and .1. Counted in tenths, logs escape it.
C_HOURS = 0.02
LOG_UNIT = 0.1


def base_rate(rows: pd.DataFrame, params: BaselineParams) -> Floats:
    """Share of y = 1 in the refit window: a fit that looks at no column; shape (n_rows,)."""
    return probabilities(rows, np.empty((len(rows), 0)), share_of_ones, params)


def by_volatility(rows: pd.DataFrame, params: BaselineParams) -> Floats:
    """Logistic regression on ln(sizing_atr / ATR(t)) and the hour of the week; shape (n_rows,).

    The classic of every y that says how wild it gets, which a forecast of volatility foretells without
    knowing which way. NaN where there is no `sizing_atr`: a fit on a fit comes `min_bars` labels later, so
    the first forecast needs twice as many rows.
    """
    wilder = np.log(sizing_atr(rows, params) / np.maximum(rows["atr"].to_numpy(), FLOOR))
    return probabilities(rows, np.column_stack([wilder, rows["hour_of_week"]]), line_by_hour, params)


def probabilities(rows: pd.DataFrame, X: Floats, fit: FitProbability, params: BaselineParams) -> Floats:
    """P(y = 1) by `fit(past_X, past_y, X)`; shape (n_rows,), as `X` has shape (n_rows, n_columns).

    Row t of `X` is of what is known at t. NaN before the first fit, and where a column is. The share of
    y = 1 where the past has only one class, to which nothing can be fitted.
    """
    y, known = rows["y"].to_numpy(), np.isfinite(X).all(axis=1)
    p = np.full(len(rows), np.nan)
    for past, ahead in refits(rows["close_time"], rows["ahead_end"], known & ~np.isnan(y), params):
        here = np.arange(len(rows))[ahead][known[ahead]]
        one_class = y[past].min() == y[past].max()
        if len(here):
            p[here] = (share_of_ones if one_class else fit)(X[past], y[past], X[here])
    return p


def share_of_ones(_past_X: Floats, past_y: Floats, X: Floats) -> Floats:
    """The past's share of y = 1, whatever X is; shape (n_rows,)."""
    return np.full(len(X), smoothed_rate(past_y.sum(), len(past_y)))


def line_by_hour(past_X: Floats, past_y: Floats, X: Floats) -> Floats:
    """P(y = 1) by L2 logistic regression; the columns of X are logs, and last the hour of the week."""
    return logistic_line(by_hour(past_X), past_y, by_hour(X), C_HOURS)


def by_hour(X: Floats) -> csr_array:
    """The logs and 168 dummies in place of the hour, shape (n_rows, n_columns - 1 + 168)."""
    n_rows, hour = len(X), X[:, -1].astype(np.int64)
    dummies = csr_array((np.ones(n_rows), (np.arange(n_rows), hour)), shape=(n_rows, HOURS))
    return hstack([csr_array(X[:, :-1] / LOG_UNIT), dummies], format="csr")


def logistic_line(past_X: csr_array, past_y: Floats, X: csr_array, inverse_penalty: float) -> Floats:
    """P(y = 1) at X by L2 logistic regression; sparse, which BLAS' threads leave alone."""
    model = LogisticRegression(C=inverse_penalty, tol=1e-6, max_iter=1000)
    return model.fit(past_X, past_y).predict_proba(X)[:, 1]


def smoothed_rate(ones: Floats | float, count: Ints | int) -> Any:
    """Quotient of the two, kept half a row away from 0 and 1, whose logits are infinite; ½ of nothing."""
    count = np.maximum(count, 1)
    return np.clip(ones / count, 0.5 / count, 1 - 0.5 / count)

"""Classical answers to "which way?": probabilities that y is 1."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
from scipy.sparse import csr_array, hstack
from sklearn.linear_model import LogisticRegression

from stages.baseline.params import BaselineParams
from stages.baseline.refit import refits
from stages.baseline.rows import FLOOR, HOURS
from stages.common.bars import Floats, Ints

Forecaster = Callable[[pd.DataFrame, BaselineParams], Floats]

NINETY_DAYS = np.timedelta64(90, "D")

# Inverse strength of the penalty, meant for the 168 hours, which have 52 rows each in a full year: on
# BTC/USDT and ETH/USDT .02 loses least of .02, .05 and .1. Counted in tenths, the ratio escapes it.
C = 0.02
RATIO_UNIT = 0.1


def base_rate(rows: pd.DataFrame, params: BaselineParams) -> Floats:
    """Share of y = 1 in the refit window; shape (n_rows,)."""
    y, all_rows = rows["y"].to_numpy(), np.ones(len(rows), dtype=np.bool_)
    p = np.full(len(rows), np.nan)
    for past, ahead in refits(rows["close_time"], rows["label_end"], all_rows, params):
        p[ahead] = share(y[past].sum(), len(past))
    return p


def touch_probability(rows: pd.DataFrame, params: BaselineParams) -> Floats:
    """Logistic regression on ln(sizing_atr / ATR(t)) and the hour of the week; shape (n_rows,).

    With `label.direction.timeout: zero`, y asks whether any barrier is touched too, which a forecast of
    volatility foretells without knowing which way. Needs the column `sizing_atr`; NaN where that is.
    """
    y = rows["y"].to_numpy()
    ratio = np.log(rows["sizing_atr"].to_numpy() / np.maximum(rows["atr"].to_numpy(), FLOOR))
    hour, known = rows["hour_of_week"].to_numpy(), np.isfinite(ratio)
    p = np.full(len(rows), np.nan)
    for past, ahead in refits(rows["close_time"], rows["label_end"], known, params):
        here = np.arange(len(rows))[ahead][known[ahead]]
        p[here] = logistic(ratio[past], hour[past], y[past], ratio[here], hour[here])
    return p


def logistic(past_ratio: Floats, past_hour: Ints, past_y: Floats, ratio: Floats, hour: Ints) -> Floats:
    """P(y = 1) at `ratio` and `hour` from an L2 logistic regression on the past; shape (n_rows,).

    The share of y = 1 where the past has only one class, to which no line can be fitted.
    """
    if past_y.min() == past_y.max():
        return np.full(len(ratio), share(past_y.sum(), len(past_y)))
    model = LogisticRegression(C=C, tol=1e-6, max_iter=1000)
    model.fit(design(past_ratio, past_hour), past_y)
    return model.predict_proba(design(ratio, hour))[:, 1]


def design(ratio: Floats, hour: Ints) -> csr_array:
    """The ratio and 168 dummies, shape (n_rows, 169); sparse, which BLAS' threads leave alone."""
    dummies = csr_array((np.ones(len(hour)), (np.arange(len(hour)), hour)), shape=(len(hour), HOURS))
    return hstack([csr_array(ratio[:, None] / RATIO_UNIT), dummies], format="csr")


def base_rate_90d(rows: pd.DataFrame, params: BaselineParams) -> Floats:
    """Share of y = 1 among labels that ended in the 90 days up to t; shape (n_rows,).

    NaN until the first refit. Row t uses labels that ended by its close.
    """
    now, ended = (rows[name].to_numpy("datetime64[ms]") for name in ("close_time", "label_end"))
    order = np.argsort(ended, kind="stable")
    ones = np.concatenate([[0.0], np.cumsum(rows["y"].to_numpy()[order])])
    first, last = (np.searchsorted(ended[order], time, side="right") for time in (now - NINETY_DAYS, now))
    p = share(ones[last] - ones[first], last - first)
    return np.where(np.isnan(base_rate(rows, params)), np.nan, p)


def share(ones: Floats | float, count: Ints | int) -> Any:
    """Quotient of the two, kept half a row away from 0 and 1, whose logits are infinite; ½ of nothing."""
    count = np.maximum(count, 1)
    return np.clip(ones / count, 0.5 / count, 1 - 0.5 / count)


BASELINES: dict[str, Forecaster] = {"base_rate_90d": base_rate_90d}
NAIVE: dict[str, Forecaster] = {"sign": base_rate, "zero": touch_probability}


def forecasts(
    rows: pd.DataFrame, params: BaselineParams, timeout: str, **_settings: Any
) -> dict[str, Floats]:
    """Each baseline's probabilities, a row a label; what is naive depends on `label.direction.timeout`."""
    baselines = {"naive": NAIVE[timeout]} | BASELINES
    return {name: forecaster(rows, params) for name, forecaster in baselines.items()}

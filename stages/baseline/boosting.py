"""Gradient boosting on shallow trees: the strong opponent that needs no network.

On one thread, so that sums are taken in one order whatever the machine: of several scikit-learn promises no
such thing, and the stage has a process a core already.
"""

from typing import Any

import numpy as np
import pandas as pd
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from threadpoolctl import threadpool_limits

from stages.baseline.rows import RANGES
from stages.common.arrays import Floats

# Chosen on BTC/USDT before 2022 and on simulated markets. Labels of 14 bars overlap, so that a year holds
# some 600 answers: more or deeper trees, and trees that see how far ranges are from nought, learn them by
# heart and lose. There is less to learn of which way than of how much, so its trees are stumps.
TREES: dict[str, Any] = {"max_iter": 100, "early_stopping": False, "random_state": 0}
HOW_MUCH: dict[str, Any] = TREES | {"learning_rate": 0.05, "max_leaf_nodes": 4, "min_samples_leaf": 200}
WHICH_WAY: dict[str, Any] = TREES | {"learning_rate": 0.02, "max_leaf_nodes": 2, "min_samples_leaf": 500}


def tree_columns(rows: pd.DataFrame, returns: list[str]) -> Floats:
    """What trees look at: ranges in ATR, in logs, these past returns, hour of the day, day of the week.

    Shape (n_rows, 7 + len(returns)); row t uses what is known at t. NaN where a stretch is too young.
    """
    ranges = rows[RANGES].drop(columns="log_atr").sub(rows["log_atr"], axis=0)
    hour = rows["hour_of_week"].to_numpy()
    return np.column_stack([ranges, rows[returns], hour % 24, hour // 24])


def boosted_ratio(past_X: Floats, past_ratio: Floats, X: Floats) -> Floats:
    """E[ratio] at X, of a ratio above 0; shape (n_rows,). Least gamma deviance, which is twice QLIKE."""
    with threadpool_limits(limits=1, user_api="openmp"):
        return HistGradientBoostingRegressor(loss="gamma", **HOW_MUCH).fit(past_X, past_ratio).predict(X)


def boosted_probability(past_X: Floats, past_y: Floats, X: Floats) -> Floats:
    """P(y = 1) at X; shape (n_rows,). The past must hold both classes. Least log loss."""
    with threadpool_limits(limits=1, user_api="openmp"):
        return HistGradientBoostingClassifier(**WHICH_WAY).fit(past_X, past_y).predict_proba(X)[:, 1]

"""Gradient boosting beside the network: trees that correct the same baseline, by the same features.

Trees find thresholds and what two features mean together; a network finds slopes. Their errors differ, so
that a mean is better than either. On one thread, so that sums are taken in one order.
"""

from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import expit
from sklearn.ensemble import HistGradientBoostingRegressor
from threadpoolctl import threadpool_limits

from stages.common.arrays import Floats
from stages.common.task import Task
from stages.train.params import TrainParams
from stages.train.rows import Fold

# Amounts': chosen on BTC, ETH and SOL in USDT before 2024 (docs/experiments.md); classes': as in baseline.
# Labels overlap, so that a leaf of few rows is one story.
OF_AMOUNTS: dict[str, Any] = {"loss": "gamma", "learning_rate": 0.05, "max_leaf_nodes": 8}
OF_CLASSES: dict[str, Any] = {"loss": "squared_error", "learning_rate": 0.02, "max_leaf_nodes": 2}
COMMON: dict[str, Any] = {"min_samples_leaf": 500, "early_stopping": False, "random_state": 0}


class Trees(NamedTuple):
    """Trees fitted to a fold: `correction` of each of its rows, shape (n,); `nodes`, as in `nodes_of`."""

    correction: Floats
    nodes: pd.DataFrame


def fit_trees(fold: Fold, table: NDArray[np.float32], task: Task, params: TrainParams) -> Trees:
    """Fit `train.trees` of them to the train rows, by what is known as each window ends.

    `table`: features, (n_rows, n_features).
    """
    train = fold.of("train")
    y, score, weight = (train[name].to_numpy() for name in ("y", "offset", "sample_weight"))
    settings, target = OF_AMOUNTS, y / np.exp(score)
    if task.classes:
        settings, (target, weight) = OF_CLASSES, working_response(y, score + fold.shift, weight)
    model = HistGradientBoostingRegressor(max_iter=params.trees, **COMMON, **settings)
    with threadpool_limits(limits=1, user_api="openmp"):
        model.fit(table[train["end"].to_numpy()], target, sample_weight=weight)
    nodes = nodes_of(model)
    return Trees(corrections(nodes, table[fold.rows["end"].to_numpy()]), nodes)


def working_response(y: Floats, score: Floats, weight: Floats) -> tuple[Floats, Floats]:
    """Target and weight, (n,) each, with which least squares make a Newton step in log loss.

    Source: Friedman, Hastie and Tibshirani (2000), Annals of Statistics 28(2), 337-407, section 3.
    """
    p = expit(score)
    return (y - p) / (p * (1 - p)), weight * p * (1 - p)


def nodes_of(model: HistGradientBoostingRegressor) -> pd.DataFrame:
    """All trees as one table: tree, feature, threshold, left, right, value; a row a node.

    A row of features goes left where its `feature` is at most the `threshold`; `left` and `right` are rows
    of this table. A leaf's are -1, and its `value` is added to the correction. The first row is a tree
    without a split: what the model starts from.
    """
    trees = [predictor.nodes for (predictor,) in model._predictors]
    start = np.zeros(1, trees[0].dtype)
    start["is_leaf"], start["value"] = 1, model._baseline_prediction.item()
    sizes = np.array([1, *map(len, trees)])
    nodes, n_above = np.concatenate([start, *trees]), np.repeat(np.cumsum(sizes) - sizes, sizes)
    leaf = nodes["is_leaf"] == 1
    return pd.DataFrame(
        {
            "tree": np.repeat(np.arange(len(sizes)), sizes),
            "feature": np.where(leaf, -1, nodes["feature_idx"]),
            "threshold": np.where(leaf, 0.0, nodes["num_threshold"]),
            "left": np.where(leaf, -1, n_above + nodes["left"]),
            "right": np.where(leaf, -1, n_above + nodes["right"]),
            "value": np.where(leaf, nodes["value"], 0.0),
        }
    )


def corrections(nodes: pd.DataFrame, rows: NDArray[np.float32]) -> Floats:
    """What the trees of `nodes_of` say of these rows of features, (n, n_features); shape (n,)."""
    feature, left, right = (nodes[name].to_numpy() for name in ("feature", "left", "right"))
    threshold, value = nodes["threshold"].to_numpy(), nodes["value"].to_numpy()
    total = np.zeros(len(rows))
    for root in np.flatnonzero(nodes["tree"].diff().to_numpy() != 0):
        at = np.full(len(rows), root)
        while (inner := left[at] >= 0).any():
            here = at[inner]
            below = rows[inner, feature[here]] <= threshold[here]
            at[inner] = np.where(below, left[here], right[here])
        total += value[at]
    return total

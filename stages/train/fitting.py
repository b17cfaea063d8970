"""Fit a network to one fold, and keep the weights of the epoch that `train.keep_epoch` asks for."""

import os
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from operator import call
from types import ModuleType
from typing import NamedTuple, cast

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

from stages.common.arrays import Floats
from stages.common.parallel import parallel_results
from stages.common.task import Task
from stages.train.params import TrainParams
from stages.train.quiet import without_notes
from stages.train.rows import Fold
from stages.train.trees import Trees, fit_trees
from stages.train.windows import feature_moments


class Fitted(NamedTuple):
    """A fitted network: the epoch that it kept, and its weights as a .weights.h5 file.

    `correction`: of each of the fold's rows, shape (n,); of test rows after the refit. `curves`: losses,
    and AUCs of classes, of a sample of train and of val; a row an epoch from 0, the initial weights.
    `mean`, `variance`: of each feature, shape (n_features,), by which the network normalises.
    """

    kept_epoch: int
    weights: bytes
    correction: Floats
    curves: pd.DataFrame
    mean: Floats
    variance: Floats


def fit_folds(
    folds: dict[str, Fold], table: NDArray[np.float32], task: Task, params: TrainParams
) -> Iterator[tuple[str, list[Fitted], Trees | None]]:
    """A fold's name, its networks in the order of `train.seeds`, its trees: as soon as they are there."""
    # The longest first: started last, it would run on alone.
    longest_first = sorted(folds.values(), key=lambda fold: len(fold.of("train")), reverse=True)
    jobs: list[Callable[..., Fitted | Trees]] = []
    for fold in longest_first:
        jobs += [partial(fit, fold, seed) for seed in params.seeds]
        jobs += [partial(fit_trees, fold)] if params.trees else []
    results = parallel_results(call, jobs, "train", shared=[table, task, params])
    for fold in longest_first:
        networks = [cast("Fitted", next(results)) for _ in params.seeds]
        yield fold.name, networks, cast("Trees", next(results)) if params.trees else None


def fit(fold: Fold, seed: int, table: NDArray[np.float32], task: Task, params: TrainParams) -> Fitted:
    """Fit to the train rows, until the val rows' loss has not been lower for `train.patience` epochs.

    `table`: features, (n_rows, n_features). Epoch 0, the initial weights with corrections of nil, stays the
    best if no later one has a lower loss. With `train.keep_epoch` last, the last one is kept, whatever its
    loss. Then `train.refit_epochs` more with val's rows, from the kept weights and the optimiser as it is:
    for the test rows, and for the weights. The same arguments give the same result, in whatever process.
    """
    train, val = fold.of("train"), fold.of("val")
    mean, variance = feature_moments(table, train["end"].to_numpy(), params.window)
    network = load_networks().network_of(params, table.shape[1], task.keras_loss)
    network.be_traced()
    network.begin(seed, table, mean, variance)
    watched = pd.concat([evenly_spread(train, len(val)), val])
    rng = np.random.default_rng(seed)

    def learn(rows: pd.DataFrame) -> None:
        shuffled = rows.iloc[rng.permutation(len(rows))]
        ends, offset, y, weight = (
            shuffled[name].to_numpy() for name in ("end", "offset", "y", "sample_weight")
        )
        network.learn(ends, offset + fold.shift, y, weight)  # so that it need not learn the shift

    curves: list[dict[str, float]] = []
    kept_epoch, kept_weights = 0, network.weights()
    for epoch in range(params.epochs + 1):
        if epoch > 0:
            learn(train)
        correction = network.corrections(watched["end"].to_numpy())
        curves.append({"epoch": epoch, **score_roles(watched, correction, task)})
        if params.keep_epoch == "last" or curves[epoch]["val_loss"] < curves[kept_epoch]["val_loss"]:
            kept_epoch, kept_weights = epoch, network.weights()
        if epoch - kept_epoch == params.patience:
            break

    network.put(kept_weights)
    correction = network.corrections(fold.rows["end"].to_numpy())
    if kept_epoch > 0 and params.refit_epochs:
        for _ in range(params.refit_epochs):
            learn(pd.concat([train, val]))
        test = fold.of("test")
        if len(test):  # not of the newest fold
            correction[test.index] = network.corrections(test["end"].to_numpy())
    weights = network.weights_file()
    return Fitted(kept_epoch, weights, correction, pd.DataFrame(curves), mean, variance)


def load_networks() -> ModuleType:
    """stages.train.networks, which takes seconds to import, and reads which backend Keras has."""
    os.environ["KERAS_BACKEND"] = "tensorflow"
    with without_notes():
        from stages.train import networks  # noqa: PLC0415

    return networks


def evenly_spread(rows: pd.DataFrame, n: int) -> pd.DataFrame:
    """`n` of the rows at most, evenly spread: enough of train to draw its curve beside that of val."""
    return rows.iloc[np.unique(np.linspace(0, len(rows) - 1, n).astype(np.int64))]


def score_roles(rows: pd.DataFrame, correction: Floats, task: Task) -> dict[str, float]:
    """Mean loss, unweighted, and of classes the AUC, of each role among the rows.

    `correction`: of each row, shape (n,); added in float64, so that nil has the baseline's exact loss.
    """
    figures = {}
    for role, of_role in rows.assign(score=rows["offset"] + correction).groupby("role", sort=False):
        y, score = of_role["y"].to_numpy(), of_role["score"].to_numpy()
        figures[f"{role}_loss"] = float(task.loss(y, score).mean())
        if task.classes:
            figures[f"{role}_auc"] = auc(y, score)
    return figures


def auc(y: Floats, score: Floats) -> float:
    """Area under the ROC curve; of rows of one class, .5."""
    return float(roc_auc_score(y, score)) if 0 < y.mean() < 1 else 0.5


def mean_curves(fits: Sequence[Fitted]) -> pd.DataFrame:
    """Curves of several seeds as one, indexed by epoch: the mean of the seeds that ran that epoch."""
    return pd.concat([f.curves for f in fits]).groupby("epoch").mean()

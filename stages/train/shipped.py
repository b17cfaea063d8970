"""What is shipped of a fold, and how to forecast with it again: where, when and by whomever."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from stages.common.arrays import Floats, Ints
from stages.common.errors import InputError, printable
from stages.common.task import TASKS
from stages.train.fitting import Fitted, load_networks
from stages.train.params import TrainParams
from stages.train.rows import Fold
from stages.train.trees import Trees
from stages.train.trees import corrections as tree_corrections
from stages.train.windows import feature_range


class Shipped(NamedTuple):
    """What was fitted to a fold: `spec`, of `make_spec`; a .weights.h5 file a seed; `nodes` of its trees.

    `nodes` is None where there are no trees.
    """

    spec: dict[str, Any]
    weights: list[bytes]
    nodes: pd.DataFrame | None


def make_spec(
    fold: Fold,
    one: Fitted,
    names: list[str],
    table: NDArray[np.float32],
    params: TrainParams,
    *,
    task: str,
    kept: bool,
) -> dict[str, Any]:
    """All that it takes, beside weights and trees, to forecast with what was fitted to a fold again.

    score = offset + correction. The correction is nil unless `kept`; else it is that of `mean_correction`.
    The offset is the score of the named baseline, or `start` if there is none. `least`, `greatest`: of each
    feature, in the train rows' windows. The same for every seed, so that any `one` of the fits will do.
    `names`, `table`: the features.
    """
    bare = params.offset == "none"
    least, greatest = feature_range(table, fold.of("train")["end"].to_numpy(), params.window)
    return {
        "task": task,
        "train": params.model_dump(),
        "features": names,
        "mean": one.mean.tolist(),
        "variance": one.variance.tolist(),
        "least": least.tolist(),
        "greatest": greatest.tolist(),
        "offset": None if bare else TASKS[task].offset,
        "start": float(fold.rows["offset"].iloc[0]) if bare else None,
        "kept": kept,
    }


def mean_correction(networks: Sequence[Floats], trees: Floats | None, params: TrainParams) -> Floats:
    """The mean of the networks' corrections, of shape (n,) each; shape (n,).

    With trees beside them, the score is the mean of two voices, the networks' and the trees', and of a
    third where a baseline is corrected: its own. For both corrections were fitted to more noise than
    signal. Weights that a short past suggests do worse than equal ones: Stock and Watson (2004), Journal
    of Forecasting 23(6), 405-430.
    """
    of_networks: Floats = np.mean(networks, axis=0)
    voices = 3 if params.offset == "baseline" else 2
    return of_networks if trees is None else (of_networks + trees) / voices


def of_fits(networks: Sequence[Fitted], trees: Trees | None, params: TrainParams) -> Floats:
    """`mean_correction` of what was fitted; shape (n,)."""
    return mean_correction([each.correction for each in networks], trees and trees.correction, params)


def correct(shipped: Shipped, table: NDArray[np.float32], ends: Ints) -> Floats:
    """Corrections of the windows that these rows of the feature table end; shape (n,).

    Keras is loaded only where the correction isn't nil. Raises InputError where a file of weights doesn't
    fit the spec, or isn't whole.
    """
    if not shipped.spec["kept"]:
        return np.zeros(len(ends))
    params = TrainParams(**shipped.spec["train"])
    mean, variance = (np.array(shipped.spec[name]) for name in ("mean", "variance"))
    task, found = TASKS[shipped.spec["task"]], []
    network = load_networks().network_of(params, table.shape[1], task.keras_loss)
    for seed, weights in zip(params.seeds, shipped.weights, strict=True):
        network.begin(seed, table, mean, variance)
        try:
            network.read_weights(weights)
        except ValueError as error:
            raise InputError(
                f"models: the weights of seed {seed} must be whole, and of the network in spec.json; "
                f"received: {printable(str(error))}."
            ) from None
        found.append(network.corrections(ends))
    nodes = shipped.nodes
    return mean_correction(found, None if nodes is None else tree_corrections(nodes, table[ends]), params)

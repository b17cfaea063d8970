"""A network a fold and seed; their forecasts, their curves, and the newest ones' weights."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from stages.common.arrays import Floats
from stages.common.bars import bar_length
from stages.common.tables import Tables
from stages.common.task import TASKS
from stages.params import Params
from stages.train.errors import error_names, last_errors
from stages.train.fitting import Fitted, fit_folds, mean_curves
from stages.train.rows import Fold, label_rows, make_fold, predictions, wanted
from stages.train.trees import Trees
from stages.train.windows import stack_features, window_ends

LIVE = "live"  # the fold that ends with the last row: its networks are shipped, its forecasts are not


class Trained(NamedTuple):
    """What train gives: `predictions` of all folds but `live`; by name each fold, its networks and trees.

    `trees` is empty where `train.trees` is 0. `kept`: the folds that keep their correction, as `wanted` has
    it; in the others it is nil. `rows`: the labelled rows of all symbols, as `label_rows` has them.
    `features`: names, in order.
    """

    predictions: pd.DataFrame
    folds: dict[str, Fold]
    networks: dict[str, list[Fitted]]
    trees: dict[str, Trees]
    kept: set[str]
    rows: pd.DataFrame
    features: list[str]


def train(
    features: Tables,
    labels: Tables,
    spans: pd.DataFrame,
    baselines: Tables,
    params: Params,
    *,
    as_a_fold_ends: Callable[[str, pd.DataFrame], None] = lambda _name, _curves: None,
) -> Trained:
    """Fit a network a fold and seed, and trees a fold; a process each.

    `spans`: the folds, as label cuts them. `as_a_fold_ends` is given name and mean curves of each fold but
    `live`. Raises InputError where a fold has no rows for one of its roles.
    """
    task, settings = TASKS[params.task], params.train
    names, table = stack_features(list(features.values()))
    rows = labelled_rows(features, labels, baselines, params)
    names, table = with_errors(names, table, features, rows, params)
    folds = {
        str(name): make_fold(str(name), spans, rows, task, settings) for name in spans["fold"].unique()
    }
    networks: dict[str, list[Fitted]] = {}
    trees: dict[str, Trees] = {}
    for name, of_fold, beside in fit_folds(folds, table, task, settings):
        networks[name] = of_fold
        if beside is not None:
            trees[name] = beside
        if name != LIVE:
            as_a_fold_ends(name, mean_curves(of_fold))
    voices = 3 if settings.offset == "baseline" else 2  # a constant has none
    found = {name: mean_correction(networks[name], trees.get(name), voices) for name in folds}
    kept = wanted(folds, found, task)
    forecasts = [
        predictions(fold, found[name] if name in kept else np.zeros(len(fold.rows)))
        for name, fold in folds.items()
        if name != LIVE
    ]
    return Trained(pd.concat(forecasts), folds, networks, trees, kept, rows, names)


def mean_correction(networks: Sequence[Fitted], trees: Trees | None, voices: int) -> Floats:
    """The mean of the networks' corrections; shape (n,).

    With trees beside them, the score is the mean of `voices`: the networks', the trees' and, of three, the
    baseline's. Both corrections were fitted to more noise than signal, so that the baseline has a voice of
    its own. Weights that a short past suggests do worse than equal ones: Stock and Watson (2004), Journal
    of Forecasting 23(6), 405-430.
    """
    of_networks: Floats = np.mean([network.correction for network in networks], axis=0)
    return of_networks if trees is None else (of_networks + trees.correction) / voices


def with_errors(
    names: list[str], table: NDArray[np.float32], features: Tables, rows: pd.DataFrame, params: Params
) -> tuple[list[str], NDArray[np.float32]]:
    """The stacked features, and beside them the baseline's last errors, one for each half-life."""
    half_lives = params.train.error_half_lives
    if not half_lives:
        return names, table
    horizon, task = params.label.horizon * bar_length(params.fetch.timeframe), TASKS[params.task]
    errors = [
        last_errors(of_symbol["close_time"], rows[rows["symbol"] == symbol], task, horizon, half_lives)
        for symbol, of_symbol in features.items()
    ]
    return names + error_names(half_lives), np.column_stack([table, np.concatenate(errors)])


def labelled_rows(features: Tables, labels: Tables, baselines: Tables, params: Params) -> pd.DataFrame:
    """The labelled rows of all symbols, each with its window's place in the stacked features."""
    bar, task = bar_length(params.fetch.timeframe), TASKS[params.task]
    parts, n_above = [], 0
    for symbol, table in features.items():
        known, moments = table["close_time"], labels[symbol]["close_time"]
        ends = window_ends(known, moments, params.train.window, bar, params.split.bridge_bars)
        ends[ends >= 0] += n_above
        rows = label_rows(labels[symbol], baselines[symbol], ends, task, params.train)
        parts.append(rows.assign(symbol=symbol))
        n_above += len(table)
    return pd.concat(parts, ignore_index=True)

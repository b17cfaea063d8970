"""A network a fold and seed; their forecasts, their curves, and what is shipped of them."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from stages.common.bars import bar_length
from stages.common.errors import InputError, printable
from stages.common.tables import Tables
from stages.common.task import TASKS
from stages.params import Params
from stages.train.errors import error_names, last_errors
from stages.train.fitting import Fitted, fit_folds, mean_curves
from stages.train.rows import label_rows, make_fold, predictions, wanted
from stages.train.shipped import Shipped, correct, make_spec, of_fits
from stages.train.trees import Trees
from stages.train.windows import stack_features, window_ends

LIVE = "live"  # the fold that ends with the last row: it has no test, and its forecasts are yet to come


class Inputs(NamedTuple):
    """What networks are fed: `names` and `table` of the features, and `rows`, as `label_rows` has them.

    Of all symbols; `table` has shape (n_rows, n_features).
    """

    names: list[str]
    table: NDArray[np.float32]
    rows: pd.DataFrame


class Trained(NamedTuple):
    """What train gives: `predictions` of all folds but `live`; by name, what is shipped of each fold.

    `kept_epochs`: by name, of each of the fold's networks, of how many. `rows`: the labelled rows of all
    symbols, as `label_rows` has them.
    """

    predictions: pd.DataFrame
    shipped: dict[str, Shipped]
    kept_epochs: dict[str, list[tuple[int, int]]]
    rows: pd.DataFrame


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
    names, table, rows = make_inputs(features, labels, baselines, params)
    folds = {
        str(name): make_fold(str(name), spans, rows, task, settings) for name in spans["fold"].unique()
    }
    networks: dict[str, list[Fitted]] = {}
    trees: dict[str, Trees | None] = {}
    for name, of_fold, beside in fit_folds(folds, table, task, settings):
        networks[name], trees[name] = of_fold, beside
        if name != LIVE:
            as_a_fold_ends(name, mean_curves(of_fold))
    found = {name: of_fits(networks[name], trees[name], settings) for name in folds}
    kept = wanted(folds, found, task)
    forecasts = [
        predictions(fold, found[name] if name in kept else np.zeros(len(fold.rows)))
        for name, fold in folds.items()
        if name != LIVE
    ]
    shipped = {
        name: Shipped(
            make_spec(fold, networks[name][0], names, table, settings, task=params.task, kept=name in kept),
            [network.weights for network in networks[name]],
            beside.nodes if (beside := trees[name]) else None,
        )
        for name, fold in folds.items()
    }
    epochs = {
        name: [(network.kept_epoch, len(network.curves) - 1) for network in networks[name]]
        for name in networks
    }
    return Trained(pd.concat(forecasts), shipped, epochs, rows)


def forecast(shipped: Shipped, inputs: Inputs, since: pd.Timestamp) -> pd.DataFrame:
    """Scores by what was shipped of a fold: symbol, close_time, score, beyond; a row a label since then.

    A row without a whole window, or before the baseline's first fit, is left out. `beyond`: the share of
    features less, or greater, than any in the fold's train rows. Raises InputError where the features are
    others, or `correct` does.
    """
    spec, (names, table, rows) = shipped.spec, inputs
    if names != spec["features"]:
        raise InputError(
            f"models: the features must be those of featurize.groups and windows, {in_short(names)}; "
            f"received {in_short(spec['features'])}."
        )
    told = rows[(rows["close_time"] >= since) & (rows["end"] >= 0) & np.isfinite(rows["offset"])]
    offset = told["offset"] if spec["start"] is None else spec["start"]
    ends = told["end"].to_numpy()
    outside = (table[ends] < np.array(spec["least"])) | (table[ends] > np.array(spec["greatest"]))
    score = offset + correct(shipped, table, ends)
    scores = told[["symbol", "close_time"]].assign(score=score, beyond=outside.mean(axis=1))
    return scores.reset_index(drop=True)


def in_short(names: list[str]) -> str:
    """How many there are, and their beginning."""
    return printable(f"{len(names)}: {', '.join(names)}")


def make_inputs(features: Tables, labels: Tables, baselines: Tables, params: Params) -> Inputs:
    """What networks are fed, with the baseline's last errors if these are wanted.

    The newest labels may lack a y that has yet to come.
    """
    names, table = stack_features(features.values())
    rows = labelled_rows(features, labels, baselines, params)
    return Inputs(*with_errors(names, table, features, rows, params), rows)


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

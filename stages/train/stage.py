"""A network a fold and seed; their forecasts, their curves, and the newest ones' weights."""

from collections.abc import Callable
from typing import NamedTuple

import pandas as pd

from stages.common.bars import bar_length
from stages.common.tables import Tables
from stages.common.task import TASKS
from stages.params import Params
from stages.train.fitting import Fitted, fit_folds, mean_curves
from stages.train.rows import Fold, label_rows, make_fold, predictions
from stages.train.windows import stack_features, window_ends

LIVE = "live"  # the fold that ends with the last row: its networks are shipped, its forecasts are not


class Trained(NamedTuple):
    """What train gives: `predictions` of all folds but `live`; each fold and its networks, by name.

    `rows`: the labelled rows of all symbols, as `label_rows` has them. `features`: names, in order.
    """

    predictions: pd.DataFrame
    folds: dict[str, Fold]
    networks: dict[str, list[Fitted]]
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
    """Fit a network a fold and seed; a process each.

    `spans`: the folds, as label cuts them. `as_a_fold_ends` is given name and mean curves of each fold but
    `live`. Raises InputError where a fold has no rows for one of its roles.
    """
    task, settings = TASKS[params.task], params.train
    names, table = stack_features(list(features.values()))
    rows = labelled_rows(features, labels, baselines, params)
    folds = {
        str(name): make_fold(str(name), spans, rows, task, settings) for name in spans["fold"].unique()
    }
    networks: dict[str, list[Fitted]] = {}
    for name, of_fold in fit_folds(folds, table, task, settings):
        networks[name] = of_fold
        if name != LIVE:
            as_a_fold_ends(name, mean_curves(of_fold))
    forecasts = [
        predictions(fold, [network.correction for network in networks[name]])
        for name, fold in folds.items()
        if name != LIVE
    ]
    return Trained(pd.concat(forecasts), folds, networks, rows, names)


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

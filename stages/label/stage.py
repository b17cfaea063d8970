"""What came after each candle, how much that counts, and where the folds are cut."""

from functools import partial
from typing import NamedTuple

import pandas as pd

from stages.common.bars import bar_length
from stages.common.errors import InputError
from stages.common.parallel import parallel_map
from stages.common.tables import Tables
from stages.label.folds import cut_folds
from stages.label.rows import LOST, in_words, label_candles, yet_to_come
from stages.params import Params


class Labelled(NamedTuple):
    """Each symbol's `labels`, as `label_candles` has them; `folds`, as `cut_folds` does.

    `lost`: the number of candles without a label, by `LOST` reason.
    """

    labels: Tables
    folds: pd.DataFrame
    lost: dict[str, int]


def newest_labels(candles: Tables, params: Params) -> Tables:
    """Each symbol's labels, and after them the rows whose label has yet to come, as `yet_to_come` has them.

    There, all but close_time and atr is missing. Raises InputError where a symbol has neither.
    """
    bar, split, horizon = bar_length(params.fetch.timeframe), params.split, params.label.horizon
    tables = {}
    for symbol, table in candles.items():
        labels, _ = label_candles(table, params.task, bar, params.label, split)
        tables[symbol] = pd.concat([labels, yet_to_come(table, bar, horizon, split)], ignore_index=True)
        if tables[symbol].empty:
            raise InputError(
                "split.warmup_bars must leave each symbol rows; "
                f"received {split.warmup_bars}, while {symbol} has {len(table):,} candles."
            )
    return tables


def label(candles: Tables, params: Params) -> Labelled:
    """The labels of params.task; a process a symbol.

    Raises InputError where a symbol has no rows, or all of them too few for the folds.
    """
    bar, split, horizon = bar_length(params.fetch.timeframe), params.split, params.label.horizon
    work = partial(label_candles, task=params.task, bar=bar, params=params.label, split=split)
    found = dict(zip(candles, parallel_map(work, list(candles.values()), "label"), strict=True))
    for symbol, (table, counts) in found.items():
        if table.empty:
            raise InputError(
                f"split.warmup_bars and label.horizon must leave each symbol rows; received "
                f"{split.warmup_bars} and {horizon}, while of {symbol}'s {len(candles[symbol]):,} "
                f"candles {in_words(counts)}."
            )
    labels = {symbol: table for symbol, (table, _) in found.items()}
    lost = {reason: sum(counts[reason] for _, counts in found.values()) for reason in LOST}
    times = pd.concat([table["close_time"] for table in labels.values()])
    try:
        folds = cut_folds(pd.DatetimeIndex(times.drop_duplicates().sort_values()), split, horizon, bar)
    except InputError as error:
        n_candles = sum(map(len, candles.values()))
        raise InputError(f"{error} Of {n_candles:,} candles {in_words(lost)}.") from None
    return Labelled(labels, folds, lost)

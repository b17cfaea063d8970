"""What came after each candle, how much that counts, and where the folds are cut."""

from collections.abc import Iterable
from typing import NamedTuple

import pandas as pd

from stages.common.bars import bar_length
from stages.common.errors import InputError
from stages.common.tables import Tables
from stages.label.folds import cut_folds
from stages.label.rows import LOST, in_words, label_candles, yet_to_come
from stages.params import Params


class Told(NamedTuple):
    """Of a symbol: its rows' close_time; mean, least and greatest y; candles without a label, by reason."""

    times: pd.DatetimeIndex
    mean: float
    least: float
    greatest: float
    lost: dict[str, int]


class Together(NamedTuple):
    """Of all symbols: the distinct close_times, in order; how many rows; mean y; candles without a label.

    `constant`: the y of each symbol that has no other.
    """

    times: pd.DatetimeIndex
    n_rows: int
    mean: float
    lost: dict[str, int]
    constant: dict[str, float]


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


def label(symbol: str, candles: pd.DataFrame, params: Params) -> tuple[pd.DataFrame, Told]:
    """A symbol's labels of params.task, as `label_candles` has them, and what is told of them.

    Raises InputError where it has no rows.
    """
    bar, split, horizon = bar_length(params.fetch.timeframe), params.split, params.label.horizon
    table, lost = label_candles(candles, params.task, bar, params.label, split)
    if table.empty:
        raise InputError(
            f"split.warmup_bars and label.horizon must leave each symbol rows; received "
            f"{split.warmup_bars} and {horizon}, while of {symbol}'s {len(candles):,} "
            f"candles {in_words(lost)}."
        )
    y = table["y"]
    return table, Told(pd.DatetimeIndex(table["close_time"]), y.mean(), y.min(), y.max(), lost)


def together(told: Iterable[tuple[str, Told]]) -> Together:
    """What is told of each symbol, by name, as one; none is held for longer than it takes."""
    times, n_rows, total = pd.DatetimeIndex([], dtype="datetime64[ms, UTC]"), 0, 0.0
    lost, constant = dict.fromkeys(LOST, 0), dict[str, float]()
    for symbol, of_symbol in told:
        times = times.union(of_symbol.times)
        n_rows, total = n_rows + len(of_symbol.times), total + of_symbol.mean * len(of_symbol.times)
        lost = {reason: count + of_symbol.lost[reason] for reason, count in lost.items()}
        if of_symbol.least == of_symbol.greatest:
            constant[symbol] = of_symbol.least
    return Together(times, n_rows, total / n_rows, lost, constant)


def folds_of(labelled: Together, params: Params) -> pd.DataFrame:
    """The folds, as `cut_folds` has them. Raises InputError where there are too few rows for them."""
    bar = bar_length(params.fetch.timeframe)
    try:
        return cut_folds(labelled.times, params.split, params.label.horizon, bar)
    except InputError as error:
        n_candles = labelled.n_rows + sum(labelled.lost.values())
        raise InputError(f"{error} Of {n_candles:,} candles {in_words(labelled.lost)}.") from None

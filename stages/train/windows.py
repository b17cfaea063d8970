"""Windows of the feature table: where they end, which are whole, and what their rows are like.

A window is known by the position of its last row in one table of all symbols; only a batch copies it out.
"""

from collections.abc import Iterable

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from stages.common.arrays import Bools, Floats, Ints
from stages.common.bars import stretches
from stages.common.errors import InputError


def stack_features(features: Iterable[pd.DataFrame]) -> tuple[list[str], NDArray[np.float32]]:
    """Names of the features, and the symbols' tables below each other, shape (n_rows, n_features).

    Raises InputError unless all tables have the same columns: close_time and the features.
    """
    columns, parts = list[str](), list[NDArray[np.float32]]()
    for table in features:
        columns = columns or list(table.columns)
        if list(table.columns) != columns:
            raise InputError(
                "data/features must have the same columns for every symbol, as featurize leaves them; "
                f"received {columns} and {list(table.columns)}."
            )
        parts.append(table.drop(columns="close_time").to_numpy(np.float32))
    return [name for name in columns if name != "close_time"], np.concatenate(parts)


def window_ends(
    known: pd.Series, moments: pd.Series, window: int, bar: pd.Timedelta, bridge_bars: int
) -> Ints:
    """Row of a symbol's feature table with which each moment's window ends; shape (n_moments,).

    `known`: close_time of the feature table's rows. The window of a moment is the last `window` rows
    known then. -1 if no row is known at that very moment, if too few are before it, or if candles are
    missing between them, more than `bridge_bars` in a row.
    """
    stretch = pd.Series(stretches(known, bar, bridge_bars))
    whole = (stretch.shift(window - 1) == stretch).to_numpy()
    row = pd.Index(known).get_indexer(pd.Index(moments))
    return np.where((row >= 0) & whole[row], row, -1)


def feature_moments(table: NDArray[np.float32], ends: Ints, window: int) -> tuple[Floats, Floats]:
    """Mean and variance of each feature over the rows that these windows hold, each row counted once.

    `ends`: last row of each window. Two arrays of shape (n_features,). The variance of a feature that
    never changes is given as 1, so that dividing by its root leaves nought.
    """
    rows = table[held(len(table), ends, window)].astype(np.float64)
    constant = (rows == rows[0]).all(axis=0)
    return rows.mean(axis=0), np.where(constant, 1.0, rows.var(axis=0))


def feature_range(table: NDArray[np.float32], ends: Ints, window: int) -> tuple[Floats, Floats]:
    """Least and greatest value of each feature in these windows; two arrays of shape (n_features,)."""
    rows = table[held(len(table), ends, window)]
    return rows.min(axis=0).astype(np.float64), rows.max(axis=0).astype(np.float64)


def held(n_rows: int, ends: Ints, window: int) -> Bools:
    """Whether each row of a table is in one of the windows that end with these rows; shape (n_rows,)."""
    inside = np.zeros(n_rows, dtype=np.bool_)
    for bars_back in range(window):
        inside[ends - bars_back] = True
    return inside

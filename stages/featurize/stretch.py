"""Windows of many stretches of candles at once, none of which reaches beyond its own."""

import numpy as np
import pandas as pd
import talib
from pandas.api.indexers import BaseIndexer
from pandas.api.typing import Rolling

from stages.common.arrays import Ints
from stages.common.bars import each_stretch


def rolling(values: pd.Series, start: Ints, bars: int) -> "Rolling[pd.Series]":
    """The last `bars` rows of each row's stretch, for a mean or a sum; NaN where it has fewer.

    `values`: shape (n_bars,), any unit. `start`: the row at which each row's stretch begins. A stretch
    gets the bits that it would get by itself: pandas starts a sum anew where a window shares no row with
    the one before.
    """
    return values.rolling(StretchWindow(window_size=bars, start=start))


def span(high: pd.Series, low: pd.Series, start: Ints, bars: int) -> pd.Series:
    """Highest high less lowest low of the last `bars` rows of each row's stretch; NaN where it has fewer.

    In the unit of both; shape (n_bars,). By TA-Lib, which is several times as fast as pandas.
    """
    highest = each_stretch(talib.MAX, start, high, timeperiod=bars)
    return pd.Series(highest - each_stretch(talib.MIN, start, low, timeperiod=bars))


class StretchWindow(BaseIndexer):
    """The rows (t - window_size, t], but none before `start[t]`."""

    start: Ints
    window_size: int

    def get_window_bounds(
        self,
        num_values: int = 0,
        min_periods: int | None = None,  # noqa: ARG002  (pandas asks for all of these)
        center: bool | None = None,  # noqa: ARG002, FBT001
        closed: str | None = None,  # noqa: ARG002
        step: int | None = None,  # noqa: ARG002
    ) -> tuple[Ints, Ints]:
        """First row of each window, and the row after its last; shape (num_values,) each."""
        end = np.arange(1, num_values + 1, dtype=np.int64)
        return np.maximum(end - self.window_size, self.start), end

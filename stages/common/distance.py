"""How far a price has gone from its own averages."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from stages.common.arrays import Ints
from stages.common.bars import true_range

AVERAGES = (4, 14, 24, 72, 168, 720)  # bars: of hourly candles, hours to a month
FARTHEST = 3.0  # so that one crash doesn't turn a line
STILL = 1e-5  # of the close: the least mean range, for some markets hardly move


def distances(candles: pd.DataFrame, stretch: Ints, averages: Sequence[int] = AVERAGES) -> pd.DataFrame:
    """Log of the close over its exponential average of n bars, in units of what n bars do; a row a candle.

    The unit is the mean true range of the longest of `averages` (bars, rising), over the close, times the
    root of n. Ends at FARTHEST either way; NaN until the stretch has as many bars. Columns: distance_n. Row
    t uses bars up to t of its stretch.
    """
    close = candles["close"].to_numpy(np.float64)
    ranges = pd.Series(true_range(candles, stretch) / close).groupby(stretch)
    usual = ranges.rolling(averages[-1]).mean().to_numpy().clip(min=STILL)
    log_close = pd.Series(np.log(close))
    by_stretch = log_close.groupby(stretch)
    columns = {}
    for n in averages:
        average = by_stretch.ewm(span=n, adjust=False).mean().to_numpy()
        columns[f"distance_{n}"] = (log_close - average) / (usual * np.sqrt(n))
    return pd.DataFrame(columns).clip(-FARTHEST, FARTHEST)

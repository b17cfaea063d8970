"""Group `distance`: how far the close is from its own averages."""

import pandas as pd

from stages.common.arrays import Ints
from stages.common.distance import distances


def distance_features(candles: pd.DataFrame, start: Ints, windows: list[int]) -> pd.DataFrame:
    """Size of the distance to the average of each window, whichever way: far off, a market moves more.

    Columns: those of `distances`, from 0 to FARTHEST. Row t uses bars up to t of its stretch.
    """
    return distances(candles, start, [w for w in windows if w > 1]).abs()

"""Group `clock`: the hour at which the bars to come begin."""

import numpy as np
import pandas as pd

from stages.common.arrays import Ints
from stages.common.bars import MONDAY


def clock_features(candles: pd.DataFrame, _start: Ints, _windows: list[int]) -> pd.DataFrame:
    """Hour of day and of week (UTC) at the close of bar t, when the next bar begins; known in advance.

    hour_of_day_*, hour_of_week_*: two harmonics each, sine and cosine, so that 23:00 is next to 0:00.
    weekend: 1 from Saturday 00:00 to Monday 00:00, else 0.
    """
    hour = (candles["close_time"] - MONDAY) / pd.Timedelta(hours=1)
    columns: dict[str, pd.Series] = {}
    for name, period in {"hour_of_day": 24, "hour_of_week": 168}.items():
        since = hour % period
        for harmonic in (1, 2):
            angle = 2 * np.pi * harmonic * since / period
            columns[f"{name}_sin_{harmonic}"] = pd.Series(np.sin(angle))
            columns[f"{name}_cos_{harmonic}"] = pd.Series(np.cos(angle))
    columns["weekend"] = (hour % 168 >= 120).astype(float)
    return pd.DataFrame(columns, copy=False)

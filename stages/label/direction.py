"""Which way? The triple barrier: López de Prado (2018), Advances in Financial Machine Learning, ch. 3."""

import numpy as np
import pandas as pd

from stages.common.arrays import Ints
from stages.label.params import DirectionParams
from stages.label.question import Question


def make_targets(bars: pd.DataFrame, rows: Ints, horizon: int, settings: DirectionParams) -> pd.DataFrame:
    """Which barrier was touched first, within `horizon` bars of the close of each bar in `rows`.

    `bars`: candles with their `atr`, n_bars of them; `rows`: positions of shape (n,), each with
    `horizon` more bars after it. Returns n rows: `y`, 1 where close + up_atr ATR was touched before
    close - down_atr ATR, else 0; `end`, the position of the bar that touched, or of the last one. Row t
    looks ahead, up to `end`.

    The order of prices within a bar is unknown: one that touches both barriers counts by the sign of
    its close against the close of t. So does a time-out, unless `timeout` is zero.
    """
    high, low, close, atr = (bars[name].to_numpy(np.float64) for name in ("high", "low", "close", "atr"))
    up = close[rows] + settings.up_atr * atr[rows]
    down = close[rows] - settings.down_atr * atr[rows]

    end = rows + horizon
    for ahead in range(horizon - 1, 0, -1):  # backwards, so that the first touch has the last word
        touches = (high[rows + ahead] >= up) | (low[rows + ahead] <= down)
        end = np.where(touches, rows + ahead, end)

    touches_up, touches_down = high[end] >= up, low[end] <= down
    y = np.where(touches_up == touches_down, close[end] > close[rows], touches_up)
    if settings.timeout == "zero":
        y = y & (touches_up | touches_down)
    return pd.DataFrame({"y": y.astype(np.float64), "end": end})


QUESTION = Question(make_targets=make_targets)

"""How far down? The deepest fall of the close within the horizon, relative to today's close."""

import numpy as np
import pandas as pd

from stages.common.arrays import Ints
from stages.label.params import DrawdownParams
from stages.label.question import Question


def make_targets(bars: pd.DataFrame, rows: Ints, horizon: int, settings: DrawdownParams) -> pd.DataFrame:
    """How far the close falls below that of each bar in `rows`, within `horizon` bars after it.

    `bars`: candles with their `atr`, n_bars of them; `rows`: positions of shape (n,), each with `horizon`
    more bars after it. Returns n rows: `y`, the close at t less the lowest of the closes t+1 ... t+horizon,
    relative to the close at t; `end`, the position t + horizon. Row t looks ahead, up to `end`. A fall of
    less than least_atr ATR(14), or none at all, counts as that many: nothing has no logarithm.
    """
    close, atr = (bars[name].to_numpy(np.float64) for name in ("close", "atr"))
    lowest = np.min([close[rows + ahead] for ahead in range(1, horizon + 1)], axis=0)
    fall = np.maximum(close[rows] - lowest, settings.least_atr * atr[rows])
    return pd.DataFrame({"y": fall / close[rows], "end": rows + horizon})


QUESTION = Question(make_targets=make_targets)

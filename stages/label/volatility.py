"""How much? The average range of a bar at the horizon, relative to today's close."""

import numpy as np
import pandas as pd

from stages.common.arrays import Ints
from stages.label.params import VolatilityParams
from stages.label.question import Question


def make_targets(bars: pd.DataFrame, rows: Ints, horizon: int, settings: VolatilityParams) -> pd.DataFrame:
    """How far a bar moves, `horizon` bars after the close of each bar in `rows`.

    `bars`: candles with their `true_range` and `atr`, n_bars of them; `rows`: positions of shape (n,),
    each with `horizon` more bars after it. Returns n rows: `y`, relative to the close at t, is ATR(14)
    at t + horizon (target atr), or the mean true range of bars t+1 ... t+horizon (target true_range),
    which shares nothing with today's ATR; `end`, the position t + horizon. Row t looks ahead, up to `end`.
    """
    true_range, atr, close = (bars[name].to_numpy(np.float64) for name in ("true_range", "atr", "close"))
    end = rows + horizon
    if settings.target == "atr":
        ahead = atr[end]
    else:
        ahead = np.mean([true_range[rows + bar] for bar in range(1, horizon + 1)], axis=0)
    return pd.DataFrame({"y": ahead / close[rows], "end": end})


QUESTION = Question(make_targets=make_targets)

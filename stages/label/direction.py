"""Which way? The triple barrier: López de Prado (2018), Advances in Financial Machine Learning, ch. 3."""

import numpy as np
import pandas as pd

from stages.common.arrays import Floats, Ints
from stages.label.params import DirectionParams
from stages.label.question import Question

BLOCK = 16_384  # rows at a time, so that what they look at stays in the processor's cache


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

    end = np.empty_like(rows)
    for start in range(0, len(rows), BLOCK):
        some = slice(start, start + BLOCK)
        first, last = rows[some][0], rows[some][-1] + horizon
        window = slice(first, last + 1)
        here = rows[some] - first
        end[some] = first + first_touch(high[window], low[window], here, (up[some], down[some]), horizon)

    touches_up, touches_down = high[end] >= up, low[end] <= down
    y = np.where(touches_up == touches_down, close[end] > close[rows], touches_up)
    if settings.timeout == "zero":
        y = y & (touches_up | touches_down)
    return pd.DataFrame({"y": y.astype(np.float64), "end": end})


def first_touch(
    high: Floats, low: Floats, rows: Ints, barriers: tuple[Floats, Floats], horizon: int
) -> Ints:
    """The first bar after each row with a high of `up` or a low of `down`, its barriers; shape (n,).

    The last of `horizon` bars where none before it has. `high`, `low`: shape (n_bars,); `rows`: rising
    positions of shape (n,), the last of which has `horizon` bars after it; `up`, `down`: shape (n,).

    Extremes of 1, 2, 4, ... bars are made first; the widest window that touches nothing is skipped, then
    one of half its width, and so on. So it takes log2(horizon) steps, wherever the barriers are.
    Source: the sparse table of Bender and Farach-Colton (2000), The LCA Problem Revisited.
    """
    up, down = barriers
    highest, lowest = [high], [low]
    for level in range((horizon - 1).bit_length() - 1):
        highest.append(beside(np.maximum, highest[-1], 1 << level))
        lowest.append(beside(np.minimum, lowest[-1], 1 << level))
    end = rows + 1
    for level in reversed(range((horizon - 1).bit_length())):
        bar = np.minimum(end, len(high) - 1)
        free = (highest[level][bar] < up) & (lowest[level][bar] > down)
        end += free.astype(np.int64) << level
    return np.minimum(end, rows + horizon)


def beside(extreme: np.ufunc, of_bars: Floats, width: int) -> Floats:
    """Each bar's extreme and that of `width` bars later, in one; as it is where no bar is left."""
    both = of_bars.copy()
    both[:-width] = extreme(of_bars[:-width], of_bars[width:])
    return both


QUESTION = Question(make_targets=make_targets)

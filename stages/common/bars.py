"""True range and ATR: the same numbers wherever they are needed, and where candles stop being adjacent."""

import numpy as np
import pandas as pd
import talib

from stages.common.arrays import Floats, Ints

ATR_PERIOD = 14
MINUTES = {"m": 1, "h": 60, "d": 1440, "w": 10080}


def bar_length(timeframe: str) -> pd.Timedelta:
    """Length of a bar, from its name in ccxt's terms: 1m, 15m, 1h, 4h, 1d, 1w."""
    return pd.Timedelta(minutes=int(timeframe[:-1]) * MINUTES[timeframe[-1]]).as_unit("ms")


def stretches(open_time: pd.Series, bar: pd.Timedelta, bridge_bars: int) -> Ints:
    """Number of the contiguous stretch that each candle belongs to, counted from 0; shape (n_bars,).

    A gap of up to `bridge_bars` missing candles is bridged: its neighbours count as adjacent. A longer
    one starts a new stretch, in which nothing of the old one is remembered. Row t uses rows up to t.
    """
    starts = (open_time.diff() > (bridge_bars + 1) * bar).to_numpy()
    return np.cumsum(starts, dtype=np.int64)


def true_range(candles: pd.DataFrame, stretch: Ints) -> Floats:
    """Wilder's true range, in quote currency; shape (n_bars,); row t uses bars t-1 and t.

    max(high, close[t-1]) - min(low, close[t-1]); of a stretch's first bar, high - low.
    Source: Wilder (1978), New Concepts in Technical Trading Systems.
    """
    high, low = candles["high"].to_numpy(np.float64), candles["low"].to_numpy(np.float64)
    previous_close = candles["close"].groupby(stretch).shift().to_numpy(np.float64)
    return np.fmax(high, previous_close) - np.fmin(low, previous_close)


def atr(candles: pd.DataFrame, stretch: Ints) -> Floats:
    """Wilder's ATR(14), in quote currency; shape (n_bars,); row t uses bars up to t of its stretch.

    NaN for a stretch's first 14 bars: it starts as the mean of the first 14 true ranges that have a
    previous close, then ATR[t] = (13 ATR[t-1] + TR[t]) / 14. Source: Wilder (1978), as in TA-Lib.
    """
    result = np.full(len(candles), np.nan)
    for rows in np.split(np.arange(len(candles)), np.flatnonzero(np.diff(stretch)) + 1):
        high, low, close = (candles[name].to_numpy(np.float64)[rows] for name in ("high", "low", "close"))
        result[rows] = talib.ATR(high, low, close, ATR_PERIOD)
    return result

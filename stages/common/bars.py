"""True range, ATR, hour of the week: the same wherever needed, and where candles stop being adjacent."""

from collections.abc import Callable

import numpy as np
import pandas as pd
import talib

from stages.common.arrays import Floats, Ints

ATR_PERIOD = 14
MONDAY = pd.Timestamp("1970-01-05", tz="UTC")
MINUTES = {"m": 1, "h": 60, "d": 1440, "w": 10080}


def bar_length(timeframe: str) -> pd.Timedelta:
    """Length of a bar, from its name in ccxt's terms: 1m, 15m, 1h, 4h, 1d, 1w."""
    return pd.Timedelta(minutes=int(timeframe[:-1]) * MINUTES[timeframe[-1]]).as_unit("ms")


def hour_of_week(time: pd.Series) -> Ints:
    """Hours since Monday 00:00 UTC, 0 to 167, whatever the timeframe; shape (n_rows,)."""
    return (24 * time.dt.day_of_week + time.dt.hour).to_numpy(np.int64)


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
    prices = (candles[name] for name in ("high", "low", "close"))
    return each_stretch(talib.ATR, stretch, *prices, timeperiod=ATR_PERIOD)


def each_stretch(
    indicator: Callable[..., Floats], stretch: Ints, *prices: pd.Series, **periods: int
) -> Floats:
    """TA-Lib's `indicator`, which remembers all that came before, begun anew in each stretch.

    `prices`: shape (n_bars,). `stretch`: a number that tells each row's stretch from its neighbours.
    Returns shape (n_bars,), or (k, n_bars) of an indicator that gives k lines. Row t uses rows up to t of
    its stretch.
    """
    edges = np.flatnonzero(np.diff(stretch)) + 1
    parts = zip(*(np.split(price.to_numpy(np.float64), edges) for price in prices), strict=True)
    return np.concatenate([indicator(*part, **periods) for part in parts], axis=-1)

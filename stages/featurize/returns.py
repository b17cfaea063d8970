"""Group `returns`: where the close went."""

import numpy as np
import pandas as pd

from stages.common.arrays import Ints
from stages.featurize.ratios import share
from stages.featurize.stretch import rolling


def return_features(candles: pd.DataFrame, start: Ints, windows: list[int]) -> pd.DataFrame:
    """Returns and their persistence over each window; row t uses the closes of bars t - longest to t.

    return_w: log return over w bars, in units of what a random walk of the longest window's volatility
    does in w bars: r / (sqrt(w) sigma).
    trend_w, in [-1, 1]: log return over w bars as a share of all movement in them, the signed efficiency
    ratio of Kaufman (1995), Smarter Trading. Not for w = 1, of which it is but the sign.
    """
    by_bar = log_return(candles["close"], start, 1)
    volatility = rolling(by_bar.pow(2), start, windows[-1]).mean().pow(0.5)
    moves = {w: log_return(candles["close"], start, w) for w in windows}
    columns = {f"return_{w}": share(move, volatility * w**0.5) for w, move in moves.items()}
    for w, move in moves.items():
        if w > 1:
            columns[f"trend_{w}"] = share(move, rolling(by_bar.abs(), start, w).sum())
    return pd.DataFrame(columns, copy=False)


def log_return(close: pd.Series, start: Ints, bars: int) -> pd.Series:
    """ln(close[t] / close[t - bars]); shape (n_bars,); NaN for the first `bars` rows of a stretch."""
    return pd.Series(np.log(close / close.groupby(start).shift(bars)))

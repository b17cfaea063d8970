"""Group `returns`: where the close went."""

import numpy as np
import pandas as pd

from stages.featurize.ratios import share


def return_features(candles: pd.DataFrame, windows: list[int]) -> pd.DataFrame:
    """Returns and their persistence over each window; row t uses the closes of bars t - longest to t.

    return_w: log return over w bars, in units of what a random walk of the longest window's volatility
    does in w bars: r / (sqrt(w) sigma).
    trend_w, in [-1, 1]: log return over w bars as a share of all movement in them, the signed efficiency
    ratio of Kaufman (1995), Smarter Trading. Not for w = 1, of which it is but the sign.
    """
    by_bar = log_return(candles["close"], 1)
    volatility = by_bar.pow(2).rolling(windows[-1]).mean().pow(0.5)
    columns = {}
    for w in windows:
        columns[f"return_{w}"] = share(log_return(candles["close"], w), volatility * w**0.5)
    for w in windows:
        if w > 1:
            columns[f"trend_{w}"] = share(log_return(candles["close"], w), by_bar.abs().rolling(w).sum())
    return pd.DataFrame(columns)


def log_return(close: pd.Series, bars: int) -> pd.Series:
    """ln(close[t] / close[t - bars]); shape (n_bars,); NaN for the first `bars` rows."""
    return pd.Series(np.log(close / close.shift(bars)))

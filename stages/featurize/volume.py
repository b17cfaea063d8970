"""Group `volume`: how much was traded, and at what price."""

import pandas as pd

from stages.common.arrays import Ints
from stages.featurize.ratios import log_means, share
from stages.featurize.stretch import rolling, span


def volume_features(candles: pd.DataFrame, start: Ints, windows: list[int]) -> pd.DataFrame:
    """Volume over each window; row t uses the bars (t - longest, t].

    volume_w: mean volume of w bars as the log ratio to its mean over the longest window.
    vwap_w, in [-1, 1]: close less the volume-weighted typical price of w bars, as a share of their
    highest high less lowest low; 0 where nothing was traded. Not for w = 1, a matter of one bar's shape.
    """
    high, low, close, volume = (candles[name] for name in ("high", "low", "close", "volume"))
    turnover = volume * (high + low + close) / 3
    columns = log_means("volume", volume, start, windows)
    for w in windows:
        if w > 1:
            vwap = rolling(turnover, start, w).sum() / rolling(volume, start, w).sum()
            columns[f"vwap_{w}"] = share(close - vwap.fillna(close), span(high, low, start, w))
    return pd.DataFrame(columns, copy=False)

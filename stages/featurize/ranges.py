"""Group `ranges`: how far prices moved, whichever way, on a log scale."""

import numpy as np
import pandas as pd

from stages.common.arrays import Ints
from stages.common.bars import atr, true_range
from stages.featurize.ratios import STILL, log_means, log_ratio
from stages.featurize.stretch import rolling, span


def range_features(candles: pd.DataFrame, start: Ints, windows: list[int]) -> pd.DataFrame:
    """Ranges over each window; row t uses the bars (t - longest, t], but ATR(14) the whole stretch.

    true_range_w: mean of true range over close, as the log ratio to its mean over the longest window;
    for the longest window the log of that mean itself, the level that the others are seen against.
    atr_14, span_w: the same log ratio of ATR(14) over close, and of highest high less lowest low of w
    bars over sqrt(w) close, which a random walk keeps around 0 whatever w.
    parkinson_w, garman_klass_w, rogers_satchell_w: log ratio of mean variances to the longest window's.
    """
    high, low, close = candles["high"], candles["low"], candles["close"]
    relative_range = pd.Series(true_range(candles, start)) / close
    usual = rolling(relative_range, start, windows[-1]).mean()
    columns = log_means("true_range", relative_range, start, windows)
    columns[f"true_range_{windows[-1]}"] = np.log(usual.clip(lower=STILL))
    columns["atr_14"] = log_ratio(pd.Series(atr(candles, start)) / close, usual)
    for w in windows:
        if w > 1:
            columns[f"span_{w}"] = log_ratio(span(high, low, start, w) / close / np.sqrt(w), usual)
    for variance in (parkinson, garman_klass, rogers_satchell):
        columns |= log_means(variance.__name__, variance(candles), start, windows)
    return pd.DataFrame(columns, copy=False)


def parkinson(candles: pd.DataFrame) -> pd.Series:
    """Variance of log price within each bar, from its range: ln(H/L)^2 / (4 ln 2); shape (n_bars,).

    Squared log-return per bar; row t uses bar t only.
    Source: Parkinson (1980), Journal of Business 53(1), 61-65.
    """
    return np.log(candles["high"] / candles["low"]) ** 2 / (4 * np.log(2))


def garman_klass(candles: pd.DataFrame) -> pd.Series:
    """Variance of log price within each bar: ln(H/L)^2 / 2 - (2 ln 2 - 1) ln(C/O)^2; shape (n_bars,).

    Squared log-return per bar; row t uses bar t only.
    Source: Garman and Klass (1980), Journal of Business 53(1), 67-78.
    """
    range_squared = np.log(candles["high"] / candles["low"]) ** 2
    return range_squared / 2 - (2 * np.log(2) - 1) * np.log(candles["close"] / candles["open"]) ** 2


def rogers_satchell(candles: pd.DataFrame) -> pd.Series:
    """Variance of log price within each bar, free of its drift; shape (n_bars,).

    ln(H/C) ln(H/O) + ln(L/C) ln(L/O), squared log-return per bar; row t uses bar t only.
    Source: Rogers and Satchell (1991), Annals of Applied Probability 1(4), 504-512.
    """
    above = np.log(candles["high"] / candles["close"]) * np.log(candles["high"] / candles["open"])
    below = np.log(candles["low"] / candles["close"]) * np.log(candles["low"] / candles["open"])
    return above + below

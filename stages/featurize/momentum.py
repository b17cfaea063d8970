"""Group `momentum`: TA-Lib's indicators, at their customary periods."""

import pandas as pd
import talib

from stages.common.arrays import Ints
from stages.common.bars import atr, each_stretch
from stages.featurize.ratios import STILL, share


def momentum_features(candles: pd.DataFrame, start: Ints, _windows: list[int]) -> pd.DataFrame:
    """Indicators that lie within about [-1, 1] (the MACD within a few).

    Row t uses bars up to t of its stretch.

    rsi_14: 2 RSI / 100 - 1, which TA-Lib calls CMO, and unlike its RSI is in the middle when nothing moves.
    macd, macd_histogram: of 12, 26 and 9 bars, in ATR(14).
    adx_14, di_14: strength of the trend, and its direction, +DI less -DI; both / 100.
    aroon_25: / 100; positive if the highest high came after the lowest low.
    stochastic_14: where the close stands between lowest low (-1) and highest high (1) of 14 bars.
    """
    high, low, close = candles["high"], candles["low"], candles["close"]
    # Without the floor, a market that stands still for weeks divides rounding errors by next to nothing.
    floored_atr = pd.Series(atr(candles, start)).clip(lower=STILL * close)
    macd, _, histogram = each_stretch(
        talib.MACD, start, close, fastperiod=12, slowperiod=26, signalperiod=9
    )
    rise = each_stretch(talib.PLUS_DI, start, high, low, close, timeperiod=14)
    fall = each_stretch(talib.MINUS_DI, start, high, low, close, timeperiod=14)
    highest = pd.Series(each_stretch(talib.MAX, start, high, timeperiod=14))
    lowest = pd.Series(each_stretch(talib.MIN, start, low, timeperiod=14))
    return pd.DataFrame(
        {
            "rsi_14": each_stretch(talib.CMO, start, close, timeperiod=14) / 100,
            "macd": macd / floored_atr,
            "macd_histogram": histogram / floored_atr,
            "adx_14": each_stretch(talib.ADX, start, high, low, close, timeperiod=14) / 100,
            "di_14": (rise - fall) / 100,
            "aroon_25": each_stretch(talib.AROONOSC, start, high, low, timeperiod=25) / 100,
            "stochastic_14": share(2 * close - highest - lowest, highest - lowest),
        }
    )

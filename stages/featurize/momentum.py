"""Group `momentum`: TA-Lib's indicators, at their customary periods."""

import pandas as pd
import talib

from stages.featurize.ratios import STILL, share


def momentum_features(candles: pd.DataFrame, _windows: list[int]) -> pd.DataFrame:
    """Indicators that lie within about [-1, 1] (the MACD within a few); row t uses bars up to t.

    rsi_14: 2 RSI / 100 - 1, which TA-Lib calls CMO, and unlike its RSI is in the middle when nothing moves.
    macd, macd_histogram: of 12, 26 and 9 bars, in ATR(14).
    adx_14, di_14: strength of the trend, and its direction, +DI less -DI; both / 100.
    aroon_25: / 100; positive if the highest high came after the lowest low.
    stochastic_14: where the close stands between lowest low (-1) and highest high (1) of 14 bars.
    """
    high, low, close = candles["high"], candles["low"], candles["close"]
    # Without the floor, a market that stands still for weeks divides rounding errors by next to nothing.
    atr = talib.ATR(high, low, close, 14).clip(lower=STILL * close)
    macd, _, histogram = talib.MACD(close, 12, 26, 9)
    highest, lowest = talib.MAX(high, 14), talib.MIN(low, 14)
    return pd.DataFrame(
        {
            "rsi_14": talib.CMO(close, 14) / 100,
            "macd": macd / atr,
            "macd_histogram": histogram / atr,
            "adx_14": talib.ADX(high, low, close, 14) / 100,
            "di_14": (talib.PLUS_DI(high, low, close, 14) - talib.MINUS_DI(high, low, close, 14)) / 100,
            "aroon_25": talib.AROONOSC(high, low, 25) / 100,
            "stochastic_14": share(2 * close - highest - lowest, highest - lowest),
        }
    )

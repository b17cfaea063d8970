from itertools import pairwise

import numpy as np
import pandas as pd
import pytest

from stages.featurize.momentum import momentum_features


def momentum_of(candles: pd.DataFrame) -> pd.DataFrame:
    """The group's columns of candles that are one stretch."""
    return momentum_features(candles, np.zeros(len(candles), dtype=np.int64), [])


def test_rsi_equals_wilders_loop(candles):
    """rsi_14 is Wilder's RSI, moved from 0 ... 100 to -1 ... 1."""
    close = candles["close"].iloc[:80].tolist()
    moves = [later - earlier for earlier, later in pairwise(close)]
    gain, loss = sum(max(m, 0) for m in moves[:14]) / 14, sum(max(-m, 0) for m in moves[:14]) / 14
    expected = [100 - 100 / (1 + gain / loss)]
    for move in moves[14:]:
        gain, loss = (13 * gain + max(move, 0)) / 14, (13 * loss + max(-move, 0)) / 14
        expected.append(100 - 100 / (1 + gain / loss))

    actual = momentum_of(candles.iloc[:80])["rsi_14"]
    np.testing.assert_allclose(actual.iloc[14:], np.array(expected) / 50 - 1, rtol=1e-9)


def test_macd_equals_its_written_recursion(candles):
    """MACD over ATR(14): both are averages that forget, so late rows don't depend on how they began."""
    part = candles.iloc[:1500]
    ema = {n: part["close"].ewm(alpha=2 / (n + 1), adjust=False).mean() for n in (12, 26)}
    before = part["close"].shift()
    true_range = np.maximum(part["high"], before) - np.minimum(part["low"], before)
    atr = true_range.ewm(alpha=1 / 14, adjust=False).mean()

    macd = ema[12] - ema[26]
    histogram = macd - macd.ewm(alpha=2 / 10, adjust=False).mean()
    actual = momentum_of(part).iloc[-500:]
    np.testing.assert_allclose(actual["macd"], (macd / atr).iloc[-500:], rtol=1e-6)
    np.testing.assert_allclose(actual["macd_histogram"], (histogram / atr).iloc[-500:], rtol=1e-6)


@pytest.mark.parametrize("side", [1, -1])
def test_indicators_take_the_side_of_the_market(side):
    """Where prices rise ever faster all indicators are positive; in the mirror all but ADX negative."""
    close = np.exp(side * 0.0001 * np.arange(100) ** 1.5)
    market = pd.DataFrame({"high": close * 1.001, "low": close * 0.999, "close": close})
    last = momentum_of(market).iloc[-1]

    assert last.drop("adx_14").mul(side).gt(0).all()
    assert last["adx_14"] > 0.9
    assert last["rsi_14"] == pytest.approx(side)


def test_indicators_are_bounded(candles):
    """All but the MACD lie in [-1, 1]."""
    bounded = momentum_of(candles).drop(columns=["macd", "macd_histogram"])
    assert bounded.min().ge(-1 - 1e-9).all()
    assert bounded.max().le(1 + 1e-9).all()


def test_stochastic_by_hand(candles):
    """Where the close stands between the lowest low and the highest high of 14 bars."""
    actual = momentum_of(candles)["stochastic_14"]
    for t in range(13, 200):
        last = candles.iloc[t - 13 : t + 1]
        low, high = last["low"].min(), last["high"].max()
        expected = 2 * (last["close"].iloc[-1] - low) / (high - low) - 1
        assert actual.iloc[t] == pytest.approx(expected, abs=1e-9)

import numpy as np
import pandas as pd
import pytest

from stages.featurize.volume import volume_features


def volume_of(candles: pd.DataFrame, windows: list[int]) -> pd.DataFrame:
    """The group's columns of candles that are one stretch."""
    return volume_features(candles, np.zeros(len(candles), dtype=np.int64), windows)


def test_volume_equals_the_textbook_loop(candles):
    """Mean volume of w bars as a log ratio to the longest window's mean."""
    volume, actual = candles["volume"].tolist(), volume_of(candles, [1, 4, 24])
    for t in range(23, 60):
        usual = sum(volume[t - 23 : t + 1]) / 24
        assert actual["volume_1"].iloc[t] == pytest.approx(np.log(volume[t] / usual))
        assert actual["volume_4"].iloc[t] == pytest.approx(np.log(sum(volume[t - 3 : t + 1]) / 4 / usual))


def test_vwap_equals_the_textbook_loop(candles):
    """Close less the volume-weighted typical price, as a share of the window's whole range."""
    actual = volume_of(candles, [1, 4, 24])
    for t in range(23, 60):
        last = candles.iloc[t - 3 : t + 1]
        typical = (last["high"] + last["low"] + last["close"]) / 3
        vwap = np.average(typical, weights=last["volume"])
        expected = (last["close"].iloc[-1] - vwap) / (last["high"].max() - last["low"].min())
        assert actual["vwap_4"].iloc[t] == pytest.approx(expected, abs=1e-9)


def test_vwap_is_nil_where_nothing_was_traded(candles):
    """Without a trade there is no average price to be above or below of."""
    silent = candles.iloc[:60].assign(volume=np.r_[candles["volume"].iloc[:40], np.zeros(20)])
    actual = volume_of(silent, [1, 4, 24])
    assert actual["vwap_4"].iloc[43:].eq(0).all()
    assert actual["vwap_24"].iloc[43:].ne(0).all()


def test_a_silent_bar_has_the_floor_for_its_volume():
    """Volume 0 among trades is a hundredth of the usual, not minus infinity."""
    candles = pd.DataFrame(1.0, index=range(10), columns=["high", "low", "close", "volume"])
    candles.loc[9, "volume"] = 0.0
    assert volume_of(candles, [1, 4])["volume_1"].iloc[-1] == pytest.approx(np.log(0.01))

import numpy as np
import pandas as pd
import pytest

from stages.featurize.returns import return_features


def returns_of(candles: pd.DataFrame, windows: list[int]) -> pd.DataFrame:
    """The group's columns of candles that are one stretch."""
    return return_features(candles, np.zeros(len(candles), dtype=np.int64), windows)


def test_returns_equal_the_textbook_loop(candles):
    """Log return over w bars, in units of sqrt(w) times the root mean square of the longest window's."""
    close = candles["close"].to_numpy()[:60]
    actual = returns_of(candles.iloc[:60], [1, 4, 24])

    for t in range(24, 60):
        squares = [np.log(close[i] / close[i - 1]) ** 2 for i in range(t - 23, t + 1)]
        volatility = np.sqrt(sum(squares) / 24)
        for w in (1, 4, 24):
            expected = np.log(close[t] / close[t - w]) / (volatility * np.sqrt(w))
            assert actual[f"return_{w}"].iloc[t] == pytest.approx(expected, rel=1e-9)
    assert actual["return_1"].iloc[:24].isna().all()


def test_trend_is_the_net_share_of_all_movement():
    """+1 where every bar rises, -1 where every bar falls, 0 for up and back down again."""
    steps = [0, 1, 2, 3, 4, 3, 2, 1, 0, 0, 0, 0, 0]
    actual = returns_of(pd.DataFrame({"close": np.exp(0.01 * np.array(steps))}), [1, 4])

    expected = [1, 0.5, 0, -0.5, -1, -1, -1, -1, 0]
    np.testing.assert_allclose(actual["trend_4"].iloc[4:], expected, atol=1e-9)
    assert "trend_1" not in actual


def test_returns_of_a_random_walk_have_unit_spread(candles):
    """Over whichever window, a return's spread is of order one, so that windows can be compared."""
    spread = returns_of(candles, [1, 4, 24, 168]).filter(like="return").std()
    assert spread.between(0.7, 1.4).all()

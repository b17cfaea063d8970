from itertools import pairwise
from math import log, sqrt

import numpy as np
import pandas as pd
import pytest

from stages.featurize.ranges import garman_klass, parkinson, range_features, rogers_satchell

WINDOWS = [1, 4, 24]


def bars(candles: pd.DataFrame) -> list[tuple[float, float, float, float]]:
    """The candles as (open, high, low, close), for a loop."""
    return list(candles[["open", "high", "low", "close"]].itertuples(index=False, name=None))


def ranges_of(candles: pd.DataFrame, windows: list[int]) -> pd.DataFrame:
    """The group's columns of candles that are one stretch."""
    return range_features(candles, np.zeros(len(candles), dtype=np.int64), windows)


def test_variances_equal_their_textbook_formulas(candles):
    """Parkinson, Garman-Klass and Rogers-Satchell, bar by bar as their papers print them."""
    pairs = zip(
        bars(candles.iloc[:50]), parkinson(candles), garman_klass(candles), rogers_satchell(candles),
        strict=False,
    )  # fmt: skip
    for (o, h, low, c), p, gk, rs in pairs:
        up, down, drift = log(h) - log(o), log(low) - log(o), log(c) - log(o)
        assert p == pytest.approx((up - down) ** 2 / (4 * log(2)))
        assert gk == pytest.approx(0.5 * (up - down) ** 2 - (2 * log(2) - 1) * drift**2)
        assert rs == pytest.approx(up * (up - drift) + down * (down - drift), abs=1e-15)


def test_variances_estimate_the_variance_of_a_random_walk():
    """On fine random walks all three are right on average, within the paths' coarseness."""
    rng = np.random.default_rng(1)
    path = np.exp(np.cumsum(0.01 * rng.standard_normal((4000, 400)) / 20, axis=1))
    walk = pd.DataFrame(
        {"open": 1.0, "high": path.max(axis=1), "low": path.min(axis=1), "close": path[:, -1]}
    )
    walk["high"], walk["low"] = walk["high"].clip(lower=1), walk["low"].clip(upper=1)
    for variance in (parkinson, garman_klass, rogers_satchell):
        assert variance(walk).mean() == pytest.approx(1e-4, rel=0.12)


def test_rogers_satchell_ignores_drift():
    """A bar that does nothing but rise has no variance to Rogers and Satchell, but has to Parkinson."""
    rise = pd.DataFrame({"open": [1.0], "high": [1.1], "low": [1.0], "close": [1.1]})
    assert rogers_satchell(rise).item() == 0
    assert parkinson(rise).item() > 0


def test_mean_true_ranges_equal_the_textbook_loop(candles):
    """The mean of true range over close, as a log ratio to the longest window's mean, itself a level."""
    rows = bars(candles.iloc[:60])
    relative = [(h - low) / c for _, h, low, c in rows[:1]]
    for (_, _, _, before), (_, h, low, c) in pairwise(rows):
        relative.append(max(h - low, abs(h - before), abs(low - before)) / c)

    actual = ranges_of(candles.iloc[:60], WINDOWS)
    for t in range(23, 60):
        mean = {w: sum(relative[t - w + 1 : t + 1]) / w for w in WINDOWS}
        assert actual["true_range_24"].iloc[t] == pytest.approx(log(mean[24]))
        for w in (1, 4):
            assert actual[f"true_range_{w}"].iloc[t] == pytest.approx(log(mean[w] / mean[24]), abs=1e-9)


def test_mean_variances_equal_the_textbook_loop(candles):
    """Mean variance over a window, as a log ratio to its mean over the longest."""
    actual = ranges_of(candles.iloc[:60], WINDOWS)
    for variance in (parkinson, garman_klass, rogers_satchell):
        by_bar = variance(candles).tolist()
        for t in range(23, 60):
            expected = log(sum(by_bar[t - 3 : t + 1]) / 4 / (sum(by_bar[t - 23 : t + 1]) / 24))
            assert actual[f"{variance.__name__}_4"].iloc[t] == pytest.approx(max(expected, log(0.01)))


def test_span_by_hand(candles):
    """Highest high less lowest low of w bars, over sqrt(w) close, against the mean true range."""
    actual, t = ranges_of(candles, WINDOWS), 50
    last = candles.iloc[t - 23 : t + 1]
    span = (last["high"].max() - last["low"].min()) / candles["close"].iloc[t] / sqrt(24)
    assert actual["span_24"].iloc[t] == pytest.approx(log(span) - actual["true_range_24"].iloc[t])


def test_a_calm_hour_after_a_wild_day_stands_out(candles):
    """What the short windows show is the state of volatility against its level: below 0 when it calms."""
    calm = candles.iloc[:100].copy()
    calm.loc[90:, ["open", "high", "low", "close"]] = calm["close"].iloc[89] * np.array(
        [[1, 1.00001, 0.99999, 1]]
    )
    actual = ranges_of(calm, WINDOWS).iloc[-1]
    assert actual.filter(regex="_[14]$").lt(-2).all()

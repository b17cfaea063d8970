"""How far a price has gone from its own averages."""

import numpy as np
import pytest
from pandas.testing import assert_frame_equal

from stages.common.bars import bar_length, stretches, true_range
from stages.common.distance import AVERAGES, FARTHEST, distances

HOUR = bar_length("1h")


def test_distances_equal_their_written_definition(make_candles):
    """Log of the close over a loop's average of the stretch, in mean ranges times the root of its bars."""
    candles = make_candles(1700, missing=range(800, 810))
    stretch = stretches(candles["open_time"], HOUR, bridge_bars=3)
    log_close = np.log(candles["close"].to_numpy())
    ranges = true_range(candles, stretch) / candles["close"].to_numpy()

    actual = distances(candles, stretch)

    assert list(actual.columns) == [f"distance_{n}" for n in AVERAGES]
    for n in AVERAGES:
        average = np.empty(len(candles))
        for t in range(len(candles)):
            first = t == 0 or stretch[t] != stretch[t - 1]
            average[t] = (
                log_close[t] if first else average[t - 1] + 2 / (n + 1) * (log_close[t] - average[t - 1])
            )
        for t in (719, 760, 799, 1519, 1520, 1689):
            if t - np.searchsorted(stretch, stretch[t]) < AVERAGES[-1] - 1:
                assert np.isnan(actual[f"distance_{n}"][t])
                continue
            unit = ranges[t - AVERAGES[-1] + 1 : t + 1].mean() * np.sqrt(n)
            expected = np.clip((log_close[t] - average[t]) / unit, -FARTHEST, FARTHEST)
            np.testing.assert_allclose(actual[f"distance_{n}"][t], expected, rtol=1e-9)


def test_distances_ignore_the_future(candles):
    """Dropping later candles leaves earlier rows as they are, to the last bit."""
    stretch = stretches(candles["open_time"], HOUR, bridge_bars=3)
    cut = distances(candles.iloc[:1500], stretch[:1500])
    assert_frame_equal(cut, distances(candles, stretch).iloc[:1500], check_exact=True)


@pytest.mark.parametrize("factor", [1e-6, 1e6])
def test_the_unit_of_prices_does_not_matter(make_candles, factor):
    """A coin at a millionth of the price is as far from its averages."""
    candles = make_candles(900)
    stretch = np.zeros(900, dtype=np.int64)
    prices = ["open", "high", "low", "close"]
    other = candles.assign(**{name: candles[name] * factor for name in prices})
    assert_frame_equal(distances(candles, stretch), distances(other, stretch), rtol=1e-7, atol=1e-9)


def test_a_crash_ends_where_the_farthest_is(make_candles):
    """A price that halves in a bar counts as FARTHEST, and one that never moves is no distance away."""
    candles = make_candles(800)
    prices = ["open", "high", "low", "close"]
    fallen, still = candles.copy(), candles.copy()
    fallen.loc[790:, prices] *= 0.5
    still.loc[:, prices] = 100.0
    stretch = np.zeros(800, dtype=np.int64)
    assert distances(fallen, stretch).iloc[790].eq(-FARTHEST).any()
    assert distances(still, stretch).iloc[750:].eq(0).all(axis=None)

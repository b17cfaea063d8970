import numpy as np
import pandas as pd
import pytest
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

# It has no types of its own.
from threadpoolctl import threadpool_info, threadpool_limits

from stages.baseline.boosting import boosted_probability, boosted_ratio, tree_columns
from stages.baseline.rows import RANGES, RETURNS
from stages.common.arrays import Floats


@pytest.fixture
def columns() -> Floats:
    """Three columns of three thousand rows."""
    return np.random.default_rng(1).standard_normal((3000, 3))


def test_columns_are_relative_to_the_atr():
    """Ranges come in ATR, so that a market twice as wild looks the same; then returns, hour and day."""
    logs = dict(zip(RANGES, np.log(2.0) * np.arange(6), strict=True))
    rows = pd.DataFrame(logs | {"return_1": 0.5, "return_4": -0.5, "hour_of_week": 24 * 3 + 7}, index=[0])

    actual = tree_columns(rows, RETURNS[:2])

    np.testing.assert_allclose(actual, [[*np.log([1 / 4, 1 / 2, 2, 4, 8]), 0.5, -0.5, 7, 3]])
    wilder = rows.assign(**{name: rows[name] + np.log(2) for name in RANGES})
    np.testing.assert_allclose(tree_columns(wilder, RETURNS[:2]), actual)


def test_ratio_of_columns_that_say_nothing_is_the_mean():
    """A mean, not a median: that is where QLIKE is least."""
    ratio = np.random.default_rng(2).lognormal(0, 1, 500)

    forecast = boosted_ratio(np.zeros((500, 2)), ratio, np.zeros((3, 2)))

    np.testing.assert_allclose(forecast, ratio.mean())


def test_probability_of_columns_that_say_nothing_is_the_share():
    """Without anything to split by, p is the past's share of ones."""
    y = np.r_[np.zeros(150), np.ones(50)]

    np.testing.assert_allclose(boosted_probability(np.zeros((200, 2)), y, np.zeros((3, 2))), 0.25)


def test_trees_find_what_no_line_can(columns):
    """Where the answer is how far a column is from nought, forecasts lie on the right sides."""
    wide = np.abs(columns[:, 0]) > 0.7
    rng = np.random.default_rng(3)
    ratio = np.where(wide, 1.5, 0.5) * rng.lognormal(0, 0.3, 3000)
    y = (rng.random(3000) < np.where(wide, 0.9, 0.1)).astype(np.float64)

    for forecast in (boosted_ratio(columns, ratio, columns), boosted_probability(columns, y, columns)):
        assert forecast[wide].mean() > forecast[~wide].mean() + 0.1


@pytest.mark.parametrize("kind", [HistGradientBoostingRegressor, HistGradientBoostingClassifier])
def test_trees_grow_on_one_thread(monkeypatch, columns, kind):
    """Whatever the machine allows, sums are taken in one order."""
    threads: list[int] = []
    grow = kind.fit

    def watched(self, *data):
        pools = [pool for pool in threadpool_info() if pool["user_api"] == "openmp"]
        threads.extend(pool["num_threads"] for pool in pools)
        return grow(self, *data)

    monkeypatch.setattr(kind, "fit", watched)
    y = (columns[:, 0] > 0).astype(np.float64)

    with threadpool_limits(limits=4):
        boosted_ratio(columns, y + 1, columns)
        boosted_probability(columns, y, columns)

    assert set(threads) == {1}

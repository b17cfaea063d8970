import numpy as np
import pytest

from stages.baseline.volatility import BASELINES, forecasts
from stages.common.bars import Floats


def qlike(y: Floats, f: Floats) -> float:
    """Mean QLIKE."""
    return float(np.mean(y / f - np.log(y / f) - 1))


@pytest.fixture
def rows(candles, make_volatility_labels, rows_of):
    """The rows of three thousand candles."""
    return rows_of(candles, make_volatility_labels(candles))


def test_every_baseline_has_a_column(rows, params):
    """Columns come in the table's order, are positive, and start at one common row."""
    columns = forecasts(rows, params, target="atr")

    assert list(columns) == list(BASELINES) == ["naive", "last_value", "har", "har_hour_of_week"]
    for name in ("naive", "har", "har_hour_of_week"):
        assert np.isnan(columns[name][:213]).all()
        assert (columns[name][213:] > 0).all()


def test_last_value_is_the_atr(rows, params):
    """The last value is ATR(t) over close, neither fitted nor scaled, at every row."""
    np.testing.assert_array_equal(forecasts(rows, params)["last_value"], rows["atr"])


def test_last_value_of_a_dead_market_has_a_log(rows, params):
    """An ATR of nought is floored, for the score is a log."""
    assert (forecasts(rows.assign(atr=0.0), params)["last_value"] > 0).all()


def test_naive_nests_the_last_value(rows, params):
    """Where the future is the last value times a constant, the naive forecast finds the constant."""
    columns = forecasts(rows.assign(y=1.25 * np.exp(rows["log_atr"])), params)

    np.testing.assert_allclose(columns["naive"][213:], 1.25 * rows["atr"][213:])


def test_naive_nests_the_mean(rows, params):
    """Where the future never changes, the naive forecast is that constant; so are the others."""
    columns = forecasts(rows.assign(y=0.01), params)

    for name in ("naive", "har", "har_hour_of_week"):
        np.testing.assert_allclose(columns[name][213:], 0.01)


def test_hour_of_week_pays_where_there_is_one(rows, params):
    """Of a target with a profile over the week, log-HAR misses what hour-of-week catches."""
    profile = np.exp(np.sin(rows["hour_of_week"] * 2 * np.pi / 24))
    columns = forecasts(rows.assign(y=rows["y"] * profile), params)
    y = (rows["y"] * profile).to_numpy()[800:]

    assert qlike(y, columns["har_hour_of_week"][800:]) < 0.5 * qlike(y, columns["har"][800:])

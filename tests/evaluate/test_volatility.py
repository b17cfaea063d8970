import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LinearRegression
from sklearn.metrics import mean_absolute_error, r2_score, root_mean_squared_error

from stages.evaluate import amount, volatility


@pytest.fixture
def rows():
    """Five hundred test rows of a decent volatility forecast, of two symbols."""
    rng = np.random.default_rng(1)
    score = -5 + 0.4 * rng.standard_normal(500)
    y = np.exp(score + 0.3 * rng.standard_normal(500))
    return pd.DataFrame(
        {
            "symbol": np.repeat(["BTC-USDT", "ETH-USDT"], 250),
            "y": y,
            "outcome": np.log(y),
            "score": score,
            "benchmark": -5.0,
            "forecast": np.exp(score),
            "return_per_atr": 0.8,
        }
    )


def test_block_equals_sklearns_figures(rows):
    """Errors in basis points of price, R squared, and that of a line through the forecasts."""
    y, forecast = rows["y"], rows["forecast"]
    block = volatility.block(rows, 8760)

    line = LinearRegression().fit(forecast.to_numpy()[:, None], y)
    assert block["mae"] == pytest.approx(1e4 * mean_absolute_error(y, forecast))
    assert block["rmse"] == pytest.approx(1e4 * root_mean_squared_error(y, forecast))
    assert block["r2"] == pytest.approx(r2_score(y, forecast))
    assert block["mz_r2"] == pytest.approx(line.score(forecast.to_numpy()[:, None], y))
    assert block["log_mse"] == pytest.approx(np.mean((np.log(y) - rows["score"]) ** 2))


def test_mincer_zarnowitz_is_blind_to_scale(rows):
    """A forecast twice as high is as good a regressor, but no longer as good a forecast."""
    doubled = rows.assign(forecast=2 * rows["forecast"])

    first, second = volatility.block(rows, 8760), volatility.block(doubled, 8760)

    assert second["mz_r2"] == pytest.approx(first["mz_r2"])
    assert second["r2"] < first["r2"] - 1


def test_annualised_volatility_is_the_return_spread_of_a_year():
    """An ATR of 1 % with returns .8 times as wide: .8 % an hour, times the root of 8,760 hours."""
    rows = pd.DataFrame({"y": [0.01, 0.02], "score": np.log(0.01), "forecast": 0.01, "return_per_atr": 0.8})

    assert volatility.block(rows, 8760)["annualised_vol_pct"] == pytest.approx(0.8 * np.sqrt(8760))
    assert volatility.block(rows, 365)["annualised_vol_pct"] == pytest.approx(0.8 * np.sqrt(365))


def test_constant_outcomes_and_forecasts_have_plain_figures():
    """No variance to explain: 0, never NaN."""
    rows = pd.DataFrame({"y": [0.01], "score": np.log(0.02), "forecast": 0.02, "return_per_atr": 0.8})

    block = volatility.block(rows, 8760)

    assert (block["r2"], block["mz_r2"]) == (0, 0)
    assert np.isfinite(list(block.values())).all()


def test_events_and_surprises_are_against_the_benchmark(rows):
    """An event is more than the benchmark said; the surprise is by how much, in logs."""
    np.testing.assert_allclose(np.exp(amount.surprise(rows)), rows["y"] / np.exp(-5))
    np.testing.assert_array_equal(amount.event(rows), rows["y"] > np.exp(-5))


def test_calls_are_fifths_of_each_symbol(rows):
    """A wild symbol's calmest hours are its first fifth, though the other never gets that wild."""
    wild = rows["symbol"] == "ETH-USDT"
    rows.loc[wild, ["y", "score"]] = [[9 * y, s + 2] for y, s in rows.loc[wild, ["y", "score"]].to_numpy()]

    calls = amount.calls(rows)

    for name, values in (("actual", rows["y"]), ("predicted", rows["score"])):
        counts = calls.groupby([rows["symbol"], name]).size()
        assert (counts == 50).all()
        for symbol in ("BTC-USDT", "ETH-USDT"):
            of_symbol = rows["symbol"] == symbol
            highest = values[of_symbol].groupby(calls.loc[of_symbol, name]).max()
            assert highest.index.tolist() == ["1", "2", "3", "4", "5"]
            assert highest.is_monotonic_increasing


def test_equal_forecasts_share_a_fifth():
    """A constant forecast is called the middle everywhere: order in the table is no knowledge."""
    fifths = amount.fifths(pd.Series([2.0] * 7), pd.Series(["BTC-USDT"] * 7))

    assert set(fifths) == {"3"}

import numpy as np
import pytest
from threadpoolctl import threadpool_limits

from stages.baseline import volatility as module
from stages.baseline.rows import FLOOR
from stages.baseline.volatility import (
    DECIMALS,
    PERCENT,
    PERSISTENCE,
    Garch,
    fit_garch,
    garch,
    mean_spread,
    next_variance,
)
from stages.common.arrays import Floats

MODEL = Garch(omega=0.02, alpha=0.1, beta=0.85, degrees=5.0)


@pytest.fixture
def percent_return() -> Floats:
    """Four thousand returns of MODEL's own market."""
    rng, variance, returns = np.random.default_rng(3), 0.4, []
    for shock in np.sqrt(3 / 5) * rng.standard_t(5, 4000):
        returns.append(np.sqrt(variance) * shock)
        variance = MODEL.omega + MODEL.alpha * returns[-1] ** 2 + MODEL.beta * variance
    return np.array(returns)


def test_filter_equals_its_written_recursion(percent_return):
    """The variance of the next bar is what the textbook's loop gives."""
    variance, expected = 0.7, []
    for r in percent_return:
        variance = MODEL.omega + MODEL.alpha * r**2 + MODEL.beta * variance
        expected.append(variance)

    np.testing.assert_allclose(next_variance(MODEL, percent_return, 0.7), expected)


@pytest.mark.parametrize("horizon_bars", [1, 4, 14, 100])
def test_forecast_equals_its_steps(horizon_bars):
    """The closed form is the mean of the variances that each step expects of the next."""
    for variance in (0.01, 0.4, 9.0):
        step, steps = variance, []
        for _ in range(horizon_bars):
            steps.append(step)
            step = MODEL.omega + (MODEL.alpha + MODEL.beta) * step

        actual = mean_spread(MODEL, np.array([variance]), horizon_bars)

        np.testing.assert_allclose(actual, np.sqrt(np.mean(steps)))


def test_far_forecasts_are_the_long_run_spread():
    """Far ahead, today says nothing."""
    long_run = np.sqrt(MODEL.omega / (1 - MODEL.alpha - MODEL.beta))

    np.testing.assert_allclose(mean_spread(MODEL, np.array([0.01, 9.0]), 10**7), long_run, rtol=1e-4)


def test_forecasts_have_a_log():
    """A variance of nought is floored."""
    dead = MODEL._replace(omega=0.0)

    np.testing.assert_array_equal(mean_spread(dead, np.zeros(2), 14), PERCENT * FLOOR)


def test_fit_finds_the_parameters_of_its_own_market(percent_return):
    """Of returns that a GARCH made, the fit is near that GARCH, and the last fit's parameters stay."""
    first = fit_garch(percent_return, None)
    again = fit_garch(percent_return, first)

    np.testing.assert_allclose(first[1:3], MODEL[1:3], atol=0.04)
    np.testing.assert_allclose(again, first, rtol=0.01)


def test_threads_change_no_bit(percent_return):
    """One thread or four may be allowed: parameters are the same to the last bit."""

    def fit(threads: int) -> Garch:
        with threadpool_limits(limits=threads):
            return fit_garch(np.tile(percent_return, 3), None)

    assert fit(1) == fit(4)


def test_persistence_is_kept_below_one(percent_return):
    """Of a variance that wanders off for good, the fit still has a long-run variance."""
    growing = percent_return * np.exp(np.linspace(0, 6, len(percent_return)))

    fitted = fit_garch(growing, None)

    np.testing.assert_allclose(fitted.alpha + fitted.beta, PERSISTENCE)
    assert 0 < fitted.alpha < fitted.beta


@pytest.mark.parametrize("returns", [np.zeros(300), np.full(300, 1e-9), np.r_[np.zeros(299), 50.0]])
def test_strange_returns_neither_raise_nor_warn(returns):
    """Of a market that stands still, or stood still but for one bar, some finite parameters come."""
    fitted = fit_garch(returns, None)

    assert np.isfinite(fitted).all()
    assert fitted.alpha + fitted.beta < 1


class Failure:
    """A search that ends nowhere."""

    convergence_flag = 4
    params = (1.0, 0.5, 0.4, 5.0)

    def fit(self, **_settings: object) -> "Failure":
        """Itself."""
        return self


@pytest.mark.parametrize("error", [None, ValueError, FloatingPointError, np.linalg.LinAlgError])
def test_a_failed_search_keeps_the_last_parameters(monkeypatch, percent_return, error):
    """Without a maximum the last parameters stay; the first ones have the returns' variance."""

    def search(*_args: object, **_settings: object) -> Failure:
        if error:
            raise error
        return Failure()

    monkeypatch.setattr(module, "arch_model", search)

    first = fit_garch(percent_return, None)
    assert fit_garch(percent_return, MODEL) == MODEL
    assert (first.alpha, first.beta) == (0.05, 0.93)
    np.testing.assert_allclose(first.omega / (1 - 0.98), np.mean(percent_return**2))


def test_a_last_bit_moves_no_fit(candles, make_volatility_labels, rows_of, params):
    """Returns that differ by the rounding of a logarithm give the very same forecasts."""
    rows = rows_of(candles[:1700], make_volatility_labels(candles[:1700]))
    up = np.nextafter(rows["log_return"], np.inf)

    np.testing.assert_array_equal(garch(rows.assign(log_return=up), params), garch(rows, params))


def test_garch_equals_its_parts_put_together(candles, make_volatility_labels, rows_of, params):
    """Fit on the returns of the window and since, filter, look h bars ahead, and scale: block by block."""
    rows = rows_of(candles[:1700], make_volatility_labels(candles[:1700]))
    r, y, model = np.round(PERCENT * rows["log_return"].to_numpy(), DECIMALS), rows["y"].to_numpy(), None
    expected = np.full(len(rows), np.nan)
    for refit in range(943, len(rows), 300):  # 730 + 200 + 13: of warm-up, of rows, until the last one ends
        first, last = max(730, refit - 13 - 400), refit - 13
        model = fit_garch(r[first : refit + 1], model)
        variance = next_variance(model, r[first : refit + 300], np.mean(r[first : refit + 1] ** 2))
        spread = mean_spread(model, variance, 14)
        scale = np.mean(y[first:last] / spread[: last - first])
        expected[refit : refit + 300] = scale * spread[refit - first :]

    np.testing.assert_allclose(garch(rows, params), expected)

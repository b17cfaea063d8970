import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.linear_model import GammaRegressor, LogisticRegression

from stages.common.task import log_loss, qlike
from stages.evaluate import calibration

Floats = NDArray[np.float64]


@pytest.fixture
def delta():
    """Departures from the benchmark, of a size that real ones have."""
    return 0.3 * np.random.default_rng(1).standard_normal(4000)


def outcomes(score: Floats, loss: calibration.Loss) -> Floats:
    """Outcomes of which `score` is the truth."""
    rng = np.random.default_rng(2)
    if loss is log_loss:
        return (rng.random(len(score)) < 1 / (1 + np.exp(-score))).astype(float)
    return np.exp(score) * rng.gamma(20, 1 / 20, len(score))


def test_direction_slope_is_a_logistic_regressions(delta):
    """Against a constant benchmark, the slope is that of a plain logistic regression."""
    y = outcomes(0.4 + 0.5 * delta, log_loss)
    model = LogisticRegression(C=np.inf, tol=1e-10).fit(delta[:, None], y)

    slope = calibration.slope(y, 0.1 + delta, np.full(4000, 0.1), log_loss)

    assert slope == pytest.approx(model.coef_[0, 0], abs=1e-4)


def test_volatility_slope_is_a_gamma_regressions(delta):
    """Likewise, of a gamma regression with log link."""
    y = outcomes(-5 + 0.5 * delta, qlike)
    model = GammaRegressor(alpha=0, tol=1e-10, max_iter=10_000).fit(delta[:, None], y)

    slope = calibration.slope(y, -5 + delta, np.full(4000, -5.0), qlike)

    assert slope == pytest.approx(model.coef_[0], abs=1e-4)


@pytest.mark.parametrize("loss", [log_loss, qlike])
@pytest.mark.parametrize("exaggeration", [0.5, 1, 4])
def test_slope_undoes_an_exaggeration(delta, loss, exaggeration):
    """A forecast whose departures are k times too large has a slope of 1/k, whatever the benchmark says."""
    benchmark = np.sin(np.arange(4000) / 50)
    y = outcomes(benchmark + delta, loss)

    slope = calibration.slope(y, benchmark + exaggeration * delta, benchmark, loss)

    assert slope * exaggeration == pytest.approx(1, abs=0.25 if loss is log_loss else 0.05)


@pytest.mark.parametrize("loss", [log_loss, qlike])
def test_scores_fitted_are_where_the_slope_says(delta, loss):
    """Departures scaled by their own slope, and moved by their intercept, have slope 1 and intercept 0."""
    benchmark = np.full(4000, 0.2)
    y = outcomes(benchmark + 0.7 * delta + 0.1, loss)
    scaled = benchmark + calibration.slope(y, benchmark + delta, benchmark, loss) * delta
    moved = scaled + calibration.intercept(y, scaled, loss)

    assert calibration.slope(y, moved, benchmark, loss) == pytest.approx(1, abs=1e-5)
    assert calibration.intercept(y, moved, loss) == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize("level", [-15.0, -5.0, 3.0])
def test_intercept_of_volatility_is_the_log_of_the_mean_ratio(delta, level):
    """QLIKE wants the mean of y/f to be 1: the intercept is ln of what it is, however far off f is."""
    y = outcomes(-5 + delta, qlike)

    expected = np.log(np.mean(y / np.exp(level + delta)))

    assert calibration.intercept(y, level + delta, qlike) == pytest.approx(expected, abs=1e-6)


def test_intercept_of_direction_makes_the_mean_probability_right(delta):
    """After it, as many are foretold as came."""
    y = outcomes(0.5 + delta, log_loss)

    moved = delta + calibration.intercept(y, delta, log_loss)

    assert np.mean(1 / (1 + np.exp(-moved))) == pytest.approx(y.mean(), abs=1e-7)


@pytest.mark.parametrize("loss", [log_loss, qlike])
def test_slope_of_the_benchmark_itself_is_nil(loss):
    """Where network and benchmark agree, or differ by a constant, there is no slope to find."""
    benchmark = np.linspace(-1, 1, 50)
    y = outcomes(benchmark, loss)

    assert calibration.slope(y, benchmark, benchmark, loss) == 0
    assert calibration.slope(y, benchmark + 0.1, benchmark, loss) == 0


@pytest.mark.parametrize(
    ("y", "loss"),
    [([1.0, 1.0, 1.0], log_loss), ([0.0, 0.0, 1.0], log_loss), ([1e-3, 1e-2, 10.0], qlike)],
)
def test_tiny_and_one_sided_samples_have_finite_answers(y, loss):
    """Separable outcomes and outcomes of one class alone drive a regression to infinity: not here."""
    y, score = np.array(y), np.array([-6.0, 0.0, 6.0])

    assert np.isfinite(calibration.slope(y, score, np.zeros(3), loss))
    assert np.isfinite(calibration.intercept(y, score, loss))

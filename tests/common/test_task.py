import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stages.common.task import TASKS, log_loss, qlike

PROBABILITIES, CLASSES, AMOUNTS = st.floats(0.001, 0.999), st.sampled_from([0.0, 1.0]), st.floats(1e-6, 1.0)


@pytest.mark.parametrize("task", TASKS)
@settings(deadline=None, max_examples=50)
@given(data=st.data())
def test_the_inverse_undoes_the_link(task, data):
    """A forecast turned into a score and back is the same forecast."""
    forecast = np.array([data.draw(PROBABILITIES if TASKS[task].classes else AMOUNTS)])
    there_and_back = TASKS[task].inverse(TASKS[task].link(forecast))
    np.testing.assert_allclose(there_and_back, forecast, rtol=1e-12)


@pytest.mark.parametrize("task", TASKS)
@settings(deadline=None, max_examples=50)
@given(data=st.data())
def test_losses_are_nonnegative(task, data):
    """No forecast, however wild its score, has a loss below nil, and none is NaN."""
    y = np.array([data.draw(CLASSES if TASKS[task].classes else AMOUNTS)])
    score = np.array([data.draw(st.floats(-50, 50))])
    assert TASKS[task].loss(y, score).item() >= 0


@settings(deadline=None, max_examples=50)
@given(y=CLASSES, p=PROBABILITIES)
def test_log_loss_equals_its_formula(y, p):
    """-ln p where y is 1, -ln(1 - p) where it is 0."""
    actual = log_loss(np.array([y]), TASKS["direction"].link(np.array([p])))
    assert actual.item() == pytest.approx(-(y * np.log(p) + (1 - y) * np.log(1 - p)))


@settings(deadline=None, max_examples=50)
@given(y=AMOUNTS, f=AMOUNTS)
def test_qlike_equals_its_formula(y, f):
    """y/f - ln(y/f) - 1."""
    actual = qlike(np.array([y]), np.log([f]))
    assert actual.item() == pytest.approx(y / f - np.log(y / f) - 1, rel=1e-6, abs=1e-12)


def test_log_loss_survives_certainty():
    """A forecast that is all but certain costs its score where it is wrong, and nothing where right."""
    loss = log_loss(np.array([0.0, 1.0]), np.array([1000.0, 1000.0]))
    np.testing.assert_array_equal(loss, [1000.0, 0.0])


def test_qlike_is_nil_at_the_truth_and_punishes_forecasts_too_low():
    """Nothing for f = y; half the truth costs more than twice the truth."""
    y = np.array([0.01, 0.01, 0.01])
    exact, low, high = qlike(y, np.log(y * [1, 0.5, 2]))
    assert exact == 0
    assert low > high > 0


@pytest.mark.parametrize("task", TASKS)
def test_the_mean_is_the_best_constant_forecast(task):
    """Of all constants, the mean of y has the least mean loss: both losses ask for expectations."""
    y = np.array([0.0, 0.0, 0.0, 1.0, 1.0] if TASKS[task].classes else [0.01, 0.02, 0.06])
    link, loss = TASKS[task].link, TASKS[task].loss

    best = loss(y, link(np.full_like(y, y.mean()))).mean()
    for factor in (0.9, 0.99, 1.01, 1.1):
        assert loss(y, link(np.full_like(y, y.mean() * factor))).mean() > best

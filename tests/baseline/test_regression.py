import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from stages.baseline.regression import PENALTY, Line, decayed_ridge, ols, ridge_by_hour
from stages.baseline.rows import HOURS
from stages.common.arrays import Floats, Ints


def problem(
    seed: int, n_rows: int = 600, n_columns: int = 3, hours: int = HOURS
) -> tuple[Floats, Floats, Ints]:
    """Correlated regressors, hours of unequal number, and a target with an effect an hour."""
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n_rows, n_columns)) + rng.standard_normal((n_rows, 1)) - 5
    hour = rng.integers(0, hours, n_rows) * rng.integers(0, 2, n_rows)
    y = X @ rng.standard_normal(n_columns) + rng.standard_normal(HOURS)[hour] + rng.standard_normal(n_rows)
    return X, y, hour


def dense_ridge(X: Floats, y: Floats, hour: Ints, at_X: Floats, at_hour: Ints) -> Floats:
    """The textbook's ridge: 168 explicit dummies, every column centred, one penalty for all."""
    design, at = (np.hstack([x, np.eye(HOURS)[h]]) for x, h in ((X, hour), (at_X, at_hour)))
    centre = design.mean(axis=0)
    centred = design - centre
    gram = centred.T @ centred + PENALTY * np.eye(design.shape[1])
    slopes = np.linalg.solve(gram, centred.T @ (y - y.mean()))
    return y.mean() + (at - centre) @ slopes


def test_ols_equals_least_squares_with_an_intercept():
    """The normal equations give what a QR of the whole design gives."""
    X, y, hour = problem(seed=1)
    design = np.column_stack([np.ones(len(X)), X])

    expected = design @ np.linalg.lstsq(design, y)[0]

    np.testing.assert_allclose(ols(X, y, hour).at(X, hour), expected, rtol=1e-9)


@settings(deadline=None, max_examples=25)
@given(st.integers(0, 10_000), st.integers(200, 700), st.integers(1, 6), st.integers(1, HOURS))
def test_ridge_equals_its_dense_textbook_form(seed, n_rows, n_columns, hours):
    """Eliminating the dummies by hand gives the solution of the whole system, at unseen hours too."""
    X, y, hour = problem(seed, n_rows, n_columns, hours)
    at_X, _, _ = problem(seed + 1, HOURS, n_columns)
    at_hour = np.arange(HOURS)

    actual = ridge_by_hour(X, y, hour).at(at_X, at_hour)

    np.testing.assert_allclose(actual, dense_ridge(X, y, hour, at_X, at_hour), rtol=1e-7, atol=1e-7)


def test_decayed_ridge_equals_its_dense_textbook_form():
    """Weights halve over half of the rows: the first row's is a quarter of the last one's."""
    X, y, hour = problem(seed=3)
    weight = np.geomspace(0.25, 1, len(X) + 1)[1:]
    root = np.sqrt(np.append(weight, np.full(X.shape[1], PENALTY)))[:, None]
    design = np.vstack(
        [
            np.column_stack([np.ones(len(X)), X - np.average(X, axis=0, weights=weight)]),
            np.eye(X.shape[1] + 1)[1:],
        ]
    )
    answers = np.append(y, np.zeros(X.shape[1]))[:, None]

    expected = design[: len(X)] @ np.linalg.lstsq(root * design, root * answers)[0][:, 0]

    np.testing.assert_allclose(decayed_ridge(X, y, hour).at(X, hour), expected, rtol=1e-9)


def test_decayed_ridge_follows_what_came_lately():
    """Of a slope that changes halfway, it is nearer to the later one than least squares."""
    rng = np.random.default_rng(4)
    X, hour = rng.standard_normal((1000, 1)), np.zeros(1000, dtype=np.int64)
    y = X[:, 0] * np.repeat([1.0, 3.0], 500)

    plain, decayed = (fit(X, y, hour).slopes[0] for fit in (ols, decayed_ridge))

    assert 1.9 < plain < 2.1
    assert 2.2 < decayed < 3


def test_raising_the_target_raises_the_level_alone():
    """A constant added to y moves the level by it, and neither slopes nor effects."""
    X, y, hour = problem(seed=2)

    for fit in (ols, decayed_ridge, ridge_by_hour):
        low, high = fit(X, y, hour), fit(X, y + 3, hour)
        np.testing.assert_allclose(high.level, low.level + 3)
        np.testing.assert_allclose(high.slopes, low.slopes, atol=1e-10)
        np.testing.assert_allclose(high.hour_effects, low.hour_effects, atol=1e-10)


def test_constant_columns_say_nothing():
    """On a market that never changed the fit is its mean, whatever is asked of it later."""
    X, hour = np.full((300, 2), -5.25), np.arange(300) % HOURS

    for fit in (ols, ridge_by_hour):
        line = fit(X, np.full(300, -5.5), hour)
        np.testing.assert_allclose(line.at(X + 1.0, hour), -5.5)


def test_equal_columns_share_their_slope():
    """A column that comes twice gets half the slope each time, and the forecast stays."""
    X, y, hour = problem(seed=3, n_columns=1)

    twice = ols(np.hstack([X, X]), y, hour)

    np.testing.assert_allclose(twice.slopes, ols(X, y, hour).slopes[[0, 0]] / 2)


def test_hour_effects_of_hours_unseen_are_nil():
    """An hour of the week that the window hasn't held is taken for an average one."""
    X, y, _ = problem(seed=4)
    hour = np.arange(len(X)) % 24

    line = ridge_by_hour(X, y, hour)

    assert np.all(line.hour_effects[:24] != 0)
    assert np.all(line.hour_effects[24:] == 0)


def test_a_line_is_read_off_row_by_row():
    """Level, slopes times distance from the centre, and the hour's effect add up."""
    effects = np.zeros(HOURS)
    effects[5] = 100.0
    line = Line(level=1.0, slopes=np.array([2.0, 3.0]), centre=np.array([1.0, 1.0]), hour_effects=effects)

    np.testing.assert_array_equal(
        line.at(np.array([[1.0, 1.0], [2.0, 3.0]]), np.array([5, 6])), [101.0, 9.0]
    )

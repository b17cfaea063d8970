"""Trees that correct the baseline beside the network."""

import numpy as np
import pytest
from sklearn.ensemble import HistGradientBoostingRegressor

from stages.train import trees
from stages.train.trees import Trees, corrections, fit_trees, nodes_of
from tests.train.conftest import Job, tiny_params

TASK_NAMES = ["direction", "volatility"]


def trees_of(job: Job, n_trees: int = 60) -> Trees:
    """What is fitted to a job's fold, of leaves that a tiny market can fill."""
    return fit_trees(job.fold, job.table, job.task, tiny_params(trees=n_trees))


@pytest.fixture(autouse=True)
def small_leaves(monkeypatch):
    """The tiny market has 240 rows to learn from."""
    monkeypatch.setitem(trees.COMMON, "min_samples_leaf", 20)


@pytest.mark.parametrize("loss", ["gamma", "squared_error"])
def test_the_table_of_nodes_says_what_the_model_says(loss):
    """But for rounding, of rows that it has seen and of others, features in float32."""
    rng = np.random.default_rng(1)
    X = rng.standard_normal((3000, 4)).astype(np.float32)
    y = np.exp(X[:, 0] * X[:, 1] + 0.1 * rng.standard_normal(3000))
    model = HistGradientBoostingRegressor(loss=loss, max_iter=20, max_leaf_nodes=6).fit(X[:2000], y[:2000])

    actual = corrections(nodes_of(model), X)

    expected = model.predict(X)
    np.testing.assert_allclose(actual, np.log(expected) if loss == "gamma" else expected, rtol=1e-12)


@pytest.mark.parametrize("task", TASK_NAMES)
def test_a_planted_signal_is_learnt(make_job, task):
    """Where the features tell, the test rows' loss is less than the baseline's."""
    job = make_job(task)
    test = job.fold.of("test")
    y, offset = test["y"].to_numpy(), test["offset"].to_numpy()
    correction = trees_of(job).correction[test.index]
    assert job.task.loss(y, offset + correction).mean() < 0.97 * job.task.loss(y, offset).mean()


@pytest.mark.parametrize("task", TASK_NAMES)
def test_a_fit_sees_neither_val_nor_test(make_job, task):
    """Other features and labels there leave the trees and the forecasts of train alone."""
    job, other = make_job(task), make_job(task)
    other.table[250:] *= -7
    later = other.fold.rows["role"] != "train"
    other.fold.rows.loc[later, "y"] = other.fold.rows["y"].iloc[0]

    expected, actual = trees_of(job), trees_of(other)
    assert actual.nodes.equals(expected.nodes)
    np.testing.assert_array_equal(actual.correction[~later], expected.correction[~later])
    assert (actual.correction[later] != expected.correction[later]).any()


def test_balanced_classes_are_weighed_and_their_shift_is_not_learnt(make_job):
    """With classes of unequal size, balanced, the correction stays free of their weights."""
    plain, balanced = (make_job(signal=0.0, class_weights=kind) for kind in ("none", "balanced"))
    assert balanced.fold.shift != 0.0
    difference = trees_of(balanced).correction - trees_of(plain).correction
    assert np.abs(difference).mean() < 0.1

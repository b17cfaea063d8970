import json

import numpy as np
import pandas as pd
import pytest

from stages.common.errors import InputError
from stages.train.fitting import Fitted, fit
from stages.train.shipped import Shipped, correct, make_spec, mean_correction, of_fits
from stages.train.trees import COMMON, fit_trees
from tests.train.conftest import Job, MakeJob, tiny_params

# Keras 3.15 converts TensorFlow's variables in a way that NumPy 2 means to refuse one day.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy keyword")

NAMES = ["a", "b", "c"]


def spec_of(job: Job, one: Fitted, *, kept: bool = True) -> dict[str, object]:
    """What is shipped beside the weights of this fit."""
    return make_spec(job.fold, one, NAMES, job.table, job.params, task="direction", kept=kept)


@pytest.fixture(scope="module")
def fitted(make_job: MakeJob) -> tuple[Job, Fitted]:
    """A network that has learnt something."""
    job = make_job(network="lstm", keep_epoch="last", epochs=1)
    return job, fit(*job)


def test_a_network_is_built_again_from_what_is_shipped(fitted):
    """From the spec's JSON and the weights alone it corrects every row as it did, to a float32's digits."""
    job, one = fitted
    spec = json.loads(json.dumps(spec_of(job, one)))

    found = correct(Shipped(spec, [one.weights], None), job.table, job.fold.rows["end"].to_numpy())

    assert np.abs(one.correction).max() > 0.01
    np.testing.assert_allclose(found, one.correction, rtol=1e-5, atol=1e-7)


def test_a_window_alone_is_corrected_as_among_others(fitted):
    """A forecast is of one row, what was scored came in batches: equal but for the last digits."""
    job, one = fitted
    ends, shipped = job.fold.rows["end"].to_numpy(), Shipped(spec_of(job, one), [one.weights], None)

    alone = [correct(shipped, job.table, ends[[row]])[0] for row in (0, 200, -1)]

    np.testing.assert_allclose(alone, one.correction[[0, 200, -1]], rtol=1e-5, atol=1e-7)


def test_what_isn_t_kept_corrects_nothing(fitted):
    """Not even weights are looked at."""
    job, one = fitted
    shipped = Shipped(spec_of(job, one, kept=False), [b"no weights"], None)

    assert correct(shipped, job.table, np.array([20, 30])).tolist() == [0.0, 0.0]


@pytest.mark.parametrize("end", [0, 100, -10])
def test_weights_that_are_cut_are_refused(fitted, end):
    """In a line that names the seed."""
    job, one = fitted
    shipped = Shipped(spec_of(job, one), [one.weights[:end]], None)
    with pytest.raises(InputError, match="models: the weights of seed 1 must be whole"):
        correct(shipped, job.table, np.array([20]))


def test_weights_of_another_network_are_refused(fitted):
    """Of another size than the spec has."""
    job, one = fitted
    spec = spec_of(job, one) | {"train": tiny_params(network="lstm", units=3).model_dump()}
    with pytest.raises(InputError, match=r"of the network in spec\.json"):
        correct(Shipped(spec, [one.weights], None), job.table, np.array([20]))


@pytest.mark.parametrize("offset", ["baseline", "none"])
def test_the_spec_survives_json(make_job, offset):
    """All figures come back from JSON as they were; either a baseline is named or a start given."""
    job = make_job(offset=offset, class_weights="balanced")
    one = Fitted(0, b"", np.zeros(1), pd.DataFrame(), np.array([0.1]), np.array([2.0]))
    spec = spec_of(job, one)
    assert json.loads(json.dumps(spec)) == spec
    start = job.fold.rows["offset"].iloc[0]
    assert (spec["offset"], spec["start"]) == (
        ("benchmark", None) if offset == "baseline" else (None, start)
    )


def test_trees_are_shipped_too(fitted, monkeypatch):
    """Networks and trees built again correct as they did together."""
    monkeypatch.setitem(COMMON, "min_samples_leaf", 20)
    job, one = fitted
    beside = fit_trees(job.fold, job.table, job.task, tiny_params(trees=5))
    expected = of_fits([one], beside, job.params)

    shipped = Shipped(spec_of(job, one), [one.weights], beside.nodes)
    found = correct(shipped, job.table, job.fold.rows["end"].to_numpy())

    assert np.abs(beside.correction).max() > 0
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize(("offset", "expected"), [("baseline", 2.0), ("none", 3.0)])
def test_with_trees_beside_them_networks_are_one_voice(offset, expected):
    """Of three, or of two where no baseline is corrected."""
    networks, params = [np.ones(2), np.full(2, 3.0)], tiny_params(offset=offset, seeds=[1, 2])

    assert mean_correction(networks, None, params).tolist() == [2.0, 2.0]
    assert mean_correction(networks, np.full(2, 4.0), params).tolist() == [expected, expected]

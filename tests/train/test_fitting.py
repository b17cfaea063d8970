import numpy as np
import pandas as pd
import pytest
from pandas.testing import assert_frame_equal

from stages.common.task import TASKS
from stages.train.fitting import (
    Fitted,
    auc,
    evenly_spread,
    fit,
    load_networks,
    mean_curves,
    score_roles,
)
from tests.train.conftest import Job, MakeJob

# Keras 3.15 converts TensorFlow's variables in a way that NumPy 2 means to refuse one day.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy keyword")

SETTINGS = {"dropout": 0.2, "epochs": 6, "patience": 6, "learning_rate": 0.1}


@pytest.fixture(scope="module")
def job(make_job: MakeJob) -> Job:
    """A fold of direction with a signal planted in it."""
    return make_job(**SETTINGS)


@pytest.fixture(scope="module")
def fitted(job: Job) -> Fitted:
    """What comes of it."""
    return fit(*job)


def losses_of_test(job: Job, result: Fitted) -> tuple[float, float]:
    """Mean loss of the test rows, of the offset alone and of the fit."""
    test = job.fold.of("test")
    y, offset = test["y"].to_numpy(), test["offset"].to_numpy()
    loss = job.task.loss
    return loss(y, offset).mean(), loss(y, offset + result.correction[test.index]).mean()


def test_a_planted_signal_is_learnt(job, fitted):
    """Where the features tell which way, the test rows' loss is less than the baseline's."""
    before, after = losses_of_test(job, fitted)
    assert fitted.kept_epoch > 0
    assert after < 0.9 * before


def test_a_planted_signal_is_learnt_in_volatility(make_job):
    """Where the features tell how much, the test rows' loss is less than the baseline's."""
    job = make_job("volatility", epochs=6)
    before, after = losses_of_test(job, fit(*job))
    assert after < 0.9 * before


def test_initial_weights_are_kept_if_no_epoch_beats_them(make_job):
    """Where val contradicts train the baseline comes out bit for bit, `patience` epochs later."""
    job = make_job(epochs=9, patience=2)
    job.fold.rows.loc[job.fold.of("val").index, "y"] = 1 - job.fold.of("val")["y"]
    result = fit(*job)
    assert result.kept_epoch == 0
    assert result.curves["epoch"].tolist() == [0, 1, 2]
    assert (result.correction == 0.0).all()
    assert (result.curves["val_loss"][1:] > result.curves["val_loss"][0]).all()


def test_epoch_0_is_the_baseline(job, fitted):
    """The curves start with the exact loss of the offset, on val and on as many rows of train."""
    for role, rows in {"train": evenly_spread(job.fold.of("train"), 70), "val": job.fold.of("val")}.items():
        loss = TASKS["direction"].loss(rows["y"].to_numpy(), rows["offset"].to_numpy()).mean()
        assert fitted.curves.loc[0, f"{role}_loss"] == loss


def test_the_kept_epochs_weights_are_restored(job, fitted):
    """What is returned scores as the best epoch did, whichever it was."""
    val = job.fold.of("val")
    figures = score_roles(val, fitted.correction[val.index], TASKS["direction"])
    assert figures["val_loss"] == pytest.approx(fitted.curves["val_loss"].min(), rel=1e-6)


def test_the_last_epoch_is_kept_where_it_is_asked_for(make_job):
    """Whatever val says of it, and no epoch is saved for patience' sake: its curves run to the end."""
    job = make_job(epochs=4, patience=1, keep_epoch="last")
    job.fold.rows.loc[job.fold.of("val").index, "y"] = 1 - job.fold.of("val")["y"]
    result = fit(*job)
    val = job.fold.of("val")
    figures = score_roles(val, result.correction[val.index], job.task)
    assert result.kept_epoch == 4 == result.curves["epoch"].iloc[-1]
    assert figures["val_loss"] == pytest.approx(result.curves["val_loss"].iloc[-1], rel=1e-6)
    assert figures["val_loss"] > result.curves["val_loss"].min()


def test_a_refit_learns_val_before_the_test(make_job, job, fitted):
    """Forecasts of train and val stay what they were; those of test, and the weights, know val's rows."""
    refitted = fit(*make_job(**SETTINGS | {"refit_epochs": 2}))
    test = (job.fold.rows["role"] == "test").to_numpy()
    np.testing.assert_array_equal(refitted.correction[~test], fitted.correction[~test])
    assert (refitted.correction[test] != fitted.correction[test]).all()
    assert refitted.weights != fitted.weights

    other = make_job(**SETTINGS | {"refit_epochs": 2})
    val = other.fold.rows["role"] == "val"
    other.fold.rows.loc[val, "sample_weight"] *= 50.0  # which no choice looks at
    assert (fit(*other).correction[test] != refitted.correction[test]).all()


def test_nothing_is_refit_where_val_wants_nothing(make_job):
    """Where the initial weights are the best, the baseline stays."""
    job = make_job(epochs=2, refit_epochs=2)
    job.fold.rows.loc[job.fold.of("val").index, "y"] = 1 - job.fold.of("val")["y"]
    assert (fit(*job).correction == 0.0).all()


def test_the_same_job_gives_the_same_bytes(make_job, job, fitted):
    """A fit depends on nothing that the process did before it; another seed gives another network."""
    other, again = fit(*make_job(seed=2, **SETTINGS | {"epochs": 1})), fit(*job)
    assert again.weights == fitted.weights
    assert_frame_equal(again.curves, fitted.curves, check_exact=True)
    np.testing.assert_array_equal(again.correction, fitted.correction)
    assert other.curves.loc[1, "val_loss"] != fitted.curves.loc[1, "val_loss"]


@pytest.mark.parametrize("refit_epochs", [0, 1])
def test_a_fit_sees_nothing_of_its_test_rows(make_job, refit_epochs):
    """Other features and labels in the test rows leave the network and earlier forecasts alone."""
    job, other = (make_job(**SETTINGS | {"refit_epochs": refit_epochs}) for _ in range(2))
    fitted = fit(*job)
    other.table[320:] *= -7
    other.fold.rows.loc[other.fold.rows["role"] == "test", "y"] = 1.0
    result = fit(*other)
    test = job.fold.of("test").index
    assert result.weights == fitted.weights
    assert_frame_equal(result.curves, fitted.curves, check_exact=True)
    np.testing.assert_array_equal(result.correction[: test[0]], fitted.correction[: test[0]])
    assert (result.correction[test] != fitted.correction[test]).any()


def test_normalisation_is_fitted_on_train_rows(job, fitted):
    """Mean and variance are those of the train windows' rows; val and test are no part of them."""
    rows = job.table[7:250].astype(np.float64)
    np.testing.assert_allclose(fitted.mean, rows.mean(axis=0), rtol=1e-12)
    np.testing.assert_allclose(fitted.variance, [*rows.var(axis=0)[:2], 1.0], rtol=1e-12)


def test_weighted_classes_shift_the_offset(make_job, monkeypatch):
    """The network is fitted beside offset + shift; each row with its own y and weight."""
    learnt = []
    network = load_networks().Network
    monkeypatch.setattr(network, "learn", lambda _network, *columns: learnt.append(columns))
    job = make_job(class_weights="balanced", epochs=1, patience=1)
    fit(*job)

    ends, offset, y, weight = learnt[-1]
    rows = job.fold.of("train").set_index("end").loc[ends]
    assert job.fold.shift != 0.0
    np.testing.assert_array_equal(offset, rows["offset"] + job.fold.shift)
    np.testing.assert_array_equal(y, rows["y"])
    np.testing.assert_array_equal(weight, rows["sample_weight"])
    assert sorted(ends) == sorted(job.fold.of("train")["end"])


def test_a_sample_of_train_is_spread_evenly():
    """The sample has the first and the last row, as many rows as asked for, or all if there are fewer."""
    rows = pd.DataFrame({"end": np.arange(100)})
    assert evenly_spread(rows, 5)["end"].tolist() == [0, 24, 49, 74, 99]
    assert evenly_spread(rows, 300)["end"].tolist() == list(range(100))


@pytest.mark.parametrize("task", TASKS)
def test_curves_of_amounts_have_no_auc(make_job, task):
    """Figures are those of each role alone; only classes have an AUC."""
    rows = make_job(task).fold.rows
    figures = ["loss", "auc"] if TASKS[task].classes else ["loss"]
    scored = score_roles(rows, np.zeros(len(rows)), TASKS[task])
    assert list(scored) == [f"{role}_{figure}" for role in ("train", "val", "test") for figure in figures]


def test_auc_of_one_class_is_no_skill():
    """Rows of one class have nothing to rank."""
    assert auc(np.ones(3), np.array([0.1, 0.2, 0.3])) == 0.5
    assert auc(np.array([0.0, 1.0, 1.0]), np.array([0.1, 0.2, 0.05])) == 0.5
    assert auc(np.array([0.0, 1.0, 1.0]), np.array([0.1, 0.2, 0.3])) == 1.0


def a_fit(val_losses: list[float]) -> Fitted:
    """A fit whose val loss ran like this."""
    curves = pd.DataFrame({"epoch": range(len(val_losses)), "val_loss": val_losses})
    return Fitted(0, b"", np.zeros(1), curves, np.array([0.1]), np.array([2.0]))


def test_curves_are_averaged_over_the_seeds_that_still_ran():
    """An epoch that only one seed reached is that seed's."""
    mean = mean_curves([a_fit([1.0, 2.0]), a_fit([3.0, 6.0, 5.0])])
    assert mean["val_loss"].tolist() == [2.0, 4.0, 5.0]

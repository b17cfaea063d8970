import numpy as np
import pytest
from pandas.testing import assert_frame_equal

from stages.common.errors import InputError
from stages.common.task import TASKS, qlike
from stages.evaluate.losses import best_baselines, loss_table
from stages.evaluate.rows import opponents


@pytest.mark.parametrize("task", TASKS)
def test_losses_are_those_of_the_task_and_never_negative(compared, make_inputs, task):
    """Every forecast is charged by the same loss on the same rows."""
    rows, losses = compared(make_inputs(task), task)

    np.testing.assert_array_equal(
        losses["network"], TASKS[task].loss(rows["y"].to_numpy(), rows["score"].to_numpy())
    )
    assert (losses >= 0).all(axis=None)
    assert len(losses) == len(rows)


def test_a_loss_that_is_not_finite_is_refused(compared, make_inputs):
    """QLIKE has no loss for a range of nil: the message says where and how many."""
    inputs = make_inputs("volatility")
    inputs.labels.loc[50, "y"] = 0.0

    with pytest.raises(InputError, match=r"data/labels: y must have a finite loss.*received 2 of"):
        compared(inputs, "volatility")


def test_best_baseline_is_chosen_on_val_and_charged_on_test(compared, make_inputs):
    """A baseline that wins on val and collapses on test is still the one to beat in that fold."""
    inputs = make_inputs("volatility")
    rows, losses = compared(inputs, "volatility")
    names = opponents(inputs.baselines)
    spoiled = losses.copy()
    spoiled.loc[rows["role"] == "test", "har"] += 9
    spoiled.loc[(rows["role"] == "val") & (rows["fold"] == "1"), "har"] += 9

    assert best_baselines(rows, losses[names]) == {"1": "har", "2": "har"}
    assert best_baselines(rows, spoiled[names]) == {"1": "benchmark", "2": "har"}
    np.testing.assert_array_equal(losses["best"], losses["har"])


def test_each_fold_has_a_best_baseline_of_its_own(compared, make_inputs):
    """Where val says otherwise in one fold, that fold's rows are charged the other baseline's loss."""
    inputs = make_inputs("volatility")
    times = inputs.predictions.query("fold == '2' and role == 'val'")["close_time"]
    late = inputs.baselines["close_time"].isin(times)
    inputs.baselines.loc[late, "har"] *= 3

    rows, losses = compared(inputs, "volatility")

    second = rows["fold"] == "2"
    np.testing.assert_array_equal(losses.loc[second, "best"], losses.loc[second, "benchmark"])
    np.testing.assert_array_equal(losses.loc[~second, "best"], losses.loc[~second, "har"])


def test_qlike_losses_are_the_textbooks(compared, make_inputs):
    """y/f - ln(y/f) - 1, by hand."""
    rows, losses = compared(make_inputs("volatility"), "volatility")
    ratio = rows["y"] / rows["forecast"]

    np.testing.assert_allclose(losses["network"], ratio - np.log(ratio) - 1, atol=1e-12)
    assert_frame_equal(losses, loss_table(rows, ["benchmark", "har"], qlike)[0], check_exact=True)

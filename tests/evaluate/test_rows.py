from typing import Any

import numpy as np
import pandas as pd
import pytest
from pandas.testing import assert_frame_equal

from stages.common.errors import InputError
from stages.common.task import TASKS
from stages.evaluate.rows import join, opponents


def joined(inputs: Any, task: str) -> pd.DataFrame:
    """The rows of a run's inputs."""
    return join(inputs.predictions, inputs.labels, inputs.baselines, TASKS[task])


@pytest.mark.parametrize("task", TASKS)
def test_join_brings_each_prediction_its_own_label_and_baselines(make_inputs, task):
    """Whatever the order of labels and baselines, a row gets those of its symbol and time."""
    inputs = make_inputs(task)
    labels, baselines = (table.sample(frac=1, random_state=3) for table in inputs[1:])

    rows = join(inputs.predictions, labels, baselines, TASKS[task])

    row = rows.iloc[777]
    label = inputs.labels.query("symbol == @row.symbol and close_time == @row.close_time").iloc[0]
    baseline = inputs.baselines.query("symbol == @row.symbol and close_time == @row.close_time").iloc[0]
    assert (row["y"], row["return_to_end"]) == (label["y"], label["return_to_end"])
    assert TASKS[task].inverse(row["benchmark"]) == pytest.approx(baseline["benchmark"], rel=1e-12)
    assert_frame_equal(rows, joined(inputs, task), check_exact=True)


@pytest.mark.parametrize("task", TASKS)
def test_forecasts_come_in_both_scales(make_inputs, task):
    """`forecast` and `benchmark_forecast` are in the task's unit; `delta` is on the link scale."""
    rows = joined(make_inputs(task), task)

    np.testing.assert_allclose(TASKS[task].link(rows["forecast"].to_numpy()), rows["score"], rtol=1e-12)
    np.testing.assert_allclose(rows["benchmark"] + rows["delta"], rows["score"], rtol=1e-12, atol=1e-15)
    assert np.ptp(rows["benchmark_forecast"]) == 0


def test_only_the_score_is_compared(make_inputs):
    """The raw output of a network trained with class weights is shifted: it calls, no more."""
    inputs = make_inputs("direction")
    expected = joined(inputs, "direction")
    inputs.predictions["raw_score"] += 1.0

    rows = joined(inputs, "direction")

    assert_frame_equal(rows.drop(columns="raw_score"), expected.drop(columns="raw_score"), check_exact=True)


def test_rows_without_a_baseline_leave_train_alone(make_inputs):
    """The first 30 hours of each symbol have no baseline: they go, out of both folds' train."""
    inputs = make_inputs("volatility")

    rows = joined(inputs, "volatility")

    assert len(inputs.predictions) - len(rows) == 2 * 2 * 30
    assert rows["close_time"].min() == inputs.labels["close_time"].min() + pd.Timedelta("30h")


def test_only_forecasts_of_y_are_opponents(make_inputs):
    """The strategy's aids stand in the same table, but nobody has to beat them."""
    assert opponents(make_inputs("volatility").baselines) == ["benchmark", "har"]


@pytest.mark.parametrize("column", ["benchmark", "har", "sizing_atr", "return_per_atr"])
def test_a_row_before_a_first_fit_is_left_out_of_any_role(make_inputs, column):
    """A symbol listed late may have its first fit within a test: its rows before that can't be compared."""
    inputs = make_inputs("volatility")
    whole = joined(inputs, "volatility")
    inputs.baselines.loc[inputs.baselines.index[-3:], column] = np.nan

    rows = joined(inputs, "volatility")

    assert len(rows) == len(whole) - 3
    assert rows["role"].value_counts()["test"] == whole["role"].value_counts()["test"] - 3


def test_a_certain_baseline_is_refused(make_inputs):
    """A probability of exactly 1 has no score: one miss would cost it an infinite loss."""
    inputs = make_inputs("direction")
    inputs.baselines.loc[inputs.baselines.index[-1], "benchmark"] = 1.0

    with pytest.raises(InputError, match="data/baselines: benchmark must be finite"):
        joined(inputs, "direction")


@pytest.mark.parametrize("column", ["score", "raw_score"])
def test_a_diverged_network_is_refused(make_inputs, column):
    """A score that isn't finite can't be compared."""
    inputs = make_inputs("direction")
    inputs.predictions.loc[5, column] = np.nan

    with pytest.raises(InputError, match=rf"data/predictions.parquet: {column} must be finite"):
        joined(inputs, "direction")


def test_a_prediction_without_a_label_is_refused(make_inputs):
    """Each row that was forecast must have an outcome."""
    predictions, labels, baselines = make_inputs("direction")

    with pytest.raises(InputError, match=r"data/labels: y must be finite.*received"):
        join(predictions, labels.iloc[:-1], baselines, TASKS["direction"])


@pytest.mark.parametrize("role", ["val", "test"])
def test_a_fold_without_val_or_test_is_refused(make_inputs, role):
    """Without val no best baseline can be chosen; without test there is nothing to say."""
    predictions, labels, baselines = make_inputs("direction")
    predictions = predictions.query("not (fold == '2' and role == @role)")

    with pytest.raises(InputError, match=f"fold 2 must have {role} rows"):
        join(predictions, labels, baselines, TASKS["direction"])

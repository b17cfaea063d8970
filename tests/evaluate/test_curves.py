import importlib

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stages.common.task import TASKS
from stages.evaluate import curves


def curve(losses: list[float]) -> pd.DataFrame:
    """A fold's curve, the train loss a tenth below the val loss."""
    val = np.array(losses)
    return pd.DataFrame({"epoch": range(len(val)), "val_loss": val, "train_loss": 0.9 * val})


def test_training_lines_the_folds_up():
    """Each fold starts at a whole number, and its epochs stop short of the next."""
    table = curves.training({"1": curve([3, 2, 1, 2]), "2": curve([3, 2])})

    assert table["fold_epoch"].tolist() == [1, 1.25, 1.5, 1.75, 2, 2.25]
    assert table["fold"].tolist() == ["1"] * 4 + ["2"] * 2
    assert table["val_loss"].tolist() == [3, 2, 1, 2, 3, 2]


@pytest.mark.parametrize("task", TASKS)
def test_forecast_has_the_means_of_each_day(compared, make_inputs, task):
    """A day's rows of all symbols, in the task's unit times the scale; the year counts up."""
    rows, _ = compared(make_inputs(task), task)

    table = curves.forecast(rows, 100.0)

    day = rows[rows["close_time"].dt.strftime("%Y-%m-%d") == "2022-01-10"]
    row = table[table["day"] == "2022-01-10"].iloc[0]
    means = 100 * day[["forecast", "naive_forecast", "y"]].mean()
    np.testing.assert_allclose(row[["forecast", "naive", "outcome"]].astype(float), means)
    assert row["year"] == 2022 + 9 / 365
    assert table["year"].is_monotonic_increasing


def test_calibration_puts_equal_numbers_in_each_tenth(compared, make_inputs):
    """From the lowest forecasts to the highest; all rows are in one of them."""
    rows, _ = compared(make_inputs("volatility"), "volatility")

    table = curves.calibration(rows, 1.0)

    assert len(table) == 10
    assert table["rows"].sum() == len(rows)
    assert np.ptp(table["rows"]) <= 4  # the same forecast stands in both folds' train
    assert table["forecast"].is_monotonic_increasing
    assert np.average(table["outcome"], weights=table["rows"]) == pytest.approx(rows["y"].mean())


def test_a_constant_forecast_is_one_dot(compared, make_inputs):
    """Equal forecasts can't be put in an order, so they aren't."""
    rows, _ = compared(make_inputs("direction"), "direction")

    table = curves.calibration(rows.assign(score=0.0, forecast=0.5), 1.0)

    assert table[["forecast", "rows"]].to_numpy().tolist() == [[0.5, len(rows)]]


def test_calls_are_a_thousand_rows_in_proportion():
    """Counts of the confusion matrix are thousandths; pairs that never occur have none."""
    each = pd.DataFrame({"actual": ["up"] * 3 + ["down"] * 5, "predicted": ["down"] * 8})

    table = curves.calls(each)

    assert table.value_counts().to_dict() == {("down", "down"): 625, ("up", "down"): 375}


@given(st.lists(st.integers(0, 500), min_size=1, max_size=25).filter(any))
@settings(deadline=None, max_examples=100)
def test_proportions_add_up_and_are_never_off_by_one(counts):
    """Largest remainders: the total is kept, and each share is within one of the exact one."""
    counts = np.array(counts)

    shown = curves.in_proportion(counts, 1000)

    assert shown.sum() == 1000
    assert (np.abs(shown - counts / counts.sum() * 1000) < 1).all()


@pytest.mark.parametrize(("n_rows", "n_shown"), [(1, 1), (2000, 2000), (2001, 1001), (13_600, 1943)])
def test_scatter_shows_two_thousand_rows_at_most(n_rows, n_shown):
    """Every k-th row, so that it shows the whole test."""
    test = pd.DataFrame({"delta": np.arange(n_rows), "target": 0.0, "symbol": "BTC-USDT"})

    assert len(curves.scatter(test)) == n_shown


@pytest.mark.parametrize("task", TASKS)
def test_tables_have_the_same_names_and_columns_for_both_tasks(compared, make_inputs, task):
    """`dvc plots diff` drops a revision whose file or columns are called otherwise."""
    rows, _ = compared(make_inputs(task), task)
    question = importlib.import_module(f"stages.evaluate.{task}")
    test = rows[rows["role"] == "test"]

    tables = curves.make_tables(test, {"1": curve([2, 1])}, question.calls(test), question.SCALE)

    assert {name: list(table.columns) for name, table in tables.items()} == {
        "training": ["fold", "epoch", "fold_epoch", "train_loss", "val_loss"],
        "forecast": ["day", "year", "forecast", "naive", "outcome"],
        "calibration": ["forecast", "outcome", "rows"],
        "calls": ["actual", "predicted"],
    }
    assert tables["calibration"]["rows"].sum() == len(test)
    assert tables["forecast"]["day"].min() == test["close_time"].min().strftime("%Y-%m-%d")

from itertools import combinations

import numpy as np
import pandas as pd
import pytest

from stages.common.task import TASKS
from stages.evaluate import curves
from stages.evaluate.question import question_of


@pytest.mark.parametrize("task", TASKS)
def test_forecast_has_the_means_of_each_date(compared, make_inputs, task):
    """A day's rows of all symbols, in the task's unit times the scale; a date as ISO 8601 writes it."""
    rows, _ = compared(make_inputs(task), task)

    table = curves.forecast(rows, 100.0)

    day = rows[rows["close_time"].dt.strftime("%Y-%m-%d") == "2022-01-10"]
    row = table[table["date"] == "2022-01-10"].iloc[0]
    means = 100 * day[["forecast", "benchmark_forecast", "y"]].mean()
    np.testing.assert_allclose(row[["forecast", "benchmark", "outcome"]].astype(float), means)
    assert table["date"].is_monotonic_increasing
    assert table["date"].is_unique


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


def test_calls_have_every_pair():
    """In percent of all rows; a kind that is never called has 0 beside each that came."""
    each = pd.DataFrame({"actual": ["up"] * 3 + ["down"] * 5, "predicted": ["down"] * 8})

    table = curves.calls(each)

    percent = table.set_index(["actual", "predicted"])["percent"]
    assert percent.to_dict() == {
        ("down", "down"): 62.5,
        ("down", "up"): 0,
        ("up", "down"): 37.5,
        ("up", "up"): 0,
    }


def test_no_two_tasks_share_a_unit():
    """What tells DVC's plots that two revisions belong on axes of their own."""
    units = [curves.units(name, task.loss_name, question_of(name)) for name, task in TASKS.items()]

    for one, other in combinations(units, 2):
        assert one.keys() == other.keys()
        assert not set(one.values()) & set(other.values())


@pytest.mark.parametrize(("n_rows", "n_shown"), [(1, 1), (600, 600), (601, 301), (13_600, 592)])
def test_scatter_shows_six_hundred_rows_at_most(n_rows, n_shown):
    """Every k-th row, so that it shows the whole test."""
    test = pd.DataFrame({"delta": np.arange(n_rows), "surprise": 0.0, "symbol": "BTC-USDT"})

    assert len(curves.scatter(test)) == n_shown


@pytest.mark.parametrize("task", TASKS)
def test_tables_have_the_same_names_and_columns_for_all_tasks(compared, make_inputs, task):
    """`dvc plots diff` drops a revision whose file or columns are called otherwise."""
    rows, _ = compared(make_inputs(task), task)
    test = rows[rows["role"] == "test"]

    tables = curves.make_tables(test, question_of(task))

    assert {name: list(table.columns) for name, table in tables.items()} == {
        "forecast": ["date", "forecast", "benchmark", "outcome"],
        "calibration": ["forecast", "outcome", "rows"],
        "calls": ["actual", "predicted", "percent"],
    }
    assert tables["calibration"]["rows"].sum() == len(test)
    assert tables["forecast"]["date"].min() == test["close_time"].min().strftime("%Y-%m-%d")


def known_rows(n_days: int = 40) -> pd.DataFrame:
    """Hours of two symbols, the second a day later, with sets of one around forecasts of a hundredth."""
    times = pd.date_range("2023-01-01", periods=24 * n_days, freq="h", tz="UTC", unit="ms")
    parts = [
        pd.DataFrame({"symbol": symbol, "close_time": times + pd.Timedelta(days=later), "y": y})
        for symbol, later, y in (("ETH", 1, 0.02), ("BTC", 0, 0.01))
    ]
    rows = pd.concat(parts, ignore_index=True).assign(forecast=0.01)
    return rows.assign(least=rows["y"] - 0.005, greatest=rows["y"] + 0.005, covered=rows["symbol"] == "BTC")


def test_the_band_has_the_means_of_each_date():
    """Of all symbols, on the dates of `forecast`."""
    table = curves.band(known_rows(), 100.0)

    assert (
        table["date"].tolist()
        == curves.forecast(known_rows().assign(benchmark_forecast=0.0), 1.0)["date"].tolist()
    )
    ends = table[["least", "greatest"]].to_numpy()
    np.testing.assert_allclose(ends[[0, 1, -1]], np.array([[0.5, 1.5], [1, 2], [1.5, 2.5]]))


def test_the_last_thirty_days_are_the_first_symbols_in_order():
    """Each of its bars, and nothing of the other symbol."""
    table = curves.recent(known_rows().sample(frac=1, random_state=1), 100.0)

    assert len(table) == 24 * 30
    assert table["close_time"].is_monotonic_increasing
    assert table["close_time"].iloc[-1] == pd.Timestamp("2023-02-09 23:00", tz="UTC")
    assert table["outcome"].tolist() == [1.0] * 24 * 30


def test_coverage_is_the_share_of_a_date_and_its_mean_of_thirty():
    """Both symbols count; before thirty dates have been there is no mean."""
    table = curves.coverage(known_rows())

    assert table["percent"].iloc[[0, 1, -1]].tolist() == [100, 50, 0]
    assert table["month"].isna().sum() == 29
    assert table["month"].iloc[29] == pytest.approx((100 + 29 * 50) / 30)
    assert np.isfinite(curves.coverage(known_rows(5))["month"].iloc[-1])


def test_wealth_is_compounded_and_stays_lost():
    """At each date's last bar."""
    times = pd.date_range("2023-01-01", periods=48, freq="h", tz="UTC")
    returns = pd.DataFrame({"network": 0.01, "reference": 0.0, "constant": 0.0}, index=times)
    returns.loc[times[30], "constant"] = -1.5

    table = curves.wealth(returns)

    assert table["date"].tolist() == ["2023-01-01", "2023-01-02"]
    np.testing.assert_allclose(table["network"], [1.01**24, 1.01**48])
    assert table["reference"].tolist() == [1, 1]
    assert table["constant"].tolist() == [1, 0]

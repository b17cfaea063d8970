import numpy as np
import pandas as pd
import pytest

from stages.common.task import TASKS
from stages.evaluate.breakdown import breakdowns, forecasts
from stages.evaluate.significance import sample_of

COLUMNS = ["skill_pct", "edge_pct", "auc", "hit_rate", "coverage_90_pct", "rows"]


@pytest.fixture
def volatility_run(compared, make_inputs):
    """Rows, losses, and an interval that covers all but each tenth test row."""
    rows, losses = compared(make_inputs("volatility"), "volatility")
    test = rows.index[rows["role"] == "test"]
    return rows, losses, pd.Series(np.arange(len(test)) % 10 != 0, index=test)


def test_tables_have_the_same_columns_and_end_with_the_pooled_figures(volatility_run):
    """One row a fold, symbol and month, then `all`, which is the same in each."""
    rows, losses, covered = volatility_run
    tables = breakdowns(rows, losses, covered, {"1": "har", "2": "har"})

    assert {name: list(table) for name, table in tables.items()} == {
        "folds": ["fold", *COLUMNS, "best_baseline"],
        "symbols": ["symbol", *COLUMNS],
        "months": ["month", *COLUMNS],
    }
    pooled = [table.iloc[-1] for table in tables.values()]
    assert [row.iloc[0] for row in pooled] == ["all"] * 3
    assert pooled[0][COLUMNS].tolist() == pooled[1][COLUMNS].tolist() == pooled[2][COLUMNS].tolist()
    assert [table["rows"][:-1].sum() for table in tables.values()] == [600] * 3
    assert tables["months"]["month"].tolist() == ["2022-01", "all"]


def test_folds_come_in_the_order_of_time_with_their_own_figures(volatility_run):
    """Fold 10, which is tested before fold 2 here, comes first, with its own skill and opponent."""
    rows, losses, covered = volatility_run
    rows["fold"] = rows["fold"].replace({"1": "10"})

    table = breakdowns(rows, losses, covered, {"10": "har", "2": "benchmark"})["folds"]

    test = losses[(rows["role"] == "test") & (rows["fold"] == "10")].mean()
    assert table["fold"].tolist() == ["10", "2", "all"]
    assert table["skill_pct"].iloc[0] == pytest.approx(100 * (1 - test["network"] / test["benchmark"]))
    assert table["edge_pct"].iloc[0] == pytest.approx(100 * (1 - test["network"] / test["har"]))
    assert table["best_baseline"].tolist() == ["har", "benchmark", "-"]
    assert table["coverage_90_pct"].iloc[-1] == 90


@pytest.mark.parametrize("task", TASKS)
def test_every_forecast_stands_beside_the_network(compared, make_inputs, task):
    """Least loss first; what is compared with itself gains nothing; the network's skill is its gain."""
    rows, losses = compared(make_inputs(task), task)
    test = rows["role"] == "test"
    sample = sample_of(rows[test], 14, pd.Timedelta(hours=1), 100, np.random.default_rng(1))
    p = dict.fromkeys(losses.columns, 0.5)

    table = forecasts(losses[test], p, sample).set_index("forecast")

    assert set(table.index) == set(losses.columns) - {"best"}
    assert table["loss"].is_monotonic_increasing
    assert (table.loc[["benchmark"], ["skill_pct", "skill_lo", "skill_hi"]] == 0).all(axis=None)
    assert (table.loc[["network"], ["gain_pct", "gain_lo", "gain_hi"]] == 0).all(axis=None)
    assert table["gain_pct"]["benchmark"] == pytest.approx(table["skill_pct"]["network"])
    assert (table["skill_lo"] <= table["skill_pct"]).all()

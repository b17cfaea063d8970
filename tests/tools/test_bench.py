import pytest

from stages.common.task import TASKS
from stages.params import check_params
from tests.settings import shipped
from tools.bench.baselines import MARKET, REFERENCE, TOGETHER, table, time_task
from tools.controls.market import simulated


@pytest.fixture
def times():
    """What 1,300 candles take, of each question.

    A fit that looks at another's forecast needs twice `min_bars` labels, beyond the warm-up.
    """
    values = shipped()
    values["split"] |= {"folds": 1, "test_bars": 50, "val_bars": 50, "warmup_bars": 730}
    values["train"]["window"] = 10
    values["baseline"] = {"refit_bars": 100, "min_bars": 200, "window_bars": 200, "slow_refit_bars": 100}
    candles = simulated(MARKET, seed=1)[:1300]
    return {task: time_task(candles, check_params(values | {"task": task})) for task in TASKS}


def test_every_baseline_is_timed(times):
    """Each column has a time of its own, sizing among them, and so have all of them together."""
    assert {"benchmark", "har_hour_of_week", "garch", "boosting", "sizing_atr"} < set(times["volatility"])
    assert {"benchmark", "logistic", "boosting", "return_per_atr"} < set(times["direction"])
    for columns in times.values():
        assert list(columns)[-1] == TOGETHER
        assert all(spent > 0 for spent in columns.values())


def test_the_table_compares_with_the_reference():
    """A row a baseline; the reference's own ratio is 1."""
    task, name = REFERENCE

    lines = table({task: {name: 0.5, "garch": 2.0}}).splitlines()

    assert lines[2:] == [
        "| volatility | har_hour_of_week | 0.50 | 1.0 |",
        "| volatility | garch | 2.00 | 4.0 |",
    ]

import os
import sys

import pytest

from stages.common.errors import InputError
from stages.common.task import TASKS
from stages.params import check_params
from tests.settings import shipped
from tools.bench import growth, measure
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


@pytest.mark.parametrize("power", [0.5, 1.0, 2.0])
def test_growth_is_that_above_the_fixed_part(power):
    """What is there whatever the size counts for nothing."""
    sizes = [10, 1_000, 100_000]
    assert growth.exponent(sizes, [7 + size**power for size in sizes]) == pytest.approx(power, abs=0.02)


def test_what_hardly_grows_has_no_power():
    """Differences of a tenth come and go with the machine."""
    assert growth.exponent([1, 10, 100], [100, 99, 109]) == 0


def test_a_cost_is_that_of_all_processes(tmp_path):
    """Here half of the work, and of the memory, is a child's."""
    work = "held = bytearray(100_000_000); sum(range(15_000_000))"
    child = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {work!r}]); {work}"

    cost = measure.cost_of([sys.executable, "-c", child], tmp_path, os.environ)
    alone = measure.cost_of([sys.executable, "-c", work], tmp_path, os.environ)

    assert cost.memory > 100e6
    assert 1.2 * alone.cpu < cost.cpu
    assert cost.wall > 0


def test_a_command_that_fails_is_one_line(tmp_path):
    """With its reason."""
    with pytest.raises(InputError, match=r"must succeed; received: error: so it is"):
        measure.cost_of(
            [sys.executable, "-c", "import sys; sys.exit('error: so it is')"], tmp_path, os.environ
        )


def test_the_table_of_stages_has_a_row_a_stage():
    """Seconds and MB of each size, then both exponents."""
    found = [dict.fromkeys(growth.NAMES, measure.Cost(1 + n, 0.0, 1e6 * (100 + n))) for n in (1, 10, 100)]

    lines = growth.table("candles", [1, 10, 100], found).splitlines()

    assert lines[0].startswith("| stage | 1 candles | 10 candles | 100 candles |")
    assert lines[2] == "| fetch | 2.0 s, 101 MB | 11.0 s, 110 MB | 101.0 s, 200 MB | 1.00 | 1.00 |"
    assert len(lines) == 2 + len(growth.NAMES)

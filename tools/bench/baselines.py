"""How long the classical forecasts take, on five simulated years of hourly candles.

Under the settings in params.yaml: each baseline of all tasks alone, in this process, then all of a task as
the stage maps them over processes. Times depend on the machine, so beside them stands their ratio to one
baseline that is refit by brute force.
"""

from functools import partial
from pathlib import Path
from timeit import timeit

import pandas as pd

from stages.baseline.stage import baseline, forecasters, rows_of
from stages.common.task import TASKS
from stages.label.rows import label_candles
from stages.params import Params, check_params, read_params
from tools import markdown
from tools.controls.market import BAR, HOURLY, SYMBOL, Market, simulated
from tools.settings import changed

REFERENCE = ("volatility", "har_hour_of_week")
TOGETHER = "all, as the stage does"
MARKET = Market(years=5)


def time_task(candles: pd.DataFrame, params: Params) -> dict[str, float]:
    """Seconds of each of a task's columns alone, and of all TOGETHER, starting of processes included."""
    labels, _ = label_candles(candles, params.task, BAR, params.label, params.split)
    rows = rows_of(candles, labels, None, params)
    settings = params.label.of(params.task).model_dump()
    times = {
        name: timeit(partial(forecaster, rows, params.baseline), number=1)
        for name, forecaster in forecasters(params.task, settings).items()
    }
    together = partial(baseline, {SYMBOL: candles}, {SYMBOL: labels}, None, params)
    return times | {TOGETHER: timeit(together, number=1)}


def table(times: dict[str, dict[str, float]]) -> str:
    """Markdown: a row a task and baseline, its seconds, and those as a multiple of REFERENCE."""
    task, name = REFERENCE
    rows = [
        [question, column, f"{spent:.2f}", f"{spent / times[task][name]:.1f}"]
        for question, columns in times.items()
        for column, spent in columns.items()
    ]
    return markdown.table(["task", "baseline", "seconds", f"times {name}"], rows, n_left=2)


def main(_scratch: Path) -> str:
    """The table."""
    params = check_params(changed(read_params(), {"fetch.timeframe": HOURLY}))
    candles = simulated(MARKET, seed=1)
    times = {task: time_task(candles, params.model_copy(update={"task": task})) for task in TASKS}
    return table(times)

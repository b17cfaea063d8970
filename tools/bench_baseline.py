"""How long the classical forecasts take, on five simulated years of hourly candles.

Under the settings in params.yaml: each baseline of both tasks alone, in this process, then all of a task as
the stage maps them over processes. Times depend on the machine, so beside them stands their ratio to one
baseline that is refit by brute force.
"""

import time
from collections.abc import Callable
from functools import partial
from typing import Any

import pandas as pd

from stages.baseline.__main__ import forecast_all, forecasters
from stages.baseline.params import BaselineParams
from stages.baseline.rows import make_rows
from stages.common.bars import bar_length
from stages.common.errors import run
from stages.common.params import load_params
from stages.common.task import TASKS
from stages.fetch.params import SimulatedParams
from stages.fetch.simulated.candles import simulate
from stages.label.params import LabelParams, SplitParams
from stages.label.rows import label_candles

REFERENCE = ("volatility", "har_hour_of_week")
TOGETHER = "all, as the stage does"
SYMBOL = "BTC/USDT"
HOUR = bar_length("1h")
FIVE_YEARS = 5 * 8766  # bars


def market(n_bars: int) -> pd.DataFrame:
    """That many hourly candles of the simulated market, as it comes."""
    open_time = pd.date_range("2020-01-06", periods=n_bars, freq=HOUR, tz="UTC", unit="ms")
    settings = SimulatedParams(seed=1, drift_signal=0.0, volatility_memory=1.0)
    return simulate(SYMBOL, open_time, 60, settings)


def baseline_rows(candles: pd.DataFrame, task: str, label: LabelParams, split: SplitParams) -> pd.DataFrame:
    """The rows that the stage would make of these candles."""
    labels, _ = label_candles(candles, task, HOUR, label, split)
    return make_rows(candles, labels, HOUR, split.bridge_bars, label.horizon)


def seconds(work: Callable[[], Any]) -> float:
    """How long one call takes, by the clock on the wall."""
    begin = time.perf_counter()
    work()
    return time.perf_counter() - begin


def time_task(
    rows: pd.DataFrame, task: str, settings: dict[str, Any], params: BaselineParams
) -> dict[str, float]:
    """Seconds of each of a task's columns alone, and of all TOGETHER, starting of processes included."""
    times = {
        name: seconds(partial(forecaster, rows, params))
        for name, forecaster in forecasters(task, settings).items()
    }
    return times | {TOGETHER: seconds(lambda: forecast_all({SYMBOL: rows}, task, settings, params))}


def table(times: dict[str, dict[str, float]]) -> str:
    """Markdown: a row a task and baseline, its seconds, and those as a multiple of REFERENCE."""
    task, name = REFERENCE
    rows = [["task", "baseline", "seconds", f"times {name}"], ["---", "---", "---:", "---:"]]
    for question, columns in times.items():
        for column, spent in columns.items():
            rows.append([question, column, f"{spent:.2f}", f"{spent / times[task][name]:.1f}"])
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def main() -> None:
    """Print the table."""
    params, label = load_params("baseline", BaselineParams), load_params("label", LabelParams)
    split = load_params("split", SplitParams)
    candles = market(FIVE_YEARS)
    times = {}
    for task in TASKS:
        settings = getattr(label, task).model_dump()
        times[task] = time_task(baseline_rows(candles, task, label, split), task, settings, params)
    print(table(times))


if __name__ == "__main__":
    run(main)

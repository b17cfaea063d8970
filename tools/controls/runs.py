"""What is measured on each seed: a market's verdicts, or the test of two forecasts that are equally bad."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import numpy as np
import pandas as pd

from stages.common.arrays import Floats
from stages.common.errors import InputError
from stages.common.task import qlike
from stages.evaluate.significance import compare, sample_of
from stages.evaluate.stage import evaluate
from stages.fetch.simulated.candles import remember
from stages.params import Params, check_params
from tools.controls.market import BAR, Market, Study, Values, control_values, make_studies
from tools.controls.models import MODELS

Figures = dict[str, float]

ERROR_SPREAD = 0.2  # of a log forecast: QLIKE of about .02, as of the better forecasts of real volatility


class MarketRun(NamedTuple):
    """A model's answer to a task's question of a market; `model`: of `models.MODELS`."""

    market: Market
    task: str
    model: str


@dataclass(frozen=True)
class EqualRun:
    """Two forecasts that are equally bad, whose errors last for `memory_hours`; of no market."""

    memory_hours: int
    market: ClassVar[None] = None


ControlRun = MarketRun | EqualRun


def run_values(run: ControlRun, values: Values) -> Values:
    """params.yaml as the run has it."""
    return control_values(values, run.market.years if run.market else 3)


def measure(runs: Sequence[ControlRun], seed: int, values: Values) -> list[Figures]:
    """Figures of each run with that seed. `runs`: of one market, or all of equal forecasts."""
    params = check_params(run_values(runs[0], values))
    market_runs = [run for run in runs if isinstance(run, MarketRun)]
    if not market_runs:
        return [measure_equal(run.memory_hours, seed, params) for run in runs if isinstance(run, EqualRun)]
    tasks = sorted({run.task for run in market_runs})
    studies = make_studies(market_runs[0].market, seed, tasks, params)
    return [measure_model(studies[run.task], run.model) for run in market_runs]


def measure_model(study: Study, model: str) -> Figures:
    """What evaluate says of the model's forecasts. Raises InputError if no verdict is possible."""
    params = study.params
    predictions = MODELS[params.task, model](study)
    block: Figures = evaluate(predictions, study.labels, study.baselines, params).metrics["test"]
    check_long_enough(params, short=bool(block["too_short"]))
    return block


def check_long_enough(params: Params, *, short: bool) -> None:
    """Raise InputError where a test is too short for a verdict: it would call nothing a signal, ever."""
    if short:
        raise InputError(
            "label.horizon must leave the controls' tests long enough for a verdict; "
            f"received {params.label.horizon}."
        )


def measure_equal(memory_hours: int, seed: int, params: Params) -> Figures:
    """One forecast against the other, in tests as long as those of three years of candles."""
    split = params.split
    n_times, rng = split.folds * split.test_bars, np.random.default_rng(seed)
    rows = pd.DataFrame(
        {
            "close_time": pd.date_range("2022-01-01", periods=n_times, freq=BAR, tz="UTC"),
            "fold": np.repeat(np.arange(split.folds), split.test_bars),
        }
    )
    # What is forecast is 1 throughout, so that the losses are of the errors alone.
    losses = [qlike(np.ones(n_times), lasting_errors(n_times, memory_hours, rng)) for _ in range(2)]
    sample = sample_of(rows, params.label.horizon, BAR, params.evaluate.bootstrap, rng)
    check_long_enough(params, short=sample.short)
    result = compare(losses[0], losses[1], sample)
    return {"verdict": float(result.verdict), "lo": result.lo, "dm_p": result.dm_p}


def lasting_errors(n_times: int, memory_hours: float, rng: np.random.Generator) -> Floats:
    """Log errors: an AR(1) whose autocorrelation falls to 1/e in `memory_hours`; shape (n_times,)."""
    # The market remembers minute by minute: here each stands for an hour.
    return ERROR_SPREAD * remember(rng.standard_normal(n_times), memory_hours / 60)

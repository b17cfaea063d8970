"""Is a forecast what was scored? Test rows forecast anew, each from the candles that were there by then."""

from functools import partial
from typing import NamedTuple

import numpy as np
import pandas as pd

from stages.common.bars import bar_length
from stages.common.parallel import parallel_map
from stages.common.tables import Tables
from stages.common.task import TASKS
from stages.evaluate.conformal import bounds_of
from stages.evaluate.question import question_of
from stages.evaluate.risk import TAILS, value_at_risk
from tools.forecast.answer import answer
from tools.forecast.model import Model


class Difference(NamedTuple):
    """Greatest relative difference between what was forecast anew and what was scored, over `n_rows`.

    `forecast`: of the forecast in its own unit; `interval`: of the ends of its set; `tail`: of the 95 %
    value at risk over the horizon.
    """

    n_rows: int
    forecast: float
    interval: float
    tail: float


def replay(
    model: Model, candles: Tables, releases: pd.DataFrame | None, n_rows: int, seed: int = 1
) -> Difference:
    """Forecast `n_rows` test rows drawn by chance, or all if there are fewer; a process a core."""
    evidence = with_sets(model)
    test = evidence[evidence["role"] == "test"]
    drawn = test.sample(min(n_rows, len(test)), random_state=seed)
    rows = [row for _, row in drawn.iterrows()]
    found = parallel_map(partial(differences, model, candles, releases), rows, "replay")
    return Difference(len(found), *(float(worst) for worst in np.max(found, axis=0)))


def with_sets(model: Model) -> pd.DataFrame:
    """The evidence, with what evaluate has of each row: forecast, lo and hi of its set, tail in spreads."""
    params = model.params
    task, question = TASKS[params.task], question_of(params.task)
    horizon = params.label.horizon * bar_length(params.fetch.timeframe)
    parts = []
    for _, part in model.evidence.groupby(["fold", "symbol"]):
        rows = part.assign(forecast=task.inverse(part["score"].to_numpy(np.float64)))
        lo, hi = bounds_of(rows, question.nonconformity(rows), question, horizon)
        pairs = [question.outcomes(*each) for each in zip(rows["forecast"], lo, hi, strict=True)]
        tail = value_at_risk(rows, "end_return", TAILS["95"])
        parts.append(rows.assign(lo=[pair[0] for pair in pairs], hi=[pair[1] for pair in pairs], tail=tail))
    return pd.concat(parts)


def differences(
    model: Model, candles: Tables, releases: pd.DataFrame | None, row: pd.Series
) -> tuple[float, float, float]:
    """Relative differences of a test row's forecast, of its set and of its tail."""
    bar = bar_length(model.params.fetch.timeframe)
    known = {name: table[table["open_time"] + bar <= row["close_time"]] for name, table in candles.items()}
    found = answer(model, known, releases, row["fold"], [row["symbol"]])[row["symbol"]]
    return (
        relative(found.forecast, row["forecast"]),
        max(relative(found.lo, row["lo"]), relative(found.hi, row["hi"])),
        relative(found.tails["end"]["95"].value_at_risk / found.spread, row["tail"]),
    )


def relative(found: float, expected: float) -> float:
    """How far off a figure is, relative to what it should be; nothing where both are an empty set's."""
    if np.isnan(found) and np.isnan(expected):
        return 0.0
    return float(np.abs(found - expected) / max(abs(expected), 1e-12))

"""Is a forecast what was scored? Test rows forecast anew, each from the candles that were there by then."""

from functools import partial
from typing import NamedTuple

import numpy as np
import pandas as pd

from stages.common.parallel import parallel_map
from stages.common.tables import Tables
from stages.common.task import TASKS
from stages.evaluate.conformal import bounds_of
from stages.evaluate.question import question_of
from tools.forecast.answer import answer
from tools.forecast.model import Model


class Difference(NamedTuple):
    """Greatest relative difference between what was forecast anew and what was scored, over `n_rows`.

    `forecast`: of the forecast in its own unit; `interval`: of the ends of its set; `spread`: of the
    forecast spread of the next bar's return, by which positions and values at risk are worked out.
    """

    n_rows: int
    forecast: float
    interval: float
    spread: float


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
    """The evidence, with what evaluate has of each row: forecast, and lo and hi of its set."""
    params = model.params
    task, question = TASKS[params.task], question_of(params.task)
    horizon = params.label.horizon * params.fetch.bar
    parts = []
    for _, part in model.evidence.groupby(["fold", "symbol"]):
        rows = part.assign(forecast=task.inverse(part["score"].to_numpy(np.float64)))
        lo, hi = bounds_of(rows, question.nonconformity(rows), question, horizon)
        least, greatest = question.outcomes(rows["forecast"].to_numpy(np.float64), lo, hi)
        parts.append(rows.assign(lo=least, hi=greatest))
    return pd.concat(parts)


def differences(
    model: Model, candles: Tables, releases: pd.DataFrame | None, row: pd.Series
) -> tuple[float, float, float]:
    """Relative differences of a test row's forecast, of its set and of its spread."""
    close_time, symbol, bar = row["close_time"], row["symbol"], model.params.fetch.bar
    known = {name: table[table["open_time"] + bar <= close_time] for name, table in candles.items()}
    found = answer(model, known, releases, row["fold"], [symbol])[symbol]
    closes = candles[symbol].set_index("open_time")["close"]
    next_return = closes[close_time] / found.close - 1
    return (
        relative(found.forecast, row["forecast"]),
        max(relative(found.lo, row["lo"]), relative(found.hi, row["hi"])),
        relative(next_return / found.spread, row["next_return"]),
    )


def relative(found: float, expected: float) -> float:
    """How far off a figure is, relative to what it should be; nothing where both are an empty set's."""
    if np.isnan(found) and np.isnan(expected):
        return 0.0
    off = abs(found - expected) / max(abs(expected), 1e-12)
    return float(off) if np.isfinite(off) else np.inf

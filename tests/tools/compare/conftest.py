"""Test rows of two runs, made up: forecasts of a known worth, with errors that last for days."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.signal import lfilter

from stages.common.arrays import Floats
from stages.common.task import qlike
from stages.evaluate.figures import TEST
from stages.evaluate.stage import own_figures
from tools.compare.scored import Scored
from tools.compare.side import Side

HOUR = pd.Timedelta(hours=1)
START = pd.Timestamp("2022-01-01", tz="UTC").as_unit("ms")
LASTING = 0.99  # of errors, from hour to hour: half of one is gone after three days

MakeRuns = Callable[..., list[Scored]]
MakeSide = Callable[..., Side]


def lasting(rng: np.random.Generator, n_hours: int, share: float = LASTING) -> Floats:
    """Errors of spread 1, of which that share lasts from hour to hour."""
    steps = rng.standard_normal(n_hours)
    steps[1:] *= np.sqrt(1 - share**2)
    return np.asarray(lfilter([1.0], [1.0, -share], steps))


def scored(y: Floats, score: Floats, start: pd.Timestamp = START, symbol: str = "BTC") -> Scored:
    """A run of one symbol; `score`: ln of its forecast of y."""
    times = pd.date_range(start, periods=len(y), freq=HOUR)
    loss, benchmark = qlike(y, score), qlike(y, np.full(len(y), np.log(y).mean()))
    rows = pd.DataFrame(
        {
            "symbol": symbol,
            "close_time": times,
            "y": y,
            "info": benchmark - loss,
            "network": loss,
            "benchmark": benchmark,
            "best": benchmark * 0.9,
            "covered": np.abs(np.log(y) - score) < 0.4,
            "width": 0.8,
        }
    )
    money = pd.DataFrame({"net": (np.log(y) + 5) / 1000, "utility": -loss}, index=times)
    return Scored(rows, money, horizon_bars=14, bar=HOUR)


@pytest.fixture
def runs() -> MakeRuns:
    """`runs(n_hours, errors, seed, share)`: a run for each spread of errors, of the same outcomes."""

    def make(n_hours: int, errors: list[float], seed: int = 1, share: float = LASTING) -> list[Scored]:
        rng = np.random.default_rng(seed)
        truth = -5 + 0.4 * lasting(rng, n_hours)
        y = np.exp(truth + 0.2 * rng.standard_normal(n_hours))
        return [scored(y, truth + 0.02 + error * lasting(rng, n_hours, share)) for error in errors]

    return make


@pytest.fixture
def side() -> MakeSide:
    """`side(name, task, figures, ...)`: a run whose metrics.json is full, of .5 but for those named."""

    def make(
        name: str, task: str = "direction", figures: dict[str, float] | None = None, **others: Any
    ) -> Side:
        test = dict.fromkeys(TEST, 0.5) | {"signal": 0, "edge": 0, "too_short": 0, "n_rows": 100}
        metrics = {
            "test": test | (figures or {}),
            "train": {"skill_pct": 0.0},
            "overfit_gap_pct": 0.0,
            "baselines": {"benchmark": 693.1},
            task: dict.fromkeys(own_figures(task), 0.5),
        }
        made = Side(
            name=name,
            revision="workspace",
            task=task,
            settings={"task": task, "fetch.source": "simulated", "train.units": 32},
            metrics=metrics,
            deps={"stages/train/networks.py": "1"},
            outs={"data/candles": "1"},
            test=None,
            notes=[],
        )
        return made._replace(**others)

    return make

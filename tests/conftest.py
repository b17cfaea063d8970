"""Small markets for the tests, made here so that no test waits for a stage it doesn't test."""

import json
import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import pytest
from filelock import FileLock
from hypothesis import Phase, settings

from tests.project import EVERYTHING, Project, ran

MakeCandles = Callable[..., pd.DataFrame]

PRICES = ["open", "high", "low", "close"]

# Or what the tests score would be entered into the ledger of whoever runs them.
os.environ.pop("BAROMETER_CACHE", None)
# Or all would be worked out elsewhere.
os.environ.pop("DASK_SCHEDULER_ADDRESS", None)
# Or each stage that a test starts would compile its modules anew.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

# For test_canaries.py, which waits for a failure and no more: to shrink its example may take minutes.
settings.register_profile(
    "any_failure", derandomize=True, phases=[Phase.explicit, Phase.generate], report_multiple_bugs=False
)


def random_candles(
    n_bars: int, seed: int = 1, missing: Sequence[int] = (), start: str = "2022-01-03"
) -> pd.DataFrame:
    """Hourly candles of a random walk whose variance changes; the rows at `missing` are left out."""
    rng = np.random.default_rng(seed)
    log_variance = np.zeros(n_bars)
    for t in range(1, n_bars):
        log_variance[t] = 0.97 * log_variance[t - 1] + 0.25 * rng.standard_normal()
    steps = 0.002 * np.exp(log_variance / 2)[:, None] * rng.standard_normal((n_bars, 8)) / np.sqrt(8)
    path = np.exp(np.log(20_000) + np.cumsum(steps).reshape(n_bars, 8))
    opens = np.concatenate([[20_000.0], path[:-1, -1]])
    candles = pd.DataFrame(
        {
            "open_time": pd.date_range(start, periods=n_bars, freq="h", tz="UTC", unit="ms"),
            "open": opens,
            "high": np.maximum(path.max(axis=1), opens),
            "low": np.minimum(path.min(axis=1), opens),
            "close": path[:, -1],
            "volume": 100 * np.exp(log_variance / 2 + 0.3 * rng.standard_normal(n_bars)),
        }
    )
    return candles.drop(index=list(missing)).reset_index(drop=True)


@pytest.fixture
def make_candles() -> MakeCandles:
    """`make_candles(n_bars, seed=1, missing=(), start="2022-01-03")` gives hourly candles."""
    return random_candles


class FirstRun(NamedTuple):
    """`dvc repro` on the tiny project: where, what it said on stdout and stderr, and how long it took."""

    folder: str
    log: str
    seconds: float


@pytest.fixture(scope="session")
def first_run(tmp_path_factory: pytest.TempPathFactory) -> FirstRun:
    """Made once, whatever number of pytest's workers ask for it."""
    place = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        place = place.parent  # of all workers
    noted = place / "first_run.json"
    with FileLock(place / "first_run.lock"):
        if not noted.exists():
            made = run_first(Project(tmp_path_factory.mktemp("reproduced")))
            noted.write_text(json.dumps(made), encoding="utf-8")
        return FirstRun(*json.loads(noted.read_text(encoding="utf-8")))


def run_first(project: Project) -> FirstRun:
    """Reproduce a project in which nothing has run yet."""
    begin = time.monotonic()
    result = project.try_run("dvc", "repro")
    seconds = time.monotonic() - begin
    assert result.returncode == 0, result.stderr
    assert ran(result.stdout) == EVERYTHING
    return FirstRun(str(project.folder), result.stdout + result.stderr, seconds)


@pytest.fixture(scope="session")
def reproduced(first_run: FirstRun) -> Project:
    """The tiny project, reproduced once; only to be copied, for all workers share it."""
    return Project.at(Path(first_run.folder))


@pytest.fixture
def candles() -> pd.DataFrame:
    """Three thousand hourly candles without a gap."""
    return random_candles(3000)

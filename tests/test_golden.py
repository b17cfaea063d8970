"""A tiny market's metrics, as committed: what another machine, Python or dependency changes shows here."""

import json
import platform
from pathlib import Path

import pytest

import stages
from stages.common.task import TASKS
from stages.evaluate.subject import flat
from tools.verify import reproduce

ROOT = Path(__file__).parents[1]
PYTHON = (ROOT / ".python-version").read_text(encoding="utf-8").strip()
COMMITTED_HERE = stages.same_bytes_promised() and platform.python_version().startswith(f"{PYTHON}.")

# How far a metric may be off elsewhere, where sums are added up in another order: the greater of a share of
# itself and an amount in its own unit, by what its name ends with. On Python 3.13, and under other kernels
# of numpy, OpenBLAS and oneDNN, none was off by more than a hundred-thousandth of itself.
EXACT, OF_A_CALL, OF_A_TRADE = (0.0, 0.0), (0.0, 3.0), (0.01, 0.01)
TOLERANCE = {
    "": (1e-3, 1e-3),
    **dict.fromkeys(["signal", ".edge", "too_short", "collapsed", "n_rows"], EXACT),
    **dict.fromkeys([".tp", ".fp", ".fn", ".tn"], OF_A_CALL),
    **dict.fromkeys(["sharpe", "sharpe_lo", "sharpe_hi", "turnover", "utility_bps"], OF_A_TRADE),
    "mcs_p": (0.0, 0.05),  # counted among a hundred replicates
}


@pytest.fixture(scope="module")
def market(tmp_path_factory) -> Path:
    """A folder in which all tasks have been reproduced from nothing, with their metrics."""
    folder: Path = tmp_path_factory.mktemp("golden") / "market"
    reproduce(folder, {})
    return folder


def tolerance(name: str) -> tuple[float, float]:
    """Share and amount by which a metric may be off: those of the longest ending that fits."""
    ending = max((ending for ending in TOLERANCE if name.endswith(ending)), key=len)
    return TOLERANCE[ending]


@pytest.mark.parametrize("task", TASKS)
def test_the_metrics_are_those_committed(market: Path, task: str):
    """To the last digit where the same bytes are promised, elsewhere within each key's tolerance.

    If a change of code or of a dependency means to move them, `make golden` writes them anew.
    """
    expected, actual = (
        flat(json.loads((folder / f"{task}.json").read_text(encoding="utf-8")))
        for folder in (ROOT / "tests/golden", market)
    )

    assert actual.keys() == expected.keys()
    if COMMITTED_HERE:
        assert actual == expected
    for name, value in expected.items():
        share, amount = tolerance(name)
        assert actual[name] == pytest.approx(value, rel=share, abs=amount), name

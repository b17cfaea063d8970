"""What libraries use of the processor: settled before they are imported, in every process of a stage."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import stages

ROOT = Path(__file__).parents[1]
BEYOND_AVX2 = ("AVX512", "AVX10", "X86_V4")

pytestmark = pytest.mark.skipif(
    not stages.same_bytes_promised(), reason="nothing is set but on Linux on x86-64 with AVX2"
)

ASK = """
import json, numpy, scipy.linalg, threadpoolctl
simd = numpy.show_config(mode="dicts")["SIMD Extensions"]
pools = threadpoolctl.threadpool_info()
print(json.dumps({
    "used": simd.get("found", []),
    "known": simd.get("found", []) + simd.get("not found", []),
    "kernels": sorted({pool["architecture"] for pool in pools}),
    "threads": [pool["num_threads"] for pool in pools],
}))
"""


def ask(first: str, **environment: str) -> dict[str, Any]:
    """What numpy and BLAS use in a new process that runs `first`, then imports them."""
    kept = {name: value for name, value in os.environ.items() if name not in stages.SETTINGS}
    result = subprocess.run(
        [sys.executable, "-W", "error", "-c", f"{first}\n{ASK}"],
        cwd=ROOT,
        env=kept | environment,
        capture_output=True,
        text=True,
        check=True,
    )
    found: dict[str, Any] = json.loads(result.stdout)
    return found


@pytest.mark.parametrize("first", ["import stages", "import stages.label.rows", "import tools.lookahead"])
def test_numpy_and_blas_use_what_every_processor_has(first):
    """No more than AVX2, one BLAS kernel, one thread; and numpy has no warning to give."""
    found = ask(first)

    assert not [name for name in found["used"] if name.startswith(BEYOND_AVX2)]
    assert (found["kernels"], set(found["threads"])) == (["Haswell"], {1})


def test_every_name_that_numpy_has_for_more_is_switched_off():
    """A numpy that knows another set beyond AVX2 is noticed."""
    known = {name for name in ask("import stages")["known"] if name.startswith(BEYOND_AVX2)}

    assert known <= set(stages.SETTINGS["NPY_DISABLE_CPU_FEATURES"].split())


def test_what_a_user_has_set_stands():
    """The environment comes first."""
    found = ask("import stages", OPENBLAS_CORETYPE="Nehalem", NPY_DISABLE_CPU_FEATURES="AVX2")

    assert found["kernels"] == ["Nehalem"]
    assert "AVX2" not in found["used"]


def test_what_a_user_has_set_is_told():
    """A line on stderr names the setting, what it is, and what the project's would be."""
    result = subprocess.run(
        [sys.executable, "-c", "from stages.common.errors import run; run(lambda: None)"],
        cwd=ROOT,
        env=os.environ | {"OPENBLAS_CORETYPE": "Zen"},
        capture_output=True,
        text=True,
        check=True,
    )

    assert result.stderr.splitlines() == [
        "note: OPENBLAS_CORETYPE is 'Zen', not 'Haswell': bytes may differ from other machines'."
    ]


def test_numpy_that_came_first_is_told():
    """Then nothing is set, for it would say what isn't so."""
    program = "import numpy, stages; print(sorted(stages.otherwise()) == sorted(stages.SETTINGS))"
    kept = {name: value for name, value in os.environ.items() if name not in stages.SETTINGS}
    result = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, env=kept, capture_output=True, text=True, check=True
    )

    assert result.stdout == "True\n"


def settings_there(_item: int) -> dict[str, str | None]:
    """The settings of the process that this runs in."""
    return stages.in_force()


def test_worker_processes_have_the_same_settings():
    """Wherever the work of a stage is done. Asked of a new process: numpy came first to this one."""
    program = (
        "import json; from stages.common.parallel import parallel_map\n"
        "from tests.test_processor import settings_there\n"
        "if __name__ == '__main__': print(json.dumps(parallel_map(settings_there, [1, 2, 3], 'work')))"
    )
    kept = {name: value for name, value in os.environ.items() if name not in stages.SETTINGS}
    result = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, env=kept, capture_output=True, text=True, check=True
    )

    assert json.loads(result.stdout) == [stages.SETTINGS] * 3

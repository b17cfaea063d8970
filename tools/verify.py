"""The same bytes under settings as different as one machine allows: `python -m tools.verify`.

A tiny market is reproduced from nothing, for all tasks, in a folder a setting: other processor features
for numpy, another BLAS kernel, other numbers of threads and processes, another locale, time zone and hash
seed. Every file that a stage writes must have the same hash in all of them.
"""

import hashlib
import json
import os
import shutil
import sys
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, get_args

from tqdm import tqdm

import stages
from stages.common.cache import VARIABLE
from stages.common.errors import InputError, run
from stages.common.task import TASKS
from stages.featurize.params import Group
from stages.params import read_params
from tools import markdown
from tools.commands import finished, reason, without_options
from tools.settings import changed

ROOT = Path(__file__).parents[1]

# Ten weeks of two symbols, with all that a run may have. A bare network has something to learn of both
# questions, so that what becomes of it is in the forecasts.
TINY = {
    "fetch.symbols": ["BTC/USDT", "ETH/USDT"],
    "fetch.end": "2022-03-15",
    "fetch.simulated.drift_signal": 0.5,
    "featurize.groups": list(get_args(Group)),
    "featurize.windows": [1, 4, 24],
    "split.scheme": "holdout",
    "split.warmup_bars": 200,
    "baseline.min_bars": 200,
    "baseline.window_bars": 400,
    "train.units": 8,
    "train.window": 12,
    "train.offset": "none",
    "train.error_half_lives": [24],
    "train.trees": 10,
    "train.epochs": 3,
    "train.keep_epoch": "last",
    "train.refit_epochs": 1,
    "train.learning_rate": 0.01,
    "evaluate.bootstrap": 100,
}

BEYOND_SSE = "SSSE3 SSE41 POPCNT SSE42 AVX F16C FMA3 AVX2 X86_V3"
WITHOUT_AVX512 = stages.SETTINGS["NPY_DISABLE_CPU_FEATURES"]

SETTINGS: dict[str, dict[str, str]] = {
    "as the project sets it": {},
    "set by hand, without AVX-512": stages.SETTINGS,  # the same, unless the line above fails to
    "numpy down to SSE": {"NPY_DISABLE_CPU_FEATURES": f"{WITHOUT_AVX512} {BEYOND_SSE}"},
    "OpenBLAS for Zen": {"OPENBLAS_CORETYPE": "Zen"},
    "one process, two threads": {
        "LOKY_MAX_CPU_COUNT": "1",
        "OMP_NUM_THREADS": "2",
        "OPENBLAS_NUM_THREADS": "2",
    },
    "another place": {"LC_ALL": "C", "TZ": "Asia/Kathmandu", "PYTHONHASHSEED": "7", "PYTHONUTF8": "0"},
}

Hashes = dict[str, dict[str, str]]  # of each file that a stage wrote, by "task stage"


def main() -> None:
    """Reproduce under every setting, print the table; fail if any file differs."""
    with TemporaryDirectory() as folder, ThreadPoolExecutor(os.cpu_count()) as pool:
        work = partial(reproduce_in, Path(folder))
        found = list(tqdm(pool.map(work, SETTINGS), "verify", len(SETTINGS), disable=None))
    hashes = dict(zip(SETTINGS, found, strict=True))
    print(table(hashes))
    first = first_difference(hashes)
    if first:
        raise InputError(f"every setting must give the same bytes; received others of {first}.")


def reproduce_in(folder: Path, setting: str) -> Hashes:
    """`reproduce` in a folder of that setting's own, with its environment."""
    # Sixty processes import the same libraries: what is compiled once serves all.
    bytecode = {"PYTHONDONTWRITEBYTECODE": "", "PYTHONPYCACHEPREFIX": str(folder / "bytecode")}
    return reproduce(folder / setting, bytecode | SETTINGS[setting])


def reproduce(folder: Path, variables: dict[str, str]) -> Hashes:
    """Run every stage for the first task, then those that ask which task it is for each other one.

    `variables`: of the environment, in place of what it says of the processor. `folder` must not exist yet;
    it keeps each task's metrics as `<task>.json`. Raises InputError where a stage fails, with its reason.
    """
    shutil.copytree(ROOT / "stages", folder / "stages", ignore=shutil.ignore_patterns("__pycache__"))
    declared = read_params(str(ROOT / "dvc.yaml"))["stages"]
    # Each in a cache folder of its own, or the results would be entered into the user's ledger.
    unset = {*stages.SETTINGS, VARIABLE}
    environment = {name: value for name, value in os.environ.items() if name not in unset}
    hashes: Hashes = {}
    first = next(iter(TASKS))
    for task in TASKS:
        values = changed(read_params(str(ROOT / "params.yaml")), TINY | {"task": task})
        (folder / "params.yaml").write_text(json.dumps(values), encoding="utf-8")
        for stage in declared:
            if task == first or "task" in declared[stage]["params"]:
                run_stage(stage, folder, environment | variables)
                hashes[f"{task} {stage}"] = hashes_of(folder, outputs(declared[stage]))
        shutil.copy(folder / "results/metrics.json", folder / f"{task}.json")
    return hashes


def run_stage(stage: str, folder: Path, environment: dict[str, str]) -> None:
    """Run one stage in a folder. Raises InputError where it fails."""
    result = finished(sys.executable, "-m", f"stages.{stage}", cwd=folder, environment=environment)
    if result.returncode:
        raise InputError(f"{stage} must run on the tiny market; received: {reason(result.stderr)}")


def outputs(declared: dict[str, Any]) -> list[str]:
    """What a stage writes, as dvc.yaml has it."""
    entries = [entry for kind in ("outs", "metrics", "plots") for entry in declared.get(kind, [])]
    return [entry if isinstance(entry, str) else next(iter(entry)) for entry in entries]


def hashes_of(folder: Path, paths: list[str]) -> dict[str, str]:
    """SHA-256 of each file under these paths, by its name. Raises InputError where a path is missing."""
    for path in paths:
        if not (folder / path).exists():
            raise InputError(f"every output in dvc.yaml must be written; received no {path}.")
    files = [file for path in paths for file in [folder / path, *sorted((folder / path).rglob("*"))]]
    return {
        file.relative_to(folder).as_posix(): hashlib.sha256(file.read_bytes()).hexdigest()
        for file in files
        if file.is_file()
    }


def differing(hashes: Hashes, reference: Hashes, stage: str) -> list[str]:
    """The files of a stage that aren't the same in both, or are in one alone."""
    one, other = hashes[stage], reference[stage]
    return sorted(path for path in one.keys() | other.keys() if one.get(path) != other.get(path))


def table(found: dict[str, Hashes]) -> str:
    """A row a setting, a column a task's stage: how many of its files are as under the first setting."""
    reference = next(iter(found.values()))
    rows = []
    for setting, hashes in found.items():
        cells = [setting]
        for stage in reference:
            n_files, n_other = len(reference[stage]), len(differing(hashes, reference, stage))
            cells.append(f"{n_other} of {n_files} DIFFER" if n_other else f"{n_files} same")
        rows.append(cells)
    return markdown.table(["setting", *reference], rows)


def first_difference(found: dict[str, Hashes]) -> str | None:
    """The first file, stage by stage, that a setting changes, and which setting it is; None if none is."""
    reference = next(iter(found.values()))
    for stage in reference:
        for setting, hashes in found.items():
            for path in differing(hashes, reference, stage):
                return f"{path}, of {stage}, under {setting}"
    return None


if __name__ == "__main__":
    run(without_options(main, __doc__))

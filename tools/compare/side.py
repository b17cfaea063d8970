"""A run to compare: a commit, a branch, an experiment or the workspace, and what can be had of it."""

import hashlib
import json
from pathlib import Path
from typing import Any, NamedTuple

from dvc.repo import Repo

from stages.common.errors import InputError, printable, shown
from stages.common.settings import read_settings
from stages.common.tables import Tables, read_table
from stages.common.task import TASKS
from stages.evaluate.ledger import md5
from stages.evaluate.subject import Settings, flat, market_of, settings_of
from stages.evaluate.verdict import sentence
from stages.params import Params, check_params
from tools.compare.scored import Scored, score
from tools.settings import changed
from tools.trials.cache import object_path, read_listing
from tools.workspace import WORKSPACE, made_by, read_lock, values_at

METRICS = "results/metrics.json"
PREDICTIONS, LABELS, BASELINES = "data/predictions.parquet", "data/labels", "data/baselines"
HUGE = 1e300  # beyond it a number is none
DEFAULTS = Path("stages/evaluate/defaults.yaml")


class Side(NamedTuple):
    """`name`: as it is shown. `revision`: a commit's hash, or WORKSPACE. `settings`: its stages ran with.

    metrics: of results/metrics.json; empty where there is none. deps, outs: hashes by path of what its
    stages read and made, as dvc.lock has them. test: its test rows; None where they can't be had. notes:
    what to know of it, a sentence each.
    """

    name: str
    revision: str
    task: str
    settings: Settings
    metrics: dict[str, Any]
    deps: dict[str, str]
    outs: dict[str, str]
    test: Scored | None
    notes: list[str]

    @property
    def figures(self) -> dict[str, float]:
        """All of its metrics, by their path."""
        return flat(self.metrics)

    @property
    def verdict(self) -> str:
        """What its metrics say, in a sentence."""
        if not self.metrics:
            return f"no {METRICS}"
        try:
            return sentence(self.metrics, self.task, market_of(self.settings))
        except KeyError as error:
            return f"{METRICS} of another version of the project, without {error}"


def read_side(repo: Repo, name: str, revision: str) -> Side:
    """What can be had of a run; `revision` as `resolve` has it.

    Raises InputError where its dvc.lock or its metrics are there, and aren't what DVC or evaluate write.
    """
    metrics = values_at(revision, METRICS)
    try:
        settings, lock = made_by(revision), read_lock(revision)
        deps, outs = (hashes(lock, kind) for kind in ("deps", "outs"))
    except (AttributeError, KeyError, TypeError) as error:
        raise InputError(f"dvc.lock of {name} must be as DVC writes it; received {error!r}.") from None
    check_metrics(name, metrics)
    notes = [f"{name}: {note}" for note in unlike_the_run(revision, settings, deps, outs)]
    if not metrics:
        notes.append(f"{name} has no {METRICS}.")
    test = None
    try:
        test = read_test(repo, revision, settings, outs)
    except InputError as error:
        notes.append(f"{name}: {error}")
    task = str(settings.get("task") or next((task for task in TASKS if task in metrics), ""))
    return Side(name, revision, task, settings, metrics, deps, outs, test, notes)


def check_metrics(name: str, metrics: dict[str, Any]) -> None:
    """Raise InputError unless metrics are blocks of finite numbers, or none at all."""
    shared = metrics.get("test", {}) if metrics else {}
    for key, value in flat(metrics).items():
        if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < HUGE:
            raise InputError(
                f"{METRICS} of {name} must hold numbers alone; received {shown(value)} as {printable(key)}."
            )
    if not isinstance(shared, dict):
        raise InputError(f"{METRICS} of {name} must have a block test; received {shown(shared)}.")


def hashes(lock: dict[str, Any], kind: str) -> dict[str, str]:
    """Hashes by path of what the stages read (deps) or made (outs)."""
    return {
        str(file["path"]): str(file.get("md5") or "")
        for stage in lock.values()
        for file in stage.get(kind, [])
    }


def unlike_the_run(
    revision: str, settings: Settings, deps: dict[str, str], outs: dict[str, str]
) -> list[str]:
    """What isn't as it was when the results were made: settings, and in the workspace code and results."""
    found = []
    asked = settings_of(values_at(revision, "params.yaml"))
    edited = [key for key, value in settings.items() if asked.get(key, value) != value]
    if edited:
        found.append(f"params.yaml has another {', '.join(edited)}, with which nothing was run yet.")
    if revision != WORKSPACE:
        return found
    if not asked:
        found.append("params.yaml is missing, or can't be read.")
    code = [path for path in sorted(deps) if path.startswith("stages/") and differs(path, deps)]
    if code:
        found.append(f"{', '.join(code)}: edited since the run; `dvc repro` runs it.")
    results = [path for path in (METRICS, PREDICTIONS, LABELS, BASELINES) if path in outs]
    return found + [
        f"{path} isn't what dvc.lock says; `dvc repro` or `make back` mends it."
        for path in results
        if Path(path).exists() and differs(path, outs)
    ]


def differs(path: str, noted: dict[str, str]) -> bool:
    """Whether a file or a folder of the workspace isn't what DVC has noted."""
    place = Path(path)
    if place.is_dir() and path.startswith("stages/"):
        return code_hash(place) != noted[path]
    return not place.exists() or md5(place) != noted[path]


def code_hash(folder: Path) -> str:
    """Hash of a folder of code, as DVC has it: bytecode doesn't count."""
    files = [file for file in folder.rglob("*") if file.is_file() and file.suffix != ".pyc"]
    listed = sorted((file.relative_to(folder).as_posix(), md5(file)) for file in files)
    text = json.dumps([{"md5": own, "relpath": name} for name, own in listed], sort_keys=True)
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest() + ".dir"


def read_test(repo: Repo, revision: str, settings: Settings, outs: dict[str, str]) -> Scored:
    """The test rows of a run, scored by this version of the project.

    Raises InputError where they can't be had, or are of a version that wrote other tables.
    """
    params = params_of(settings)
    predictions, labels, baselines = (
        read_out(repo, revision, outs, path) for path in (PREDICTIONS, LABELS, BASELINES)
    )
    try:
        return score(predictions[PREDICTIONS], labels, baselines, params)
    except KeyError as error:
        raise InputError(f"its tables must be of this version of the project; they lack {error}.") from None


def params_of(settings: Settings) -> Params:
    """Settings of a run; those of other tasks and sources, which it didn't note, as they are by default.

    Raises InputError where they are of another version of the project.
    """
    if not settings:
        raise InputError("dvc.lock must say with what the stages ran; received none.")
    try:
        return check_params(changed(read_settings(str(DEFAULTS)), settings))
    except (KeyError, TypeError):
        raise InputError("dvc.lock must have the settings of this version of the project.") from None


def read_out(repo: Repo, revision: str, outs: dict[str, str], path: str) -> Tables:
    """The tables of an output, by name; a single one by its path. Raises InputError if they aren't here."""
    if path not in outs:
        raise InputError(f"dvc.lock must have {path}: `dvc repro` makes it; received none.")
    here = files_here(path, outs) if revision == WORKSPACE else {}
    files = here or files_of(repo, path, outs[path])
    if not files or not all(file.is_file() for file in files.values()):
        raise InputError(
            f"{path} isn't here. `dvc pull` brings the workspace's and `dvc fetch --all-commits` the "
            f"others', if they were pushed. `make compare-base` makes those of the branch's base anew."
        )
    return {name: read_table(file) for name, file in files.items()}


def files_here(path: str, outs: dict[str, str]) -> dict[str, Path]:
    """An output's files in the workspace; none where they aren't those that dvc.lock says."""
    if differs(path, outs):
        return {}
    return {each.stem: each for each in sorted(Path(path).glob("*.parquet"))} or {path: Path(path)}


def files_of(repo: Repo, path: str, hashed: str) -> dict[str, Path]:
    """Where DVC's cache has the files of an output, whether or not they are there."""
    place = object_path(repo, hashed)
    if not hashed.endswith(".dir"):
        return {path: place}
    listed = read_listing(place) if place.is_file() else {}
    return {
        name.removesuffix(".parquet"): object_path(repo, of_file)
        for name, of_file in sorted(listed.items())
        if name.endswith(".parquet")
    }

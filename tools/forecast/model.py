"""The model: what train and evaluate left in models/, or in a folder that was had as an artifact."""

import hashlib
import json
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from stages.common.errors import InputError, printable, shown
from stages.common.settings import UNREADABLE, read_settings
from stages.common.tables import read_table
from stages.evaluate.subject import market_of, settings_of
from stages.evaluate.verdict import sentence
from stages.params import Params, check_params
from stages.train.shipped import Shipped
from stages.train.stage import LIVE
from tools.settings import changed

FOLDER = Path("models")  # of the pipeline
DEFAULTS = Path("stages/evaluate/defaults.yaml")
FACTS = {"settings", "metrics", "best_baseline", "bias_pct", "test_rows", "test_first", "test_last"}
SPEC = {"task", "train", "features", "mean", "variance", "least", "greatest", "offset", "start", "kept"}
MEND = "`dvc repro` makes it, `dvc pull` brings it."

# What may be another in params.yaml: until when there are candles, and what is made of a forecast.
OWN = ("fetch.end", "fetch.max_gap_bars", "fetch.max_jump", "evaluate.")


class Model(NamedTuple):
    """`params`: the settings that it was made by. `shipped`: of each fold. `evidence`: of `evidence_rows`.

    `facts`: of evaluate's `facts`. `version`: SHA-256 of all its files.
    """

    params: Params
    shipped: dict[str, Shipped]
    evidence: pd.DataFrame
    facts: dict[str, Any]
    version: str

    @property
    def newest_fold(self) -> str:
        """The last fold that has a test."""
        return max(self.evidence["fold"].unique(), key=int)

    @property
    def verdict(self) -> str:
        """Both verdicts in a sentence, as evaluate says it."""
        return sentence(self.facts["metrics"], self.params.task, market_of(self.facts["settings"]))

    @property
    def test(self) -> dict[str, Any]:
        """The metrics of its test."""
        block: dict[str, Any] = self.facts["metrics"]["test"]
        return block


def read_model(folder: Path) -> Model:
    """A model as its stages left it. Raises InputError where it is missing, or isn't whole."""
    facts = read_json(folder / "evidence" / "facts.json", FACTS)
    params = params_of(facts["settings"], folder)
    places = sorted((folder / "networks").glob("*/spec.json"))
    shipped = {place.parent.name: read_shipped(place.parent) for place in places}
    evidence = read_table(folder / "evidence" / "rows.parquet")
    if missing := ({*evidence["fold"]} | {LIVE}) - shipped.keys():
        raise not_whole(folder / "networks", f"none of fold {', '.join(sorted(missing))}")
    return Model(params, shipped, evidence, facts, version_of(folder))


def version_of(folder: Path) -> str:
    """SHA-256 of the names and contents of a model's files."""
    digest = hashlib.sha256()
    parts = [path for part in ("evidence", "networks") for path in (folder / part).rglob("*")]
    for path in sorted(path for path in parts if path.is_file()):
        digest.update(path.relative_to(folder).as_posix().encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()


def dvc_hash(folder: Path) -> str:
    """What DVC writes down of a folder: the hash of its files' names and hashes."""
    files = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if path.is_file()}
    listed = [{"md5": md5(files[name].read_bytes()), "relpath": name} for name in sorted(files)]
    return md5(json.dumps(listed, sort_keys=True).encode()) + ".dir"


def md5(content: bytes) -> str:
    """As DVC has it; it guards against nothing."""
    return hashlib.md5(content, usedforsecurity=False).hexdigest()


def params_of(settings: dict[str, Any], folder: Path) -> Params:
    """The settings of a model, those of other tasks and sources as they are by default.

    Raises InputError where they are of another version of the project.
    """
    try:
        return check_params(changed(read_settings(str(DEFAULTS)), settings))
    except (KeyError, TypeError, InputError) as error:
        raise not_whole(folder, f"settings of another version of the project: {error}") from None


def read_shipped(folder: Path) -> Shipped:
    """What is shipped of a fold. Raises InputError where a file is missing, or can't be read."""
    spec = read_json(folder / "spec.json", SPEC)
    try:
        weights = [(folder / f"seed-{seed}.weights.h5").read_bytes() for seed in spec["train"]["seeds"]]
    except FileNotFoundError as error:
        raise not_whole(error.filename, "no such file") from None
    return Shipped(spec, weights, read_table(folder / "trees.parquet") if spec["train"]["trees"] else None)


def read_json(path: Path, keys: set[str]) -> dict[str, Any]:
    """A JSON object that has these keys. Raises InputError if it is none."""
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise not_whole(path, "no such file") from None
    except (OSError, *UNREADABLE) as error:
        raise not_whole(path, f"what can't be read: {printable(str(error))}") from None
    if not isinstance(values, dict) or not keys <= values.keys():
        raise not_whole(path, "one without all of what it should say")
    return values


def not_whole(path: Path | str, received: str) -> InputError:
    """What is wrong with a model, and what mends it."""
    return InputError(f"{path} must be as train and evaluate leave it; received {received}. {MEND}")


def check_same(model: Model, params: Params) -> None:
    """Raise InputError where the model was made by other settings than those of params.yaml."""
    wanted = settings_of(params.model_dump())
    for key, value in model.facts["settings"].items():
        if not key.startswith(OWN) and wanted.get(key) != value:
            raise InputError(
                f"models: {key} must be what params.yaml has, {shown(wanted.get(key))}; "
                f"received a model of {shown(value)}. {MEND}"
            )

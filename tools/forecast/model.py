"""The model: what train and evaluate left in models/, or in a folder that was had as an artifact."""

import hashlib
import json
from pathlib import Path
from typing import Any, Literal, NamedTuple, TypeVar

import pandas as pd
from pydantic import BaseModel, ConfigDict, ValidationError, model_validator

from stages.baseline.stage import forecasters
from stages.common.errors import InputError, printable, shown
from stages.common.settings import read_settings
from stages.common.tables import read_table
from stages.evaluate.evidence import COLUMNS
from stages.evaluate.subject import market_of, settings_of
from stages.evaluate.verdict import sentence
from stages.params import Params, check_params
from stages.train.shipped import Shipped
from stages.train.stage import LIVE
from tools.settings import changed

FOLDER = Path("models")  # of the pipeline
DEFAULTS = Path("stages/evaluate/defaults.yaml")
MEND = "`dvc repro` makes it, `dvc pull` or `dvc artifacts get` brings it."

# What may be another in params.yaml: until when there are candles, and what is made of a forecast.
Kind = TypeVar("Kind", bound=BaseModel)

OWN = ("fetch.end", "fetch.max_gap_bars", "fetch.max_jump", "evaluate.")


class Part(BaseModel):
    """A part of what is told or read: every field is there, none else, and every number is one."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, allow_inf_nan=False, use_attribute_docstrings=True
    )


class Facts(Part):
    """models/evidence/facts.json, as evaluate's `promise` has it."""

    settings: dict[str, Any]
    metrics: dict[str, Any]
    predictions: str
    best_baseline: str
    bias_pct: float
    test_rows: int
    test_first: str
    test_last: str


class Spec(Part):
    """A fold's spec.json, as train's `make_spec` has it, with the checksum of the run's predictions."""

    task: str
    train: dict[str, Any]
    predictions: str
    features: list[str]
    mean: list[float]
    variance: list[float]
    least: list[float]
    greatest: list[float]
    offset: str | None
    start: float | None
    kept: bool

    @model_validator(mode="after")
    def is_of_its_features(self) -> "Spec":
        """Each feature has its four numbers."""
        for numbers in (self.mean, self.variance, self.least, self.greatest):
            if len(numbers) != len(self.features):
                raise ValueError("four numbers a feature")
        return self


class Promise(Part):
    """How good the model was on its test rows."""

    verdict: str
    """Both verdicts with their figures, in words."""
    signal: Literal[-1, 0, 1]
    """Whether it was better than the benchmark: docs/metrics.md, as for all below."""
    edge: Literal[-1, 0, 1]
    """Whether it was better than the best baseline."""
    too_short: Literal[0, 1]
    """1 where the test is too short for either verdict."""
    skill_pct: float
    """Percent of the benchmark's loss that it saved."""
    skill_lo: float
    """Lower end of the 90 % interval of that."""
    skill_hi: float
    """Upper end."""
    edge_pct: float
    """Percent of the best baseline's loss that it saved."""
    edge_lo: float
    """Lower end of the 90 % interval of that."""
    edge_hi: float
    """Upper end."""
    coverage_90_pct: float
    """Percent of outcomes that were in their 90 % sets."""
    bias_pct: float
    """Percent by which the sum of forecasts was above that of outcomes."""
    test_rows: int
    """Number of test rows."""
    test_first: str
    """Close of the first test row's candle, ISO, UTC."""
    test_last: str
    """Close of the last one's."""


class Model(NamedTuple):
    """`params`: the settings that it was made by. `shipped`: of each fold. `evidence`: of `evidence_rows`.

    `version`: SHA-256 of all its files. `commit`: that made it, if it is known.
    """

    params: Params
    shipped: dict[str, Shipped]
    evidence: pd.DataFrame
    facts: Facts
    promise: Promise
    version: str
    commit: str | None = None

    @property
    def newest_fold(self) -> str:
        """The last fold that has a test."""
        return max(self.evidence["fold"].unique(), key=int)


def read_model(folder: Path) -> Model:
    """A model as its stages left it. Raises InputError where it is missing, or isn't whole."""
    place = folder / "evidence"
    facts = read_json(place / "facts.json", Facts)
    params = params_of(facts.settings, folder)
    promise = promise_of(facts, params, place / "facts.json")
    evidence = read_table(place / "rows.parquet")
    if list(evidence) != COLUMNS:
        raise not_whole(place / "rows.parquet", f"columns {', '.join(map(str, evidence))}")
    specs = sorted((folder / "networks").glob("*/spec.json"))
    shipped = {spec.parent.name: read_shipped(spec.parent, params, facts.predictions) for spec in specs}
    if missing := ({*evidence["fold"]} | {LIVE}) - shipped.keys():
        raise not_whole(folder / "networks", f"none of fold {', '.join(sorted(missing))}")
    return Model(params, shipped, evidence, facts, promise, version_of(folder))


def promise_of(facts: Facts, params: Params, place: Path) -> Promise:
    """What the test said. Raises InputError where `facts` don't have it."""
    told = facts.model_dump() | facts.metrics.get("test", {})
    try:
        told["verdict"] = sentence(facts.metrics, params.task, market_of(facts.settings))
        promise = Promise(**{name: told[name] for name in Promise.model_fields})
    except (KeyError, TypeError, ValidationError):
        raise not_whole(place, "metrics that aren't evaluate's") from None
    if facts.best_baseline not in forecasters_of(params):
        raise not_whole(place, f"best_baseline {shown(facts.best_baseline)}")
    return promise


def forecasters_of(params: Params) -> set[str]:
    """The baselines of a question, by name."""
    return {*forecasters(params.task, params.label.of(params.task).model_dump())}


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
        params = check_params(changed(read_settings(str(DEFAULTS)), settings))
    except (AttributeError, KeyError, TypeError, InputError) as error:
        raise not_whole(folder, f"settings of another version of the project: {error}") from None
    if lacking := settings_of(params.model_dump()).keys() - settings.keys():
        lacks = f"settings of another version of the project, without {min(lacking)}"
        raise not_whole(folder, lacks)
    return params


def read_shipped(folder: Path, params: Params, predictions: str) -> Shipped:
    """What is shipped of a fold.

    Raises InputError where a file is missing, or can't be read, or is of another run than that of
    `predictions`, by their checksum.
    """
    spec = read_json(folder / "spec.json", Spec)
    if (spec.task, spec.train, spec.predictions) != (params.task, params.train.model_dump(), predictions):
        raise not_whole(folder, "that of another run than evidence/ beside networks/")
    try:
        weights = [(folder / f"seed-{seed}.weights.h5").read_bytes() for seed in params.train.seeds]
    except FileNotFoundError as error:
        raise not_whole(error.filename, "no such file") from None
    nodes = read_table(folder / "trees.parquet") if params.train.trees else None
    return Shipped(spec.model_dump(), weights, nodes)


def read_json(path: Path, kind: type[Kind]) -> Kind:
    """What a JSON file holds. Raises InputError where it isn't of that kind."""
    try:
        return kind.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        raise not_whole(path, "no such file") from None
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "the file"
        raise not_whole(path, f"{printable(where)}: {printable(first['msg'])}") from None


def not_whole(path: Path | str, received: str) -> InputError:
    """What is wrong with a model, and what mends it."""
    return InputError(
        f"{path} must be as train and evaluate leave it; received {received.rstrip('.')}. {MEND}"
    )


def check_same(model: Model, params: Params) -> None:
    """Raise InputError where the model was made by other settings than those of params.yaml."""
    wanted = settings_of(params.model_dump())
    for key, value in model.facts.settings.items():
        if not key.startswith(OWN) and wanted.get(key) != value:
            raise InputError(
                f"models: {key} must be what params.yaml has, {shown(wanted.get(key))}; "
                f"received a model of {shown(value)}. {MEND}"
            )

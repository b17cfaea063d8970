"""params.yaml as one typed model: read as a stage begins, checked as a whole, and handed down.

A bad `evaluate` value must not surface after the training, so every stage checks all sections. No stage
lists this file as a dependency, for it changes no output: what a stage reads stands in dvc.lock.
"""

import os
import re
from contextlib import suppress
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError, field_validator

from stages.baseline.params import BaselineParams
from stages.common.errors import InputError, printable, shown
from stages.common.params import Section, nearest
from stages.common.settings import read_settings
from stages.common.task import TASKS
from stages.evaluate.params import EvaluateParams
from stages.featurize.params import FeaturizeParams
from stages.fetch.params import FetchParams
from stages.label.params import LabelParams, SplitParams
from stages.train.params import TrainParams

FILE = "params.yaml"
PIPELINE = "dvc.yaml"


class Params(Section):
    """All settings. A stage's function takes them whole; dvc.yaml says which ones it reads."""

    task: str
    fetch: FetchParams
    featurize: FeaturizeParams
    label: LabelParams
    split: SplitParams
    baseline: BaselineParams
    train: TrainParams
    evaluate: EvaluateParams

    @field_validator("task", mode="before")
    @classmethod
    def is_a_task(cls, task: Any) -> str:
        """One of those that the project can ask."""
        if not isinstance(task, str) or task not in TASKS:
            raise ValueError(f"must be one of {', '.join(TASKS)}")
        return task


def load_params(path: str = FILE) -> Params:
    """The settings, once every one has been found sound. Raises InputError, as `check_params` does."""
    return check_params(read_params(path))


def make_git_look(path: str) -> None:
    """Give a file a new time, so that git compares it anew; nothing else changes.

    `dvc exp run -S` leaves git's index with the time of the changed file beside the hash of the committed
    one. Where their sizes are equal too, git takes the change for none, and `git checkout` undoes nothing.
    """
    with suppress(OSError):  # read-only, or missing: what reads it says so
        os.utime(path)


def read_params(path: str = FILE) -> dict[str, Any]:
    """params.yaml as plain values. Raises InputError if it is no YAML mapping."""
    values = read_settings(path)
    if not isinstance(values, dict):
        raise InputError(f"{path} must hold a block for each stage; received {shown(values)}.")
    return values


def check_params(values: dict[str, Any]) -> Params:
    """The settings as their model, after all rules, those between sections among them.

    Raises InputError on the first setting that breaks a rule: its name, the rule and what arrived.
    """
    try:
        params = Params.model_validate(values)
    except ValidationError as error:
        raise InputError(line_of(error)) from None
    check_together(params)
    return params


def line_of(error: ValidationError) -> str:
    """The first setting that breaks a rule, the rule, and what arrived."""
    found = error.errors()
    # A name that is misspelt is missing, too: what is there is what helps.
    first = next((each for each in found if each["type"] == "extra_forbidden"), found[0])
    kind, received = first["type"], shown(first["input"])
    path = [printable(str(part)) for part in first["loc"]]
    key = ".".join(path)
    if kind == "extra_forbidden":
        block = "".join(f"{part}." for part in path[:-1])
        return f"{key} is no setting{nearest(path[-1], block, known_keys(path))}."
    if kind == "missing":
        return f"{key} is missing; {FILE} must have it."
    if kind == "model_type":
        return f"{key} must be a block of settings; received {received}."
    if kind == "too_short":
        least = first["ctx"]["min_length"]
        return f"{key} must have at least {least} item{'s' if least > 1 else ''}; received {received}."
    rule = first["msg"].removeprefix("Value error, ").removeprefix("Input ")
    colon = "" if rule.startswith(("must", "should")) else ":"
    return f"{key}{colon} {rule}; received {received}."


def known_keys(path: list[str]) -> list[str]:
    """The settings of the block that holds the setting at `path`."""
    model: type[BaseModel] = Params
    for part in path[:-1]:
        inner = model.model_fields[part].annotation
        assert isinstance(inner, type)
        assert issubclass(inner, BaseModel)
        model = inner
    return list(model.model_fields)


def check_together(params: Params) -> None:
    """Raise InputError where settings of two sections don't go together."""
    featurize, train, split, label = params.featurize, params.train, params.split, params.label
    if split.warmup_bars < featurize.lookback_bars + train.window:
        raise InputError(
            "split.warmup_bars must be at least what featurize looks back plus train.window, "
            f"{featurize.lookback_bars} + {train.window}; received {split.warmup_bars}."
        )
    if label.direction.timeout == "zero" and label.direction.up_atr > label.horizon:
        raise InputError(
            "label.direction.up_atr must be at most label.horizon where timeout is zero: a bar moves about "
            f"one ATR, so no label would ever be 1; received {label.direction.up_atr} > {label.horizon}."
        )
    if split.scheme == "walk_forward" and split.val_bars <= label.horizon:
        raise InputError(
            "split.val_bars must exceed label.horizon, or the purge leaves no row of val; "
            f"received {split.val_bars} <= {label.horizon}."
        )


def check_unchanged(stage: str, params: Params) -> None:
    """Raise InputError where a setting that DVC notes for the stage isn't any more what it was run with.

    DVC reads params.yaml once more when a stage ends, and would note the new setting, in dvc.lock and in
    the run cache, for what was made by the old one.
    """
    before, now = params.model_dump(), read_params()
    for key in noted(stage, before):
        check_same(key, value_at(before, key), value_at(now, key))


def noted(stage: str, values: dict[str, Any]) -> list[str]:
    """The settings that dvc.yaml lists for a stage, by dotted key; none where there is no dvc.yaml."""
    if not Path(PIPELINE).exists():
        return []
    listed = read_settings(PIPELINE)["stages"].get(stage, {}).get("params", [])
    return [re.sub(r"\$\{([\w.]+)\}", lambda name: str(value_at(values, name[1])), key) for key in listed]


def value_at(values: Any, key: str) -> Any:
    """What stands at a dotted key; None where nothing does."""
    for part in key.split("."):
        values = values.get(part) if isinstance(values, dict) else None
    return values


def check_same(key: str, before: Any, now: Any) -> None:
    """Raise InputError where a setting, or one in a block, is another now."""
    if isinstance(before, dict) and isinstance(now, dict):
        for part in before:
            check_same(f"{key}.{part}", before[part], now.get(part))
    elif before != now:
        raise InputError(
            f"{key} must stay as it is while a stage that has read it runs, or dvc.lock would say what was "
            f"not run; received {shown(now)}, after {shown(before)} at first: run the stage again."
        )

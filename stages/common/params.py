"""Sections of params.yaml as typed models.

Each stage owns the models of its sections, in its `params.py`, as `SECTIONS`. They are found here by
name and checked all at once whichever stage runs first: a bad `evaluate` value must not surface after
the training. No stage lists this file as a dependency, for it changes no output.
"""

import importlib
import os
from contextlib import suppress
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from stages.common.errors import InputError, printable, shown
from stages.common.settings import read_settings
from stages.common.task import TASKS

# Nineteen years of minutes: more bars than any market has had, and a number that no arithmetic overflows.
MOST_BARS = 10_000_000
Bars = Annotated[int, Field(ge=1, le=MOST_BARS)]
Seed = Annotated[int, Field(ge=0, lt=2**32)]  # what every generator of random numbers takes

STAGES = ("fetch", "featurize", "label", "baseline", "train", "evaluate")


class Section(BaseModel):
    """A block of params.yaml: frozen, no key missing, no key unknown, no type guessed."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


S = TypeVar("S", bound=Section)
V = TypeVar("V")

# What this process has read of each file, by dotted key: all that a stage's result may depend on.
READ: dict[Path, dict[str, Any]] = {}


def load_params(section: str, model: type[S], path: str = "params.yaml") -> S:
    """The section of params.yaml as its model, once every section has been found sound.

    Raises InputError, naming the setting, the rule and what arrived.
    """
    make_git_look(path)
    values = read_params(path)
    found = check_params(values)[section]
    assert isinstance(found, model)
    remember(section, values[section], path)
    return found


def load_value(key: str, kind: type[V], path: str = "params.yaml") -> V:
    """One dotted setting that belongs to another stage's section, as `label.horizon`.

    Call it after `load_params`, which checks it. A stage that reads a setting this way lists it in
    dvc.yaml beside its own section.
    """
    value: Any = read_params(path)
    for part in key.split("."):
        value = value[part]
    if not isinstance(value, kind):
        raise InputError(f"{key} must be {kind.__name__}; received {shown(value)}.")
    remember(key, value, path)
    return value


def remember(key: str, value: Any, path: str) -> None:
    """Note what was read, for `check_unchanged`."""
    READ.setdefault(Path(path).resolve(), {})[key] = value


def check_unchanged(path: str = "params.yaml") -> None:
    """Raise InputError where a setting isn't any more what this process has read.

    DVC reads params.yaml once more when a stage ends, and would note the new setting, in dvc.lock and in
    the run cache, for what was made by the old one.
    """
    before = READ.get(Path(path).resolve(), {})
    if not before:
        return
    now = read_params(path)
    for key, value in before.items():
        found: Any = now
        for part in key.split("."):
            found = found.get(part) if isinstance(found, dict) else None
        check_same(key, value, found)


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


def make_git_look(path: str) -> None:
    """Give a file a new time, so that git compares it anew; nothing else changes.

    `dvc exp run -S` leaves git's index with the time of the changed file beside the hash of the committed
    one. Where their sizes are equal too, git takes the change for none, and `git checkout` undoes nothing.
    """
    with suppress(OSError):  # read-only, or missing: what reads it says so
        os.utime(path)


def read_params(path: str = "params.yaml") -> dict[str, Any]:
    """params.yaml as plain values. Raises InputError if it is no YAML mapping."""
    values = read_settings(path)
    if not isinstance(values, dict):
        raise InputError(f"{path} must hold a block for each stage; received {shown(values)}.")
    return values


def check_params(values: dict[str, Any]) -> dict[str, Section]:
    """Every section as its stage's model, after all rules, those between sections among them.

    Raises InputError on the first setting that breaks a rule.
    """
    models = section_models()
    check_keys("", values, ["task", *models])
    if not isinstance(values["task"], str) or values["task"] not in TASKS:
        raise InputError(f"task must be one of {', '.join(TASKS)}; received {shown(values['task'])}.")
    sections = {name: check_section(name, model, values[name]) for name, model in models.items()}
    check_together(sections)
    return sections


def section_models() -> dict[str, type[Section]]:
    """Every stage's `SECTIONS`, by the section's name in params.yaml."""
    models: dict[str, type[Section]] = {}
    for stage in STAGES:
        models |= importlib.import_module(f"stages.{stage}.params").SECTIONS
    return models


def check_keys(block: str, values: Any, known: list[str]) -> None:
    """Raise InputError unless `values` is a mapping with exactly the known keys."""
    name = block.rstrip(".") or "params.yaml"
    if not isinstance(values, dict):
        raise InputError(f"{name} must be a block of settings; received {shown(values)}.")
    for key in values:
        if key not in known:
            given = printable(str(key))
            raise InputError(f"{block}{given} is no setting{nearest(given, block, known)}.")
    for key in known:
        if key not in values:
            raise InputError(f"{block}{key} is missing; {name} must have it.")


def nearest(key: str, block: str, known: list[str]) -> str:
    """The known key that looks most like this one, as the end of a sentence."""
    matches = get_close_matches(key, known, n=1)
    return f"; the nearest one is {block}{matches[0]}" if matches else ""


def check_section(name: str, model: type[Section], values: Any) -> Section:
    """One block as its model. Raises InputError on the first setting that breaks a rule."""
    try:
        return model.model_validate(values)
    except ValidationError as error:
        found = error.errors()
        # A name that is misspelt is missing, too: what is there is what helps.
        first = next((each for each in found if each["type"] == "extra_forbidden"), found[0])
    path = [printable(str(part)) for part in first["loc"]]
    key = ".".join([name, *path])
    if first["type"] == "extra_forbidden":
        block = ".".join([name, *path[:-1]]) + "."
        raise InputError(f"{key} is no setting{nearest(path[-1], block, known_keys(model, path))}.")
    if first["type"] == "missing":
        raise InputError(f"{key} is missing; params.yaml must have it.")
    if first["type"] == "model_type":
        raise InputError(f"{key} must be a block of settings; received {shown(first['input'])}.")
    if first["type"] == "too_short":
        least = first["ctx"]["min_length"]
        items = "1 item" if least == 1 else f"{least} items"
        raise InputError(f"{key} must have at least {items}; received {shown(first['input'])}.")
    rule = first["msg"].removeprefix("Value error, ").removeprefix("Input ")
    raise InputError(f"{key}: {rule}; received {shown(first['input'])}.")


def known_keys(model: type[BaseModel], path: list[str]) -> list[str]:
    """The settings of the block that holds the setting at `path`."""
    for part in path[:-1]:
        inner = model.model_fields[part].annotation
        assert isinstance(inner, type)
        assert issubclass(inner, BaseModel)
        model = inner
    return list(model.model_fields)


def check_together(sections: dict[str, Any]) -> None:
    """Raise InputError where settings of two sections don't go together."""
    featurize, train, split, label = (sections[name] for name in ("featurize", "train", "split", "label"))
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

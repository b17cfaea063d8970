"""The working folder as DVC sees it, and what its files were in other commits."""

from pathlib import Path
from typing import Any

from dvc.exceptions import DvcException
from dvc.repo import Repo
from dvc.utils.serialize import parse_yaml

from stages.common.errors import InputError
from stages.common.settings import UNREADABLE
from stages.evaluate.subject import Settings, flat
from tools.commands import finished

WORKSPACE = "workspace"  # in place of a commit


def open_repo() -> Repo:
    """DVC's view of the working folder, to be closed after use.

    Raises InputError where it has none, or no git beside it.
    """
    try:
        repo = Repo(".")
        _ = repo.scm  # raises where there is no git
    except DvcException as error:
        raise InputError(
            f"the working folder must be a clone of the project; received one of which DVC says: {error}."
        ) from error
    return repo


def text_at(revision: str, path: str) -> str:
    """The text of a file, UTF-8, in a commit or in WORKSPACE; nothing where there is none."""
    if revision == WORKSPACE:
        file = Path(path)
        return file.read_text(encoding="utf-8", errors="replace") if file.is_file() else ""
    # Not by DVC: it waits for ever if another process is just storing what it wants to read.
    return finished("git", "show", f"{revision}:./{path}").stdout


def values_at(revision: str, path: str) -> dict[str, Any]:
    """What a YAML or JSON file holds in a commit or in WORKSPACE; nothing where it can't be read."""
    try:
        values = parse_yaml(text_at(revision, path), path)
    except (DvcException, *UNREADABLE):
        return {}
    return values if isinstance(values, dict) else {}


def read_lock(revision: str) -> dict[str, Any]:
    """The stages in the dvc.lock of a commit or of WORKSPACE, by name."""
    stages = values_at(revision, "dvc.lock").get("stages", {})
    return stages if isinstance(stages, dict) else {}


def made_by(revision: str) -> Settings:
    """The settings that the stages ran with, as dvc.lock has them."""
    found: Settings = {}
    for stage in read_lock(revision).values():
        found |= flat(stage.get("params", {}).get("params.yaml", {}))
    return found

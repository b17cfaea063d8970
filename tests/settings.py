"""params.yaml as it is shipped, for all tests: the working tree's may be an experiment's."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from stages.params import read_params
from tools.settings import changed

SHIPPED = Path(__file__).parents[1] / "stages/evaluate/defaults.yaml"


def shipped() -> dict[str, Any]:
    """As plain values."""
    return read_params(str(SHIPPED))


def write_params(changes: Mapping[str, Any], folder: Path | None = None) -> Path:
    """Write it into a folder, or into the one that the test runs in; `changes`: by dotted key."""
    path = (folder or Path()) / "params.yaml"
    path.write_text(yaml.safe_dump(changed(shipped(), changes)), encoding="utf-8")
    return path

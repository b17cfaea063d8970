"""params.yaml as it is shipped, but for some settings, for tests that run a stage or a tool in a folder."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from stages.params import read_params
from tools.settings import changed

# The working tree's params.yaml may be an experiment's.
SHIPPED = Path(__file__).parents[1] / "stages/evaluate/defaults.yaml"


def write_params(changes: Mapping[str, Any], folder: Path | None = None) -> Path:
    """Write it into a folder, or into the one that the test runs in; `changes`: by dotted key."""
    path = (folder or Path()) / "params.yaml"
    path.write_text(yaml.safe_dump(changed(read_params(str(SHIPPED)), changes)), encoding="utf-8")
    return path

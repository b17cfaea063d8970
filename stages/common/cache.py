"""Where the workspace keeps what is no output, but should outlive a run: its cache folder."""

import os
from pathlib import Path

from stages.common.errors import InputError, shown

VARIABLE = "BAROMETER_CACHE"
TEMPORARY = Path(".dvc/tmp/exps")  # below it DVC runs what `--temp` or a worker of the queue runs


def cache_folder() -> Path:
    """The folder that BAROMETER_CACHE names, or else `.cache`: of the workspace, wherever DVC runs a stage.

    DVC deletes a temporary folder once it has run; what is kept there would be lost. A relative name is
    meant from the workspace, too. Raises InputError where it begins with the home of nobody.
    """
    named = os.environ.get(VARIABLE) or ".cache"
    try:
        return workspace() / Path(named).expanduser()
    except RuntimeError:
        raise InputError(
            f"{VARIABLE} must name a folder, and after `~` a user of this machine, if any; "
            f"received {shown(named)}."
        ) from None


def workspace() -> Path:
    """The folder that a temporary one was made for, as an absolute path; else the current one, as `.`."""
    here = Path.cwd()
    for folder in reversed(here.parents):
        if here.is_relative_to(folder / TEMPORARY):
            return folder
    return Path()

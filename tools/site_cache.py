"""A private place for what DVC unpickles (see SECURITY.md): `python -m tools.site_cache`, which make runs.

A setting of this clone's names it, for whoever runs `dvc` here, by hand too.
"""

import shutil
from pathlib import Path

from stages.common.errors import InputError, run
from tools.commands import output_of, without_options

HERE = Path(".venv/site-cache")  # make takes it for the sign that all this is done
AT_HOME = Path(".cache/barometer-site-cache")


def main() -> None:
    """Name the place, empty and open to its owner alone, in .dvc/config.local."""
    place = choose(HERE.absolute(), Path.home() / AT_HOME)
    output_of("dvc", "config", "--quiet", "--local", "core.site_cache_dir", str(place))
    for folder in {place, HERE.absolute()}:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(mode=0o700, parents=True)


def choose(here: Path, at_home: Path) -> Path:
    """The first of two places that DVC can name. Raises InputError where it can't name either."""
    # It writes its settings in ASCII; where that fails, it empties their file.
    for place in (here, at_home):
        if str(place).isascii():
            return place
    raise InputError(
        f"the project's folder, or your home, must have a name in ASCII, or DVC can't be told of it; "
        f"received {here} and {at_home.parent}."
    )


if __name__ == "__main__":
    run(without_options(main, __doc__))

"""The results of where this branch began, brought into the cache: `make compare-base`.

tools.compare needs the test rows of both sides. A fresh clone without a remote has neither: `make repro`
makes those of the branch, this those of its base, in a folder beside.
"""

import argparse
import shutil
import subprocess
from pathlib import Path

from stages.common.errors import InputError, run
from tools.commands import finished, output_of
from tools.compare.revisions import start_of_branch

PLACE = Path(".dvc/tmp/compare-base")
OWN = Path(".dvc/config.local")  # DVC's private folder, and credentials
CANDLES = Path("data/import")


def main() -> None:
    """Reproduce the commit in a worktree that shares the cache, then remove that."""
    parser = argparse.ArgumentParser(prog="python -m tools.compare.base", description=__doc__)
    parser.add_argument("--from", dest="base", metavar="BRANCH", help="the branch that this one left")
    commit = start_of_branch(parser.parse_args().base)
    cache = output_of("dvc", "cache", "dir").strip()
    remove()  # what a run that was killed has left
    output_of("git", "worktree", "add", "--force", "--detach", str(PLACE), commit)
    try:
        if OWN.exists():
            shutil.copy(OWN, PLACE / OWN)
        if CANDLES.is_dir():  # candles from files, too
            shutil.copytree(CANDLES, PLACE / CANDLES, dirs_exist_ok=True)
        output_of("dvc", "cache", "dir", "--local", str(Path(cache).resolve()), cwd=PLACE)
        print(f"compare-base: dvc repro of {commit[:10]}", flush=True)
        if subprocess.run(["dvc", "repro"], cwd=PLACE, check=False).returncode:  # noqa: S607
            raise InputError(f"`dvc repro` of {commit} must succeed; received an error, told above.")
    finally:
        remove()


def remove() -> None:
    """Remove the worktree, if there is one."""
    finished("git", "worktree", "remove", "--force", str(PLACE))
    shutil.rmtree(PLACE, ignore_errors=True)
    output_of("git", "worktree", "prune")


if __name__ == "__main__":
    run(main)

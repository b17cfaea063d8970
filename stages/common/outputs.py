"""Outputs: whole or not at all, by one process at a time, with nothing left beside them.

What is being written has a name that ends with `.beside`, which .gitignore and .dvcignore know. A process
that is killed leaves it there; the next one that writes the same output removes it.
"""

import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from stages.common.errors import InputError

LOCKS = Path(".cache/locks")  # of the folder that a stage runs in, which may be a temporary one

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl


def lock(file: IO[str]) -> bool:
    """Lock an open file until it is closed or its process ends; False if another has it."""
    try:
        if sys.platform == "win32":
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):  # as Unix and Windows say it
        return False
    return True


def alone(module: str, main: Callable[[], None]) -> Callable[[], None]:
    """Wrap `main`: one process at a time may run it in this folder; a second one raises InputError.

    `module`: what users run, as `stages.label`.
    """

    # Two that write the same output would each remove what the other one is writing. And `kill -9` of DVC
    # leaves its stage running, which later would write its answer over that of the next run.
    def locked() -> None:
        LOCKS.mkdir(parents=True, exist_ok=True)
        with (LOCKS / module).open("a") as file:
            if not lock(file):
                raise InputError(
                    f"{module} must run once at a time in a folder; received a second run: "
                    f"wait until the first `python -m {module}` has ended, or end it."
                )
            main()

    return locked


@contextmanager
def beside(path: str | Path) -> Iterator[Path]:
    """A name at which to write a file or a folder; it takes the place of `path`, if all goes well.

    If not, it is discarded. `path` is the old one, the new one or missing, whenever the process is killed.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    new, old = (path.with_name(f".{path.name}.{which}.beside") for which in ("new", "old"))
    remove(new)
    remove(old)
    try:
        yield new
        if path.is_dir() or new.is_dir():  # a file alone takes another one's place in a single step
            with suppress(FileNotFoundError):
                path.replace(old)
        new.replace(path)
    finally:
        remove(new)
        remove(old)


@contextmanager
def fresh_folder(path: str | Path) -> Iterator[Path]:
    """An empty folder to fill; takes the place of `path` if all goes well, or else is discarded."""
    with beside(path) as folder:
        folder.mkdir()
        yield folder


def write_text(path: str | Path, text: str) -> None:
    """Write a small file, in UTF-8."""
    with beside(path) as file:
        file.write_text(text, encoding="utf-8", newline="\n")  # or Windows writes other bytes


def clear_scraps(folder: Path) -> None:
    """Remove what killed processes left in a folder, whose outputs may never be written again."""
    for left in folder.glob("*.beside"):
        remove(left)


def remove(path: Path) -> None:
    """Remove a file, a link or a folder, if it is there."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)

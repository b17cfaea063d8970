import os
import subprocess
import sys
from collections.abc import Callable
from itertools import count
from pathlib import Path

import pytest

from stages.common.outputs import beside, clear_scraps, fresh_folder, write_text

ROOT = Path(__file__).parents[2]

# A process that ends, as by `kill -9`, before the n-th time that it touches the disk.
ENDS_BEFORE = """
import os, sys
from stages.common.outputs import fresh_folder, write_text

def end_if_due(event, _):
    global left
    left -= event in {"open", "os.mkdir", "os.remove", "os.rename", "os.rmdir"}
    if not left:
        os._exit(9)

kind, left = sys.argv[1], int(sys.argv[2])
sys.addaudithook(end_if_due)
if kind == "folder":
    with fresh_folder("output") as folder:
        for name in ("a", "b"):
            (folder / name).write_text("new")
else:
    write_text("output", "new")
"""

# A stage that says when it is at work, and ends with its input.
WAITS = """
import sys
from stages.common.errors import run
from stages.common.outputs import alone

def main():
    print("at work", flush=True)
    sys.stdin.read()

run(alone("stages.label", main))
"""


def names(folder: Path) -> list[str]:
    """Everything in a folder, hidden files too."""
    return sorted(path.name for path in folder.iterdir())


def content(path: Path) -> object:
    """A file's text, a folder's files' texts by name, None where there is neither."""
    if path.is_dir():
        return {name: (path / name).read_text(encoding="utf-8") for name in names(path)}
    return path.read_text(encoding="utf-8") if path.exists() else None


def write_folder(path: Path, text: str) -> None:
    """A folder of two files with that text."""
    path.mkdir()
    for name in ("a", "b"):
        (path / name).write_text(text, encoding="utf-8")


def start(folder: Path, script: str, *arguments: str) -> subprocess.Popen[str]:
    """Run a script in a folder."""
    return subprocess.Popen(
        [sys.executable, "-c", script, *arguments],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def end(process: subprocess.Popen[str]) -> subprocess.CompletedProcess[str]:
    """Wait for a process's end; what it printed, and its status."""
    out, log = process.communicate(timeout=60)
    return subprocess.CompletedProcess(process.args, process.returncode, out, log)


@pytest.mark.parametrize("new", ["file", "folder"])
@pytest.mark.parametrize("old", ["file", "folder", "nothing"])
def test_a_killed_process_leaves_no_half_output(tmp_path, old, new):
    """Whenever that is, the output is the old one, the new one or none; the next run clears the rest."""
    write_old: dict[str, Callable[[Path], object]] = {
        "file": lambda path: path.write_text("old", encoding="utf-8"),
        "folder": lambda path: write_folder(path, "old"),
        "nothing": lambda _: None,
    }
    whole = {"file": "new", "folder": {"a": "new", "b": "new"}}[new]
    n_scraps = 0
    for step in count(1):
        folder = tmp_path / str(step)
        folder.mkdir()
        write_old[old](folder / "output")
        before = content(folder / "output")

        status = end(start(folder, ENDS_BEFORE, new, str(step))).returncode

        assert content(folder / "output") in (before, whole, None)
        n_scraps += names(folder) not in ([], ["output"])
        assert end(start(folder, ENDS_BEFORE, new, "-1")).returncode == 0
        assert names(folder) == ["output"]
        assert content(folder / "output") == whole
        if status == 0:
            break
    assert n_scraps


def test_scraps_have_one_pattern(tmp_path):
    """Git and DVC ignore what is being written."""
    with beside(tmp_path / "metrics.json") as file:
        file.touch()
        assert file.match("*.beside")
    for name in (".gitignore", ".dvcignore"):
        assert "*.beside" in (ROOT / name).read_text(encoding="utf-8").splitlines()


def test_scraps_of_outputs_that_never_come_again_are_cleared(tmp_path):
    """Files and folders alike; what is whole stays."""
    write_folder(tmp_path / ".models.new.beside", "half")
    (tmp_path / ".1_2.parquet.new.beside").write_text("half", encoding="utf-8")
    write_text(tmp_path / "1_2.parquet", "whole")

    clear_scraps(tmp_path)

    assert names(tmp_path) == ["1_2.parquet"]


def test_a_text_has_the_same_bytes_everywhere(tmp_path):
    """On Windows, too, for DVC hashes them."""
    write_text(tmp_path / "metrics.json", "{\n}\n")

    assert (tmp_path / "metrics.json").read_bytes() == b"{\n}\n"


def test_a_second_process_is_refused_until_the_first_is_gone(tmp_path):
    """Two at once would write the same outputs; one that was killed is in nobody's way."""
    first = start(tmp_path, WAITS)
    assert first.stdout is not None
    assert first.stdout.readline() == "at work\n"

    second = end(start(tmp_path, WAITS))
    assert second.stdout == ""
    assert second.stderr == (
        "error: stages.label must run once at a time in a folder; received a second run: "
        "wait until the first `python -m stages.label` has ended, or end it.\n"
    )

    first.kill()
    end(first)
    third = end(start(tmp_path, WAITS))
    assert (third.stdout, third.stderr) == ("at work\n", "")


@pytest.mark.parametrize("kind", ["a link to a file", "a link to a folder", "a link to nothing"])
def test_a_link_is_replaced_and_not_followed(tmp_path, kind):
    """What a link leads to stays as it is; the output is written where it belongs."""
    elsewhere, output = tmp_path / "elsewhere", tmp_path / "output"
    if kind != "a link to nothing":
        (write_folder if "folder" in kind else write_text)(elsewhere, "old")
    before = content(elsewhere)
    for write in (write_text, write_new_folder):
        output.unlink(missing_ok=True)
        output.symlink_to(elsewhere)

        write(output, "new")

        assert content(elsewhere) == before
        assert content(output) in ("new", {"a": "new", "b": "new"})
        assert not output.is_symlink()


def write_new_folder(path: Path, text: str) -> None:
    """A folder in place of what was there."""
    with fresh_folder(path) as folder:
        for name in ("a", "b"):
            (folder / name).write_text(text, encoding="utf-8")


def test_a_fresh_folder_takes_the_place_of_the_old_one(tmp_path):
    """Files that were not written again are gone, and so is the folder beside."""
    target = tmp_path / "data" / "features"
    for name in ("old", "new"):
        with fresh_folder(target) as folder:
            (folder / name).write_text(name, encoding="utf-8")
    assert names(target) == ["new"]
    assert names(target.parent) == ["features"]


def write_and_fail(target: Path, error: type[BaseException]) -> None:
    """Get halfway through filling a folder."""
    with fresh_folder(target) as folder:
        (folder / "kept").write_text("new", encoding="utf-8")
        raise error


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_a_failed_folder_leaves_the_old_one(tmp_path, error):
    """An exception on the way, Ctrl+C too, leaves the old files as they were, and no others."""
    target = tmp_path / "features"
    with fresh_folder(target) as folder:
        (folder / "kept").write_text("old", encoding="utf-8")

    with pytest.raises(error):
        write_and_fail(target, error)
    assert names(tmp_path) == ["features"]
    assert (target / "kept").read_text(encoding="utf-8") == "old"

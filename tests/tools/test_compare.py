"""`make compare` in a clone that lacks the commit where the branch began."""

import subprocess
import sys
from pathlib import Path

import pytest

from stages.common.errors import InputError
from stages.common.outputs import write_text
from tests.project import SOMEBODY
from tools.compare import METRICS, main


def git(folder: Path, *arguments: str) -> None:
    """A git command that must succeed, by somebody with a name."""
    subprocess.run(["git", "-C", folder, *SOMEBODY, *arguments], check=True, capture_output=True)


@pytest.fixture
def upstream(tmp_path: Path) -> Path:
    """A repository with a branch of two commits beside main."""
    folder = tmp_path / "upstream"
    folder.mkdir()
    git(folder, "init", "-q", "-b", "main")
    for branch in ("main", "change", "change"):
        git(folder, "checkout", "-q", "-B", branch)
        git(folder, "commit", "-q", "--allow-empty", "-m", branch)
    return folder


def compare(monkeypatch: pytest.MonkeyPatch, folder: Path, base: str) -> str:
    """What compare says in place of a page."""
    monkeypatch.chdir(folder)
    write_text(METRICS, "{}")
    monkeypatch.setattr(sys, "argv", ["compare", base])
    with pytest.raises(InputError) as caught:
        main()
    return str(caught.value)


@pytest.mark.parametrize("branches", ["--single-branch", "--no-single-branch"])
def test_a_shallow_clone_is_told_what_to_fetch(monkeypatch, upstream, branches):
    """BASE is missing, or what lies between it and the branch: one line says how both come."""
    clone = upstream.parent / "clone"
    git(upstream, "clone", "-q", "--depth", "1", "-b", "change", branches, upstream.as_uri(), str(clone))

    told = compare(monkeypatch, clone, "origin/main")

    assert "origin/main" in told
    assert "shallow" in told
    assert "fetch-depth: 0" in told
    assert "\n" not in told
    git(clone, "remote", "set-branches", "origin", "*")
    git(clone, "fetch", "-q", "--unshallow")
    git(clone, "merge-base", "origin/main", "HEAD")


def test_a_base_that_is_none_is_named(monkeypatch, upstream):
    """In a whole clone git's own line is shown."""
    told = compare(monkeypatch, upstream, "origin/mian")

    assert "origin/mian" in told
    assert "shallow" not in told

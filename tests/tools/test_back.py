"""The way back to a branch, in a small repository whose refs are set as DVC 3.67.1 leaves them."""

import subprocess
from pathlib import Path

import pytest

from tools.back import BEGAN_AT, CHANGES, to_branch


def git(*arguments: str) -> str:
    """What a git command prints that must succeed, by somebody with a name."""
    command = ["git", "-c", "user.name=a", "-c", "user.email=a@example.org", *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def commit(subject: str) -> None:
    """A commit without changes."""
    git("commit", "-q", "--allow-empty", "-m", subject)


@pytest.fixture(autouse=True)
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository with two commits on main, and git on it."""
    folder = tmp_path / "repository"
    git("init", "-q", "-b", "main", str(folder))
    monkeypatch.chdir(folder)
    commit("first")
    commit("second")
    return folder


def begin_a_run() -> None:
    """What DVC does before an experiment's stages run."""
    for name in ("refs/exps/exec/EXEC_HEAD", BEGAN_AT, CHANGES):
        git("update-ref", name, "HEAD")
    git("checkout", "-q", "--detach")


@pytest.mark.parametrize("subject", ["", "dvc: commit experiment 1a2b3c4"])
def test_a_run_that_was_killed_is_on_its_branch_again(capsys, subject):
    """Whether its experiment was committed or not; the next look finds nothing to do."""
    begin_a_run()
    if subject:
        commit(subject)

    to_branch()

    assert git("symbolic-ref", "HEAD") == "refs/heads/main"
    assert "git is on main again" in capsys.readouterr().out
    git("checkout", "-q", "--detach")
    to_branch()
    assert capsys.readouterr().out == ""


def stays(capsys: pytest.CaptureFixture[str]) -> bool:
    """Whether `to_branch` leaves git where it is, and says nothing."""
    before = git("rev-parse", "HEAD")
    to_branch()
    detached = git("rev-parse", "--symbolic-full-name", "HEAD") == "HEAD"
    return detached and git("rev-parse", "HEAD") == before and capsys.readouterr().out == ""


def test_a_commit_of_ones_own_stays_after_a_run_that_ended(capsys):
    """DVC never removes EXEC_HEAD, so it says nothing of how the run ended."""
    begin_a_run()
    for name in (BEGAN_AT, CHANGES):
        git("update-ref", "-d", name)
    commit("own")

    assert stays(capsys)


def test_a_commit_of_ones_own_stays_after_a_run_that_was_killed(capsys):
    """It is no experiment's: whoever has made it is where he wants to be."""
    begin_a_run()
    commit("own")

    assert stays(capsys)


def test_a_clone_of_a_tag_stays(capsys, repository, monkeypatch):
    """It never was on a branch, so there is none to go back to."""
    git("tag", "v1")
    git("clone", "-q", "--branch", "v1", ".", str(repository.parent / "clone"))
    monkeypatch.chdir(repository.parent / "clone")
    begin_a_run()

    assert stays(capsys)

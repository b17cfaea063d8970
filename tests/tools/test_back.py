"""The way back to a branch, in a small repository whose refs are set as DVC 3.67.1 leaves them."""

import os
import subprocess
import time
from contextlib import nullcontext, suppress
from io import StringIO
from pathlib import Path

import pytest

from stages.common.errors import InputError
from stages.params import make_git_look
from tests.project import SOMEBODY
from tools import back
from tools.back import BEGAN_AT, CHANGES, branch_left, lone_commit, to_branch


def git(*arguments: str) -> str:
    """What a git command prints that must succeed, by somebody with a name."""
    command = ["git", *SOMEBODY, *arguments]
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

    branch = branch_left()
    assert branch == "refs/heads/main"
    to_branch(branch)

    assert git("symbolic-ref", "HEAD") == "refs/heads/main"
    assert capsys.readouterr().out == "git is on main again: a run that was killed had left it.\n"
    git("checkout", "-q", "--detach")
    assert branch_left() is None


def test_a_commit_of_ones_own_stays_after_a_run_that_ended():
    """DVC never removes EXEC_HEAD, so it says nothing of how the run ended."""
    begin_a_run()
    for name in (BEGAN_AT, CHANGES):
        git("update-ref", "-d", name)
    commit("own")

    assert branch_left() is None
    assert lone_commit() is None


def test_a_commit_of_ones_own_stays_after_a_run_that_was_killed():
    """It is no experiment's: whoever has made it is where he wants to be."""
    begin_a_run()
    commit("own")

    assert branch_left() is None
    assert lone_commit() == git("log", "-1", "--format=%h (own)")
    git("branch", "kept")
    assert lone_commit() is None


def test_a_clone_of_a_tag_stays(repository, monkeypatch):
    """It never was on a branch, so there is none to go back to."""
    git("tag", "v1")
    git("clone", "-q", "--branch", "v1", ".", str(repository.parent / "clone"))
    monkeypatch.chdir(repository.parent / "clone")
    begin_a_run()

    assert branch_left() is None
    assert lone_commit() is None


def test_git_sees_a_change_of_the_same_size_and_time(repository):
    """As `-S` can leave it: without a new look git takes it for none, and `git checkout` undoes nothing."""
    params, an_hour_ago = repository / "params.yaml", time.time() - 3600
    git("config", "core.trustctime", "false")
    for seed in (1, 2):
        params.write_text(f"seed: {seed}\n", encoding="utf-8")
        os.utime(params, (an_hour_ago, an_hour_ago))
        if seed == 1:
            git("add", "params.yaml")
            commit("settings")
    assert git("status", "--porcelain") == ""

    make_git_look("params.yaml")

    assert git("status", "--porcelain") == "M params.yaml"
    git("checkout", "HEAD", "--", "params.yaml")
    assert params.read_text(encoding="utf-8") == "seed: 1\n"


def begin_a_change(*command: str) -> str:
    """A git command that ends in a conflict, of params.yaml; the file as git has left it then."""
    params = Path("params.yaml")
    for seed, branch in ((1, "main"), (2, "other"), (3, "main")):
        git("checkout", "-q", *(["-b"] if branch == "other" else []), branch)
        params.write_text(f"seed: {seed}\n", encoding="utf-8")
        git("add", "params.yaml")
        commit(f"seed {seed}")
    with suppress(subprocess.CalledProcessError):
        git(*command)
    return params.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("kind", "command"),
    [
        ("merge", ["merge", "other"]),
        ("cherry-pick", ["cherry-pick", "other"]),
        ("revert", ["revert", "--no-edit", "HEAD~1"]),
        ("rebase", ["rebase", "other"]),
        ("rebase", ["rebase", "--apply", "other"]),
    ],
)
def test_half_a_merge_is_left_alone(kind, command):
    """What git has put together would go, and the commit would lose the other branch's settings."""
    half = begin_a_change(*command)
    before = git("status", "--porcelain", "--branch")

    with pytest.raises(InputError) as caught:
        back.main()

    assert str(caught.value) == (
        f"no {kind} may be under way while all is brought back; received one: finish it, or give it up by "
        f"`git {kind} --abort`."
    )
    assert Path("params.yaml").read_text(encoding="utf-8") == half
    assert git("status", "--porcelain", "--branch") == before


@pytest.mark.parametrize("refused", [True, False])
def test_git_moves_after_the_question(repository, monkeypatch, refused):
    """Whoever answers no finds all as it was: git too, and what it has of DVC's own folder."""
    (repository / "params.yaml").write_text("seed: 1\n", encoding="utf-8")
    (repository / ".dvc/tmp").mkdir(parents=True)
    (repository / ".dvc/tmp/own").write_text("", encoding="utf-8")
    git("add", "params.yaml", ".dvc/tmp/own")
    commit("settings")
    begin_a_run()
    (repository / "params.yaml").write_text("seed: 2\n", encoding="utf-8")
    monkeypatch.setattr("sys.stdin", StringIO("n\n" if refused else "y\n"))
    monkeypatch.setattr(back, "restore", lambda: None)
    monkeypatch.setattr(back, "show", lambda *_: None)
    before = git("status", "--branch", "--porcelain")

    with pytest.raises(InputError, match="All is as it was") if refused else nullcontext():
        back.main()

    assert (git("status", "--branch", "--porcelain") == before) == refused


@pytest.mark.parametrize(
    ("edit", "asked"), [("a:\n  seed: 2\n", False), ("a:\n  seed: 1\n  b: {}\n", True), ("a: {}\n", True)]
)
def test_a_setting_that_only_an_experiment_has_is_asked_for(repository, monkeypatch, capfd, edit, asked):
    """Somebody has written it, or taken it out, and run an experiment before he committed that."""
    params = repository / "params.yaml"
    params.write_text("a:\n  seed: 1\n", encoding="utf-8")
    git("add", "params.yaml")
    commit("settings")
    params.write_text(edit, encoding="utf-8")
    git("update-ref", "refs/exps/ab/cdef/added", git("stash", "create"))
    monkeypatch.setattr("sys.stdin", StringIO("n\n"))
    monkeypatch.setattr(back, "restore", lambda: None)
    monkeypatch.setattr(back, "show", lambda *_: None)

    with pytest.raises(InputError, match="All is as it was") if asked else nullcontext():
        back.main()

    assert ("This edit adds or drops settings of params.yaml" in capfd.readouterr().out) == asked
    if asked:
        git("checkout", "-q", "-b", "kept")
        git("commit", "-qam", "kept")
        git("checkout", "-q", "main")
        params.write_text(edit, encoding="utf-8")
        back.main()


def test_what_is_not_as_committed_is_named_at_the_end(repository, monkeypatch, capfd):
    """In words that suit one file as well as two."""
    for name in ("dvc.lock", "a.py"):
        (repository / name).write_text("old\n", encoding="utf-8")
    git("add", ".")
    commit("code")
    for name in ("dvc.lock", "a.py"):
        (repository / name).write_text("new\n", encoding="utf-8")
    monkeypatch.setattr(back, "restore", lambda: None)
    monkeypatch.setattr(back, "show", lambda *_: None)

    back.main()

    own, others = capfd.readouterr().out.splitlines()
    assert own.startswith("note: not as in the commit, and left so: a.py. ")
    assert others == (
        "note: not as in the commit, because code or added data isn't: dvc.lock; see `git status`."
    )


def test_an_edit_is_shown_against_the_branch(repository, monkeypatch, capfd):
    """A run that was killed right after its commit has left git on that."""
    (repository / "params.yaml").write_text("seed: 1\n", encoding="utf-8")
    git("add", "params.yaml")
    commit("settings")
    begin_a_run()
    (repository / "params.yaml").write_text("seed: 2\n", encoding="utf-8")
    git("add", "params.yaml")
    commit("dvc: commit experiment 1a2b3c4")
    monkeypatch.setattr("sys.stdin", StringIO())

    with pytest.raises(InputError, match="the answer must be y"):
        back.main()

    assert "+seed: 2" in capfd.readouterr().out

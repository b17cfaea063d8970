"""What a command of git, dvc or npm says as it fails, in one line."""

import sys
from pathlib import Path

import pytest

from stages.common.errors import InputError, run
from tools import back, site_cache
from tools.commands import output_of, reason


@pytest.mark.parametrize(
    ("log", "why"),
    [
        (
            "fatal: ambiguous argument 'mian': unknown revision\nUse '--' to separate paths\n",
            "fatal: ambiguous argument 'mian': unknown revision",
        ),
        (
            "npm warn old\nnpm error code ENOTFOUND\nnpm error A complete log of this run\n",
            "npm error code ENOTFOUND",
        ),
        (
            "WARNING: slow\nERROR: unexpected error\n\nHaving any troubles? Hit us up!\n",
            "ERROR: unexpected error",
        ),
        ("one\nanother\n", "another"),
        ("\n", "no message"),
    ],
)
def test_the_line_that_says_why_is_shown(log: str, why: str):
    """Advice may stand below it."""
    assert reason(log) == why


def test_git_says_why(tmp_path: Path):
    """The real one, of a revision that is none."""
    output_of("git", "init", "-q", cwd=tmp_path)

    with pytest.raises(InputError, match=r"received: fatal: .*'mian'"):
        output_of("git", "rev-parse", "mian", cwd=tmp_path)


def test_a_command_is_run_where_it_is_told_to(tmp_path: Path):
    """With a text as its input."""
    program = "import os, sys; print(os.getcwd(), sys.stdin.read())"

    printed = output_of(sys.executable, "-c", program, given="a word", cwd=tmp_path)

    assert printed == f"{tmp_path.resolve()} a word\n"


@pytest.mark.parametrize("main", [back.main, site_cache.main], ids=["back", "site_cache"])
def test_a_shell_without_the_environment_is_told_so(tmp_path, monkeypatch, main):
    """Before anything was changed."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(SystemExit) as caught:
        run(main)

    assert caught.value.code == "error: `dvc` must be on the PATH; received none: activate .venv first."
    assert not list(tmp_path.iterdir())

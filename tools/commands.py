"""Commands of git and dvc, for the tools that need what they say."""

import os
import shutil
import subprocess
from pathlib import Path

from stages.common.errors import InputError

SAYS_WHY = ("fatal:", "error:", "npm error")  # how git, dvc and npm begin; below may stand advice


def output_of(*command: str, given: str = "", cwd: Path | None = None) -> str:
    """Run a command and return what it prints; `given` is its standard input.

    Raises InputError if it can't be found, or, with its own reason, if it fails.
    """
    need(command[0])
    result = subprocess.run(  # noqa: S603
        command,
        input=given,
        cwd=cwd,
        capture_output=True,
        encoding="utf-8",
        errors="backslashreplace",
        env={**os.environ, "PYTHONUTF8": "1", "PYTHONIOENCODING": ""},  # of dvc
        check=False,
    )
    if result.returncode:
        raise InputError(f"`{' '.join(command)}` must succeed; received: {reason(result.stderr)}")
    return result.stdout


def need(program: str) -> None:
    """Raise InputError where a program can't be found."""
    if shutil.which(program) is None:
        raise InputError(f"`{program}` must be on the PATH; received none: activate .venv first.")


def reason(log: str) -> str:
    """Of what a command said as it failed, the first line that begins as a reason, or else the last."""
    lines = log.strip().splitlines() or ["no message"]
    return next((line for line in lines if line.lower().startswith(SAYS_WHY)), lines[-1])

"""Commands that tools run, for what they say: git, dvc, npm and the stages."""

import os
import shutil
import subprocess
import sys
from argparse import ArgumentParser, RawDescriptionHelpFormatter
from collections.abc import Callable, Mapping
from pathlib import Path

from stages.common.errors import InputError

SAYS_WHY = ("fatal:", "error:", "npm error")  # how git, dvc and npm begin; below may stand advice


def output_of(*command: str, given: str = "", cwd: Path | None = None) -> str:
    """Run a command and return what it prints; `given` is its standard input.

    Raises InputError if it can't be found, or, with its own reason, if it fails.
    """
    need(command[0])
    result = finished(*command, given=given, cwd=cwd)
    if result.returncode:
        raise InputError(f"`{' '.join(command)}` must succeed; received: {reason(result.stderr)}")
    return result.stdout


def finished(
    *command: str, given: str = "", cwd: Path | None = None, environment: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """A command that has run, whatever came of it; `environment`: in place of this process' own."""
    return subprocess.run(  # noqa: S603
        command,
        input=given,
        cwd=cwd,
        capture_output=True,
        encoding="utf-8",
        errors="backslashreplace",
        env=environment or {**os.environ, "PYTHONUTF8": "1", "PYTHONIOENCODING": ""},  # of dvc
        check=False,
    )


def without_options(main: Callable[[], None], about: str | None) -> Callable[[], None]:
    """`main` of a tool that takes no options: `--help` says what it is about, and any other is refused."""

    def parsed() -> None:
        spec = sys.modules[main.__module__].__spec__
        name = "" if spec is None else spec.name.removesuffix(".__main__")
        ArgumentParser(
            prog=f"python -m {name}", description=about, formatter_class=RawDescriptionHelpFormatter
        ).parse_args()
        main()

    return parsed


def need(program: str) -> None:
    """Raise InputError where a program can't be found."""
    if shutil.which(program) is None:
        raise InputError(f"`{program}` must be on the PATH; received none: activate .venv first.")


def reason(log: str) -> str:
    """Of what a command said as it failed, the first line that begins as a reason, or else the last."""
    lines = log.strip().splitlines() or ["no message"]
    return next((line for line in lines if line.lower().startswith(SAYS_WHY)), lines[-1])

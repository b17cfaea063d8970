"""Commands of git and dvc, for the tools that need what they say."""

import os
import subprocess

from stages.common.errors import InputError


def output_of(*command: str, given: str = "") -> str:
    """What a command prints that is given a text. Raises InputError with its own last line if it fails."""
    result = subprocess.run(  # noqa: S603
        command,
        input=given,
        capture_output=True,
        encoding="utf-8",
        errors="backslashreplace",
        env={**os.environ, "PYTHONUTF8": "1", "PYTHONIOENCODING": ""},  # of dvc
        check=False,
    )
    if result.returncode:
        reason = (result.stderr.strip() or "no message").splitlines()[-1]
        raise InputError(f"`{' '.join(command)}` must succeed; received: {reason}")
    return result.stdout

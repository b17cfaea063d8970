"""The way back to what is committed, whatever has ended amid a run: `make back`.

After an experiment, Ctrl-C or `kill -9`, params.yaml, dvc.lock and results may be of different runs. What
the cache lacks of the committed run is reproduced. Code stays as it is.
"""

import subprocess
import sys
from pathlib import Path

from stages.common.errors import InputError, run
from stages.common.params import make_git_look

PARAMS = "params.yaml"
WRITTEN_BY_DVC = [PARAMS, "dvc.lock", "results"]
PASSING = ("refs/exps/exec/", "refs/stash")  # names of commits that git or DVC may drop by themselves


def main() -> None:
    """Bring back params.yaml, dvc.lock and all results; ask first where that loses an edit for good."""
    make_git_look(PARAMS)
    if edit_is_lost():
        show("git", "--no-pager", "diff", "HEAD", "--", PARAMS)
        print(
            f"This edit of {PARAMS} is in no commit and no experiment. Throw it away? [y/N] ",
            end="",
            flush=True,
        )
        answer = sys.stdin.readline().strip()
        if answer.lower() not in ("y", "yes"):
            raise InputError(f"the answer must be y to go back; received {answer!r}. All is as it was.")
    # Git can take a changed file for unmodified; one that is missing it can't.
    Path(PARAMS).unlink(missing_ok=True)
    committed = output_of("git", "ls-tree", "--name-only", "HEAD", "--", *WRITTEN_BY_DVC).splitlines()
    show("git", "checkout", "HEAD", "--", *committed)
    show("dvc", "checkout", "--force", "--allow-missing", "--quiet")
    show("dvc", "repro")


def edit_is_lost() -> bool:
    """Whether params.yaml is as at no commit that has a name: no branch's, tag's or experiment's last."""
    if not Path(PARAMS).exists():
        return False
    refs = output_of("git", "for-each-ref", "--format=%(refname)").splitlines()
    names = ["HEAD", *(ref for ref in refs if not ref.startswith(PASSING))]
    asked = "".join(f"{name}:{PARAMS}\n" for name in names)
    held = output_of("git", "cat-file", "--batch-check=%(objectname)", given=asked).split()
    return output_of("git", "hash-object", PARAMS).strip() not in held


def show(*command: str) -> None:
    """Run a command that says itself what it does. Raises InputError where it fails."""
    if subprocess.run(command, check=False).returncode:  # noqa: S603
        raise InputError(f"`{' '.join(command)}` must succeed; received an error, which it has told.")


def output_of(*command: str, given: str = "") -> str:
    """What a command prints. Raises InputError where it fails."""
    result = subprocess.run(command, input=given, capture_output=True, text=True, check=False)  # noqa: S603
    if result.returncode:
        reason = (result.stderr.strip() or "no message").splitlines()[-1]
        raise InputError(f"`{' '.join(command)}` must succeed; received: {reason}")
    return result.stdout


if __name__ == "__main__":
    run(main)

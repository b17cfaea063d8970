"""The way back to what is committed, whatever has ended amid a run: `make back`.

After an experiment, Ctrl-C or `kill -9`, params.yaml, dvc.lock and results may be of different runs. What
the cache lacks of the committed run is reproduced. Code, and what `dvc add` has added, stay as they are.
"""

import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

from stages.common.errors import InputError, run
from stages.common.outputs import LOCKS, lock
from stages.common.params import make_git_look
from tools.commands import output_of

PARAMS = "params.yaml"
WRITTEN_BY_DVC = [PARAMS, "dvc.lock", "results"]
PASSING = ("refs/exps/exec/", "refs/stash")  # names of commits that git or DVC may drop by themselves
# The commit at which DVC began to run an experiment, and its changes; DVC removes them when a run ends.
BEGAN_AT, CHANGES = "refs/exps/exec/EXEC_BASELINE", "refs/exps/exec/EXEC_MERGE"


def main() -> None:
    """Bring back params.yaml, dvc.lock and all results; ask first where that loses an edit for good."""
    with ExitStack() as locks:
        for path in LOCKS.glob("stages.*"):
            keep_still(locks, path)
        to_branch()
        ask()
        restore()
    show("dvc", "repro")
    others = output_of("git", "diff", "--name-only", "HEAD", "--", *WRITTEN_BY_DVC).splitlines()
    if others:
        print(
            f"note: {', '.join(others)}: not as committed, for code or added data isn't; see `git status`."
        )


def keep_still(locks: ExitStack, path: Path) -> None:
    """Raise InputError where a stage still runs: it would write over what is brought back."""
    try:
        lock(locks.enter_context(path.open("w")))
    except (BlockingIOError, PermissionError):  # as Unix and Windows say it
        raise InputError(
            f"no stage may run while all is brought back; received {path.name}, which does: wait until "
            f"`python -m {path.name}` has ended, or end it."
        ) from None


def to_branch() -> None:
    """Put git back on the branch from which DVC took it for a run that was killed; files stay as they are.

    Whoever has left a branch by himself stays where he is.
    """
    output_of("git", "rm", "-r", "-q", "--cached", "--ignore-unmatch", "--", ".dvc/tmp")  # DVC's own
    if is_so("git", "symbolic-ref", "-q", "HEAD") or not all(
        is_so("git", "rev-parse", "-q", "--verify", name) for name in (BEGAN_AT, "@{-1}")
    ):
        return
    began = output_of("git", "rev-parse", BEGAN_AT).strip()
    branch = output_of("git", "rev-parse", "--symbolic-full-name", "@{-1}").strip()
    if branch and output_of("git", "rev-parse", branch).strip() == began and is_where_a_run_was(began):
        output_of("git", "symbolic-ref", "HEAD", branch)
        for name in (BEGAN_AT, CHANGES):
            output_of("git", "update-ref", "-d", name)
        print(f"git is on {branch.removeprefix('refs/heads/')} again: a run that was killed had left it.")


def is_where_a_run_was(began: str) -> bool:
    """Whether HEAD is the commit at which a run began, or its experiment, on top of that."""
    log = output_of("git", "rev-list", "--max-count=1", "--format=%P%n%s", "HEAD")
    here, parents, subject = log.splitlines()[:3]
    is_experiment = parents == began and subject.startswith("dvc: commit experiment ")
    return here == f"commit {began}" or is_experiment


def ask() -> None:
    """Raise InputError where an edit of params.yaml would be lost for good, unless the answer is yes."""
    make_git_look(PARAMS)
    if not edit_is_lost():
        return
    show("git", "--no-pager", "diff", "HEAD", "--", PARAMS)
    print(
        f"This edit of {PARAMS} is in no commit and no experiment. Throw it away? [y/N] ",
        end="",
        flush=True,
    )
    answer = sys.stdin.readline().strip()
    if not sys.stdin.isatty():
        print()
    if answer.lower() not in ("y", "yes"):
        raise InputError(f"the answer must be y to go back; received {answer!r}. All is as it was.")


def edit_is_lost() -> bool:
    """Whether params.yaml is as at no commit that has a name: no branch's, tag's or experiment's last."""
    if not Path(PARAMS).exists():
        return False
    refs = output_of("git", "for-each-ref", "--format=%(refname)").splitlines()
    names = ["HEAD", *(ref for ref in refs if not ref.startswith(PASSING))]
    asked = "".join(f"{name}:{PARAMS}\n" for name in names)
    held = output_of("git", "cat-file", "--batch-check=%(objectname)", given=asked).split()
    return output_of("git", "hash-object", PARAMS).strip() not in held


def restore() -> None:
    """What git has committed; and of the pipeline's outputs what the cache has."""
    # Git can take a changed file for unmodified; one that is missing it can't.
    Path(PARAMS).unlink(missing_ok=True)
    committed = output_of("git", "ls-tree", "--name-only", "HEAD", "--", *WRITTEN_BY_DVC).splitlines()
    show("git", "checkout", "HEAD", "--", *committed)
    # Not all that DVC knows: candles in a folder that was added may be newer than what it has of them.
    show("dvc", "checkout", "--force", "--allow-missing", "--quiet", "dvc.yaml")


def show(*command: str) -> None:
    """Run a command that says itself what it does. Raises InputError where it fails."""
    if subprocess.run(command, check=False).returncode:  # noqa: S603
        raise InputError(f"`{' '.join(command)}` must succeed; received an error, which it has told.")


def is_so(*command: str) -> bool:
    """Whether a command that asks something says yes."""
    return subprocess.run(command, capture_output=True, check=False).returncode == 0  # noqa: S603


if __name__ == "__main__":
    run(main)

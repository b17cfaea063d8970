"""Brings back what is committed, however a run ended: `make back`.

After an experiment, Ctrl-C or `kill -9`, params.yaml, dvc.lock and results may be of different runs. What
the cache lacks of the committed run is reproduced. All else that git tracks, and what `dvc add` has added,
stays as it is; what isn't as committed is named.
"""

import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from stages.common.errors import InputError, run
from stages.common.outputs import LOCKS, lock
from stages.params import make_git_look
from tools.commands import finished, need, output_of, without_options
from tools.workspace import WORKSPACE, values_at

PARAMS = "params.yaml"
WRITTEN_BY_DVC = [PARAMS, "dvc.lock", "results"]
EXPERIMENTS = "refs/exps/"
PASSING = ("refs/exps/exec/", "refs/stash")  # names of commits that git or DVC may drop by themselves
# The commit at which DVC began to run an experiment, and its changes; DVC removes them when a run ends.
BEGAN_AT, CHANGES = "refs/exps/exec/EXEC_BASELINE", "refs/exps/exec/EXEC_MERGE"
# What git keeps while something is under way, and what that is; a rebase may pick cherries.
UNDER_WAY = {
    "rebase-merge": "rebase",
    "rebase-apply": "rebase",
    "MERGE_HEAD": "merge",
    "CHERRY_PICK_HEAD": "cherry-pick",
    "REVERT_HEAD": "revert",
}


def main() -> None:
    """Bring back params.yaml, dvc.lock and all results; ask first where that loses an edit for good."""
    need("dvc")
    refuse_halfway()
    with ExitStack() as locks:
        for path in LOCKS.glob("stages.*"):
            keep_still(locks, path)
        branch = branch_left()
        ask(branch or "HEAD")
        output_of("git", "rm", "-r", "-q", "--cached", "--ignore-unmatch", "--", ".dvc/tmp")  # DVC's own
        if branch:
            to_branch(branch)
        elif commit := lone_commit():
            print(
                f"note: a run that was killed had left git on no branch, so {commit} is on none: "
                "`git branch NAME` keeps it."
            )
        restore()
    if own := differing(*(f":(exclude){path}" for path in WRITTEN_BY_DVC)):
        print(
            f"note: not as in the commit, and left so: {own}. `git restore FILE` brings one back "
            "(`dvc checkout FILE` what a .dvc file names), then `make back` the results.",
            flush=True,
        )
    show("dvc", "repro")
    if others := differing(*WRITTEN_BY_DVC):
        print(f"note: not as in the commit, because code or added data isn't: {others}; see `git status`.")


def refuse_halfway() -> None:
    """Raise InputError amid a merge or its like: what git has put together isn't committed yet."""
    for name, kind in UNDER_WAY.items():
        if Path(output_of("git", "rev-parse", "--git-path", name).strip()).exists():
            raise InputError(
                f"no {kind} may be under way while all is brought back; received one: finish it, or give "
                f"it up by `git {kind} --abort`."
            )


def keep_still(locks: ExitStack, path: Path) -> None:
    """Raise InputError where a stage still runs: it would write over what is brought back."""
    if not lock(locks.enter_context(path.open("a"))):
        raise InputError(
            f"no stage may run while all is brought back; received {path.name}, which does: wait until "
            f"`python -m {path.name}` has ended, or end it."
        )


def branch_left() -> str | None:
    """The branch from which DVC took git for a run that was killed.

    None where git is on a branch, or whoever has left it did so by himself.
    """
    began = commit_at(BEGAN_AT)
    if not was_left() or commit_at("@{-1}") != began or not is_where_a_run_was(began):
        return None
    return output_of("git", "rev-parse", "--symbolic-full-name", "@{-1}").strip() or None


def was_left() -> bool:
    """Whether git is on no branch, and a run that was killed may have left it so."""
    on_branch = finished("git", "symbolic-ref", "-q", "HEAD").stdout
    return not on_branch and bool(commit_at(BEGAN_AT))


def commit_at(name: str) -> str:
    """The commit that has this name; nothing where none has it."""
    return finished("git", "rev-parse", "-q", "--verify", name).stdout.strip()


def is_where_a_run_was(began: str) -> bool:
    """Whether HEAD is the commit at which a run began, or its experiment, on top of that."""
    log = output_of("git", "rev-list", "--max-count=1", "--format=%P%n%s", "HEAD")
    here, parents, subject = log.splitlines()[:3]
    is_experiment = parents == began and subject.startswith("dvc: commit experiment ")
    return here == f"commit {began}" or is_experiment


def lone_commit() -> str | None:
    """The commit on which git is since a run was killed, if it is on no branch and has no tag."""
    kept = ("refs/heads", "refs/remotes", "refs/tags")
    if not was_left() or output_of("git", "for-each-ref", "--contains=HEAD", *kept):
        return None
    return output_of("git", "log", "-1", "--format=%h (%s)").strip()


def to_branch(branch: str) -> None:
    """Put git on a branch; files stay as they are."""
    output_of("git", "symbolic-ref", "HEAD", branch)
    for name in (BEGAN_AT, CHANGES):
        output_of("git", "update-ref", "-d", name)
    print(f"git is on {branch.removeprefix('refs/heads/')} again: a run that was killed had left it.")


def ask(goal: str) -> None:
    """Raise InputError where going to `goal` loses an edit of params.yaml, unless the answer is yes."""
    make_git_look(PARAMS)
    lost = what_is_lost(goal)
    if not lost:
        return
    show("git", "--no-pager", "diff", goal, "--", PARAMS)
    print(f"{lost} Throw it away? [y/N] ", end="", flush=True)
    answer = sys.stdin.readline().strip()
    if not sys.stdin.isatty():
        print()
    if answer.lower() not in ("y", "yes"):
        raise InputError(f"the answer must be y to go back; received {answer!r}. All is as it was.")


def what_is_lost(goal: str) -> str:
    """What a way to `goal` throws away of params.yaml, in a sentence; nothing where it is kept elsewhere.

    Values are kept by whatever branch, tag or experiment ends with them. A block that somebody has added,
    or taken out, is no experiment's: DVC takes it along into one, where nobody would look for it.
    """
    if not Path(PARAMS).exists():
        return ""
    refs = output_of("git", "for-each-ref", "--format=%(refname)").splitlines()
    kept = [ref for ref in refs if not ref.startswith(PASSING)]
    if not is_held([goal, *kept]):
        return f"This edit of {PARAMS} isn't the last state of any branch, tag or experiment."
    if is_held([goal, *(ref for ref in kept if not ref.startswith(EXPERIMENTS))]):
        return ""
    if names_of(values_at(goal, PARAMS)) == names_of(values_at(WORKSPACE, PARAMS)):
        return ""
    return f"This edit adds or drops settings of {PARAMS}, and no branch or tag ends with it."


def is_held(names: list[str]) -> bool:
    """Whether one of these commits has this params.yaml."""
    asked = "".join(f"{name}:{PARAMS}\n" for name in names)
    held = output_of("git", "cat-file", "--batch-check=%(objectname)", given=asked).split()
    return output_of("git", "hash-object", PARAMS).strip() in held


def names_of(values: Any, block: str = "") -> set[str]:
    """The blocks and settings of a params.yaml, by dotted key; empty blocks count, too."""
    found = set()
    for key, value in values.items() if isinstance(values, dict) else ():
        found |= {f"{block}{key}"} | names_of(value, f"{block}{key}.")
    return found


def restore() -> None:
    """What git has committed; and of the pipeline's outputs what the cache has."""
    committed = output_of("git", "ls-tree", "--name-only", "HEAD", "--", *WRITTEN_BY_DVC).splitlines()
    show("git", "checkout", "HEAD", "--", *committed)
    # Not all that DVC knows: candles in a folder that was added may be newer than what it has of them.
    show("dvc", "checkout", "--force", "--allow-missing", "--quiet", "dvc.yaml")


def differing(*paths: str) -> str:
    """Files that git tracks and that aren't as committed, of these paths."""
    diff = output_of("git", "-c", "core.quotepath=off", "diff", "--name-only", "HEAD", "--", *paths)
    return ", ".join(diff.splitlines())


def show(*command: str) -> None:
    """Run a command that says itself what it does. Raises InputError where it fails."""
    if subprocess.run(command, check=False).returncode:  # noqa: S603
        raise InputError(f"`{' '.join(command)}` must succeed; received an error, which it has told.")


if __name__ == "__main__":
    run(without_options(main, __doc__))

"""Which commit is meant."""

from dvc.repo import Repo
from dvc.repo.experiments.utils import exp_refs

from stages.common.errors import InputError, printable
from tools.commands import finished, output_of
from tools.workspace import WORKSPACE

BRANCHES = ("origin/HEAD", "origin/main", "main")  # a change left the first of them that there is


def commit_of(revision: str) -> str:
    """The hash of a commit; nothing where there is none of that name."""
    return finished("git", "rev-parse", "--verify", "--quiet", f"{revision}^{{commit}}").stdout.strip()


def resolve(repo: Repo, revision: str) -> str:
    """The commit of a revision, or of an experiment of that name; WORKSPACE as it is.

    Raises InputError where there is neither.
    """
    if revision == WORKSPACE:
        return WORKSPACE
    experiments = [str(each) for each in exp_refs(repo.scm) if each.name == revision]
    if len(experiments) > 1:
        raise InputError(
            f"compare needs a single experiment of a name; received {printable(revision)}, of which there "
            f"are {len(experiments)}: name one by its hash (`dvc exp list -A`)."
        )
    commit = commit_of(revision) or (commit_of(experiments[0]) if experiments else "")
    if not commit:
        raise InputError(
            "compare needs a commit, a branch, an experiment or workspace; received "
            f"{printable(revision)}, which is none."
        )
    return commit


def start_of_branch(base: str | None) -> str:
    """The commit where this branch left `base`, by default the main branch; HEAD, if there is none.

    What has landed on `base` since is not this change's doing. Raises InputError where the two share no
    commit, or this clone doesn't reach back to it.
    """
    base = base or next(filter(commit_of, BRANCHES), None)
    if base is not None and commit_of(base):
        found = finished("git", "merge-base", base, "HEAD")
        if not found.returncode:
            return found.stdout.strip()
    if output_of("git", "rev-parse", "--is-shallow-repository").strip() == "true":
        raise InputError(
            f"compare needs the commit where this branch left {printable(base or 'main')}; received a "
            "shallow clone: run `git remote set-branches origin '*' && git fetch --unshallow` (in a "
            "workflow: fetch-depth: 0)."
        )
    if base is None:
        return commit_of("HEAD")
    raise InputError(f"compare needs a commit that {printable(base)} and HEAD share; received none.")

"""The names of experiments, by what their dvc.lock says they scored."""

from collections.abc import Iterable, Mapping

from dvc.repo import Repo
from dvc.repo.experiments.utils import exp_refs

from stages.evaluate.ledger import Identity, Trial
from tools.trials.cache import StageRun, as_written, run_of
from tools.workspace import read_lock

Names = dict[Identity, list[str]]


def read_experiments(repo: Repo) -> dict[str, StageRun]:
    """Each experiment's run of evaluate by the experiment's name, whichever commit it is of.

    Those without one are left out: they are of another version of this project.
    """
    found = {}
    for experiment in sorted(exp_refs(repo.scm), key=str):
        name = experiment.name
        if scoring := scoring_at(
            str(experiment), f"the experiment {name}", f"`dvc exp remove {name}` to go on without it"
        ):
            found[name] = scoring
    return found


def read_head() -> dict[str, StageRun]:
    """The committed run of evaluate, by its name, HEAD; nothing where there is none."""
    scoring = scoring_at("HEAD", "HEAD", "run `dvc repro` and commit")
    return {"HEAD": scoring} if scoring else {}


def scoring_at(revision: str, whose: str, remedy: str) -> StageRun | None:
    """The run of evaluate that a commit's dvc.lock has, if it has one that scored."""
    lock = read_lock(revision)
    if "evaluate" not in lock:
        return None
    with as_written(f"dvc.lock of {whose}", remedy):
        scoring = run_of(lock["evaluate"])
    return scoring if scoring.has_scores else None


def names_of(experiments: Mapping[str, StageRun], trials: Iterable[Trial]) -> Names:
    """The names of each trial's experiments; of removed ones, too, where no other has the name now."""
    names: Names = {}
    for name, scoring in experiments.items():
        names.setdefault(scoring.identity, []).append(name)
    for trial in trials:
        own = names.setdefault(trial.identity, [])
        if trial.experiment and trial.experiment not in [*own, *experiments]:
            own.append(trial.experiment)
    return names

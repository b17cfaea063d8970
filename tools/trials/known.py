"""All trials that are known here: the ledger's, and those that DVC's run cache alone knows."""

import os
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from dvc.repo import Repo

from stages.evaluate.ledger import (
    SCORES,
    Identity,
    Trial,
    ledger_folder,
    read_trial,
    trial_name,
    write_trial,
)
from tools.trials.cache import Makers, StageRun, as_written, makers_of, noted_trial, read_runs
from tools.trials.overlap import same_test


class Known(NamedTuple):
    """A trial, and when it was scored, in ns since 1970."""

    trial: Trial
    scored_ns: int


def read_here(repo: Repo, here: dict[str, str]) -> tuple[list[Known], list[StageRun]]:
    """All trials that are known, and the runs in the run cache that scored one; `here`: of `read_known`."""
    runs = read_runs(Path(repo.stage_cache.cache_dir))
    scorings = [noted for noted in runs if noted.has_scores]
    return read_known(repo, ledger_folder(), scorings, makers_of(runs), here), scorings


def read_known(
    repo: Repo, folder: Path, scorings: Sequence[StageRun], makers: Makers, here: dict[str, str]
) -> list[Known]:
    """The trials of the ledger, of the run cache, or of both; the workspace's first, then newest first.

    `folder`: the ledger's, into which comes what the run cache alone knows: `scorings`, its runs that
    scored a forecast. `here`: hashes by path of the workspace's results.
    """
    known = {path.name: read_entry(path) for path in sorted(folder.glob("*.parquet"))}
    for scoring in scorings:
        hashes = [scoring.outputs[path] for path in SCORES]
        name = trial_name(scoring.forecast, hashes, scoring.settings)
        trial = noted_trial(repo, scoring, makers, here) if name not in known else None
        if trial:
            known[name] = Known(trial, scoring.noted_ns)
            enter(folder, known[name])

    def order(each: Known) -> tuple[int, int]:
        scores = dict(zip(SCORES, each.trial.scores, strict=True))
        return -len(here.items() & scores.items()), -each.scored_ns

    # Age alone won't do: what the run cache serves again isn't entered again.
    return sorted(known.values(), key=order)


def read_entry(path: Path) -> Known:
    """A trial of the ledger."""
    with as_written(path):
        trial = read_trial(path)
    return Known(trial, path.stat().st_mtime_ns)


def enter(folder: Path, known: Known) -> None:
    """Enter a trial into the ledger under the time at which it was scored; say so if that fails."""
    try:
        os.utime(write_trial(folder, known.trial), ns=(known.scored_ns, known.scored_ns))
    except OSError as error:
        print(
            f"warning: {folder} must be a folder that can be written to, or else `dvc gc` takes a try that "
            f"DVC's run cache alone knows; received: {error}.",
            file=sys.stderr,
        )


def counted_here(known: Iterable[Known], scores: str) -> list[Trial]:
    """The trials on the same test as the one whose table by time has that hash; none if it isn't known."""
    trials = once(known)
    current = next((trial for trial in trials if trial.scores[0] == scores), None)
    return [trial for trial in trials if current is not None and same_test(trial, current)]


def once(known: Iterable[Known]) -> list[Trial]:
    """Each trial once: the first of its scores."""
    trials: dict[Identity, Trial] = {}
    for each in known:
        trials.setdefault(each.trial.identity, each.trial)
    return list(trials.values())

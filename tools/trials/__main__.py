"""How much of the best result is luck? All that was tried on one test: `python -m tools.trials`.

Whoever tries twenty settings finds one with p < .05. This lays side by side what was scored on the very
rows of results/by_time.parquet. It reads them from the ledger (.cache/trials/, where `dvc gc` takes
nothing), where evaluate enters each result, and from DVC's run cache. What only the run cache has, for
example another machine's runs, is added to the ledger.

A forecast is a data/predictions.parquet with its data/labels, and counts once in Holm's adjustment, however
often it was made or scored. A trial is a forecast traded by one setting of the strategy (evaluate.*, less
what the bootstrap alone uses), and counts once in the deflated Sharpe ratio and the probability of
overfitting. Of one that was scored more than once, say by other code, the run that wrote
results/by_time.parquet is shown, or else the newest. A trial has the names of the experiments that hold it,
and HEAD, if it is what is committed.

Forecasts on other rows of the same market, as another label.horizon, split.test_bars or an hour of
fetch.end make them, or with a symbol more or less, are told by their number alone. Other symbols and
timeframes are other tests, and not mentioned. Where DVC notes that a forecast was scored, but the scores
are gone, the report says so. Not seen at all: what was scored on other machines or in other clones (`dvc
pull --run-cache` brings what was pushed), and what a ledger held that was deleted.
"""

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd

from stages.common.errors import InputError, run
from stages.evaluate.ledger import SCORES, Trial, md5
from stages.evaluate.subject import Settings
from tools.trials.cache import StageRun
from tools.trials.known import counted_here, once, read_here
from tools.trials.names import names_of, read_experiments, read_head
from tools.trials.overlap import overlaps
from tools.trials.table import Beside, report
from tools.workspace import open_repo


def main() -> None:
    """Print the table of trials, and what the best of them is worth."""
    argparse.ArgumentParser(prog="python -m tools.trials", description=__doc__).parse_args()
    with open_repo() as repo:
        if not Path(SCORES[0]).is_file():
            raise InputError(f"{SCORES[0]} must exist: dvc repro or dvc checkout brings it; received none.")
        here = {path: md5(Path(path)) for path in SCORES if Path(path).is_file()}
        known, scorings = read_here(repo, here)
        experiments = read_experiments(repo)
    trials = once(known)
    counted = counted_here(known, here[SCORES[0]])
    if not counted:
        raise InputError(
            f"the ledger or DVC's run cache must hold the run that wrote {SCORES[0]} (dvc repro --force "
            "evaluate enters it); received none."
        )
    current = next(trial for trial in counted if trial.scores[0] == here[SCORES[0]])
    names = names_of(read_head() | experiments, [each.trial for each in known])
    names[current.identity].insert(0, "workspace")
    oldest_ns = min([each.scored_ns for each in known] + [scoring.noted_ns for scoring in scorings])
    n_gone_here, n_gone_elsewhere = n_gone([*scorings, *experiments.values()], trials, counted)
    beside = Beside(
        n_overlapping=n_overlapping(trials, counted, current),
        n_gone_here=n_gone_here,
        n_gone_elsewhere=n_gone_elsewhere,
        experiments=gone_names(experiments, trials),
        oldest=f"{pd.Timestamp(oldest_ns):%Y-%m-%d}",
    )
    print(report(counted, names, beside))


def n_overlapping(trials: Sequence[Trial], counted: Sequence[Trial], current: Trial) -> int:
    """Number of forecasts that were scored on some of the same days, but aren't among the counted."""
    overlapping = {trial.forecast for trial in trials if overlaps(trial, current)}
    return len(overlapping - {trial.forecast for trial in counted})


def n_gone(noted: Sequence[StageRun], trials: Sequence[Trial], counted: Sequence[Trial]) -> tuple[int, int]:
    """Numbers of forecasts whose scores are gone: of the test rows of the counted, and of others.

    `noted`: runs that scored a forecast. The same labels, cut alike, have the same test rows; others may.
    """
    known = {trial.forecast for trial in trials}
    gone = {scoring.forecast: rows_of(scoring) for scoring in noted if scoring.forecast not in known}
    tested = [rows_of(trial) for trial in counted]
    n_here = sum(rows in tested for rows in gone.values())
    return n_here, len(gone) - n_here


def rows_of(scored: StageRun | Trial) -> tuple[str, Settings]:
    """What tells test rows from others: the labels' hash, and how the folds are cut."""
    split = {key: value for key, value in scored.settings.items() if key.startswith("split.")}
    return scored.forecast[1], split


def gone_names(experiments: Mapping[str, StageRun], trials: Sequence[Trial]) -> list[str]:
    """The experiments of which no trial is known."""
    known = {trial.identity for trial in trials}
    return [name for name, scoring in experiments.items() if scoring.identity not in known]


if __name__ == "__main__":
    run(main)

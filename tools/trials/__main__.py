"""How much of the best result is luck? All that was tried on one test: `python -m tools.trials`.

Whoever tries twenty settings finds one with p < .05. This reads DVC's run cache, which notes every run of
every stage, whether by `dvc repro` or `dvc exp run`, and lays what was scored on the very rows of
results/by_time.parquet side by side.

A forecast is a data/predictions.parquet with its data/labels, and counts once in Holm's adjustment, however
often it was made or scored. A trial is a forecast traded by one setting of the strategy (evaluate.*, less
what the bootstrap alone uses), and counts once in the deflated Sharpe ratio and the probability of
overfitting. Of one that was scored more than once, say by other code, the run that wrote
results/by_time.parquet is shown, or else the newest.

Forecasts on other rows of the same market, as another label.horizon, split.test_bars or an hour of
fetch.end make them, are told by their number alone. Other symbols and timeframes are other tests, and not
mentioned. Not seen at all: runs from before there was a results/by_time.parquet, runs whose files `dvc gc`
took, and runs on other machines (`dvc pull --run-cache` brings those that were pushed).
"""

import argparse
from pathlib import Path

from dvc.exceptions import DvcException
from dvc.repo import Repo

from stages.common.errors import InputError, run
from tools.trials.cache import (
    BY_TIME,
    METRICS,
    md5,
    n_further,
    read_by_time,
    read_file,
    read_trials,
    same_test,
)
from tools.trials.table import report


def main() -> None:
    """Print the table of trials, and what the best of them is worth."""
    argparse.ArgumentParser(prog="python -m tools.trials", description=__doc__).parse_args()
    repo = open_repo()
    if not Path(BY_TIME).is_file():
        raise InputError(f"{BY_TIME} must exist: dvc repro or dvc checkout brings it; received none.")
    current = read_file(Path(BY_TIME), read_by_time)
    here = {path: md5(Path(path)) for path in (BY_TIME, METRICS) if Path(path).is_file()}
    trials = read_trials(repo, here)
    counted = [trial for trial in trials if same_test(trial.by_time, current)]
    if not any(trial.by_time.equals(current) for trial in counted):
        raise InputError(
            f"DVC's run cache must hold the run that wrote {BY_TIME} (dvc repro --force evaluate "
            "notes it); received none."
        )
    print(report(counted, n_further(trials, counted, current)))


def open_repo() -> Repo:
    """DVC's view of the working folder; InputError where it has none."""
    try:
        return Repo(".")
    except DvcException as error:
        raise InputError(
            f"the working folder must be a clone of the project; received one of which DVC says: {error}."
        ) from error


if __name__ == "__main__":
    run(main)

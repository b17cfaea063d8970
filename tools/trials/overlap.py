"""Whether two trials were tested on the same rows, or on some of the same days of a market."""

import numpy as np

from stages.evaluate.ledger import Trial, days_of

DayHashes = set[tuple[np.datetime64, str]]


def same_test(trial: Trial, other: Trial) -> bool:
    """Whether both were tested at the same times of the same market."""
    same_times = trial.by_time["close_time"].equals(other.by_time["close_time"])
    return same_times and trial.market[0] == other.market[0]


def overlaps(trial: Trial, other: Trial) -> bool:
    """Whether both were tested on some of the same days, of a symbol or of the mean of all.

    More than half of the shared days must agree, not all: with another horizon a symbol may lack a row
    beside a gap. A few equal days don't make the same market.
    """
    ours, others = day_hashes(trial), day_hashes(other)
    shared = {day for day, _ in ours} & {day for day, _ in others}
    return 2 * len({day for day, _ in ours & others}) > len(shared)


def day_hashes(trial: Trial) -> DayHashes:
    """Each market's hash of each day of the test, but for days on which it stood still."""
    days = np.unique(days_of(trial.by_time))
    return {(day, own) for market in trial.market for day, own in zip(days, market, strict=True) if own}

"""Where train, val and test are cut: at the same instants for all symbols and all tasks."""

import pandas as pd

from stages.common.errors import InputError
from stages.label.params import SplitParams

Cuts = dict[str, tuple[int, int, int]]  # of a fold: where val starts, where test starts, where test ends

HOLDOUT_SHARE = 0.15  # of val, and of test


def cut_folds(times: pd.DatetimeIndex, split: SplitParams, horizon: int, bar: pd.Timedelta) -> pd.DataFrame:
    """First and last row of each role in each fold, inclusive, purged.

    `times`: the distinct close_times of all symbols' rows, sorted. Returns columns fold, role, first,
    last: folds "1", "2", ... in order of time, with train, val and test; then `live`, whose train and
    val run up to the last row and which has no test. Where another role follows, a row leaves its own
    if its close_time + `horizon` bars reaches the first time of the other, whenever its label ended.

    Raises InputError where a role would have no rows. Source of the purge: López de Prado (2018),
    Advances in Financial Machine Learning, ch. 7.
    """
    cuts = walk_forward if split.scheme == "walk_forward" else holdout
    parts = []
    for fold, (val, test, end) in cuts(len(times), split, horizon).items():
        roles = {
            "train": ended_before(times[:val], times[val:], horizon * bar),
            "val": ended_before(times[val:test], times[test:end], horizon * bar),
            "test": times[test:end],
        }
        parts += [(fold, role, part[0], part[-1]) for role, part in roles.items() if len(part)]
    folds = pd.DataFrame(parts, columns=["fold", "role", "first", "last"])
    return folds.astype({"first": "datetime64[ms, UTC]", "last": "datetime64[ms, UTC]"})


def walk_forward(n_times: int, split: SplitParams, horizon: int) -> Cuts:
    """Consecutive tests that end with the last row, each after its val, and that after all before.

    `split.val_bars` must exceed `horizon`. Raises InputError where the first fold's train would not
    outlast the purge.
    """
    needed = split.folds * split.test_bars + split.val_bars + horizon + 1
    if n_times < needed:
        raise InputError(
            "split.folds x split.test_bars + split.val_bars must leave more than label.horizon rows to "
            f"train on, {split.folds} x {split.test_bars} + {split.val_bars} + {horizon} + 1 = {needed} "
            f"in all; received {n_times} rows."
        )
    val_bars, test_bars = split.val_bars, split.test_bars
    tests = range(n_times - split.folds * test_bars, n_times, test_bars)
    cuts = {str(fold): (test - val_bars, test, test + test_bars) for fold, test in enumerate(tests, 1)}
    return cuts | {"live": (n_times - val_bars, n_times, n_times)}


def holdout(n_times: int, split: SplitParams, horizon: int) -> Cuts:
    """One fold of 70 % train, 15 % val and 15 % test; `live` has the last 15 % as val.

    Raises InputError where val would not outlast the purge.
    """
    part = round(HOLDOUT_SHARE * n_times)
    if part <= horizon:
        raise InputError(
            f"split.scheme {split.scheme} must leave more than label.horizon rows, {horizon}, in the 15 % "
            f"of val; received {n_times} rows in all."
        )
    return {
        "1": (n_times - 2 * part, n_times - part, n_times),
        "live": (n_times - part, n_times, n_times),
    }


def ended_before(
    part: pd.DatetimeIndex, following: pd.DatetimeIndex, reach: pd.Timedelta
) -> pd.DatetimeIndex:
    """The times of `part` from which `reach` ends before the first of `following`, if there is any."""
    return part[part + reach < following[0]] if len(following) else part

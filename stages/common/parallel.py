"""One map over what splits: symbols, folds, seeds."""

from collections.abc import Callable, Sequence
from concurrent.futures.process import BrokenProcessPool
from functools import partial
from typing import TypeVar

from joblib import Parallel, delayed
from tqdm import tqdm

from stages import SETTINGS, otherwise
from stages.common.errors import InputError

Item = TypeVar("Item")
Result = TypeVar("Result")


def parallel_map(
    function: Callable[[Item], Result], items: Sequence[Item], description: str
) -> list[Result]:
    """`[function(item) for item in items]`, a process a core, with a progress bar on a terminal.

    The result doesn't depend on where it runs, so neither the number of processes nor the place is a
    parameter of a stage. A single item runs right here. Raises InputError where a process is killed.
    """
    jobs = 1 if len(items) == 1 else -1
    work = delayed(partial(as_here, function, otherwise()))
    results = Parallel(n_jobs=jobs, return_as="generator")(work(item) for item in items)
    try:
        return list(tqdm(results, total=len(items), desc=description, disable=True if jobs == 1 else None))
    except BrokenProcessPool:
        raise InputError(
            f"{description} must have the memory for a process a core, and none may be killed; "
            "received the end of one. With LOKY_MAX_CPU_COUNT=1 in the environment, a single one does all."
        ) from None


def as_here(function: Callable[[Item], Result], exceptions: dict[str, str | None], item: Item) -> Result:
    """`function(item)`, in whatever process; `exceptions`: the caller's from the settings of the processor.

    Raises InputError where the caller has none and this process has: its last bits would be others.
    """
    if otherwise() and not exceptions:
        raise InputError(
            f"every process of a stage must have the settings {SETTINGS}; received {otherwise()}."
        )
    return function(item)

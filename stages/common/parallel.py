"""One map over what splits: symbols, folds, seeds."""

from collections.abc import Callable, Sequence
from concurrent.futures.process import BrokenProcessPool
from typing import TypeVar

from joblib import Parallel, delayed
from tqdm import tqdm

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
    results = Parallel(n_jobs=jobs, return_as="generator")(delayed(function)(item) for item in items)
    try:
        return list(tqdm(results, total=len(items), desc=description, disable=True if jobs == 1 else None))
    except BrokenProcessPool:
        raise InputError(
            f"{description} must have the memory for a process a core, and none may be killed; "
            "received the end of one. With LOKY_MAX_CPU_COUNT=1 in the environment, a single one does all."
        ) from None

"""One map over what splits: symbols, folds, seeds."""

from collections.abc import Callable, Sequence
from typing import TypeVar

from joblib import Parallel, delayed
from tqdm import tqdm

Item = TypeVar("Item")
Result = TypeVar("Result")


def parallel_map(
    function: Callable[[Item], Result], items: Sequence[Item], description: str
) -> list[Result]:
    """`[function(item) for item in items]`, a process a core, with a progress bar on a terminal.

    The result doesn't depend on where it runs, so neither the number of processes nor the place is a
    parameter of a stage. A single item runs right here.
    """
    jobs = 1 if len(items) == 1 else -1
    results = Parallel(n_jobs=jobs, return_as="generator")(delayed(function)(item) for item in items)
    return list(tqdm(results, total=len(items), desc=description, disable=True if jobs == 1 else None))

"""One map over what splits: symbols, folds, seeds."""

import os
import signal
import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing import resource_tracker
from typing import TypeVar

from joblib import Parallel, delayed
from tqdm import tqdm

from stages.common.errors import InputError

Item = TypeVar("Item")
Result = TypeVar("Result")

# Said where joblib starts a process anew because it has come to hold much memory: no result is lost.
warnings.filterwarnings("ignore", "A worker stopped while some jobs were given", UserWarning)
# Said where Ctrl-C comes before the first result is asked for; `errors.run` tells that all is stopped.
warnings.filterwarnings("ignore", ".*tasks which were still being processed", UserWarning)
# Said by the process that tidies up after this one, where Ctrl-C came while this one was doing so.
os.environ.setdefault("PYTHONWARNINGS", "ignore:resource_tracker:UserWarning")


def parallel_map(
    function: Callable[[Item], Result], items: Sequence[Item], description: str
) -> list[Result]:
    """`[function(item) for item in items]`, as `parallel_results` makes them."""
    return list(parallel_results(function, items, description))


def parallel_results(
    function: Callable[[Item], Result], items: Sequence[Item], description: str
) -> Iterator[Result]:
    """`function(item)` of each item, in their order, a process a core, with a progress bar on a terminal.

    Each comes as soon as it and those before it are there. It doesn't depend on where it was made, so
    neither the number of processes nor the place is a parameter of a stage. A single item runs right here.
    Raises InputError where a process is killed.
    """
    jobs = 1 if len(items) == 1 else -1
    with without_ctrl_c():
        results = Parallel(n_jobs=jobs, return_as="generator")(delayed(function)(item) for item in items)
    try:
        yield from tqdm(results, total=len(items), desc=description, disable=True if jobs == 1 else None)
    except BrokenProcessPool:
        raise InputError(
            f"{description} must have the memory for a process a core, and none may be killed; "
            "received the end of one. With LOKY_MAX_CPU_COUNT=1 in the environment, a single one does all."
        ) from None


@contextmanager
def without_ctrl_c() -> Iterator[None]:
    """Keep Ctrl-C from the processes that start here; this one has it afterwards, and ends them.

    They would say where they were, for it takes a second until they have loaded what keeps a stage from
    that. On Windows they do: it has no signals that wait.
    """
    if sys.platform == "win32":
        yield
        return
    resource_tracker.ensure_running()  # a process that lifts the block when it is started, later on
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)

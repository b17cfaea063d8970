"""One map over what splits: symbols, columns, folds, seeds."""

import os
import signal
import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from functools import partial
from multiprocessing import resource_tracker
from pathlib import Path
from typing import Any, TypeVar

import pandas as pd
from joblib import Parallel, cpu_count, delayed
from joblib.parallel import SequentialBackend, get_active_backend
from tqdm import tqdm

from stages.common import cluster
from stages.common.errors import InputError
from stages.common.tables import file_in, names_in, read_table, write_table

Result = TypeVar("Result")

# Said where joblib starts a process anew because it has come to hold much memory: no result is lost.
warnings.filterwarnings("ignore", "A worker stopped while some jobs were given", UserWarning)
# Said where Ctrl-C comes before the first result is asked for; `errors.run` tells that all is stopped.
warnings.filterwarnings("ignore", ".*tasks which were still being processed", UserWarning)
# Said by the process that tidies up after this one, where Ctrl-C came while this one was doing so.
os.environ.setdefault("PYTHONWARNINGS", "ignore:resource_tracker:UserWarning")


def parallel_map(
    function: Callable[..., Result], items: Sequence[Any], description: str, shared: Sequence[Any] = ()
) -> list[Result]:
    """`[function(item, *shared) for item in items]`, as `parallel_results` makes them."""
    return list(parallel_results(function, items, description, shared))


def parallel_results(
    function: Callable[..., Result], items: Sequence[Any], description: str, shared: Sequence[Any] = ()
) -> Iterator[Result]:
    """`function(item, *shared)` of each item, in their order, with a progress bar on a terminal.

    Each comes as soon as it and those before it are there, from a process a core; or from the workers of a
    Dask cluster, if the environment names one. `shared` is what all need: it travels once a worker. Where a
    result was made makes no difference, so neither the number of processes nor the place is a parameter of
    a stage. Raises InputError where a process is killed, or `cluster` does.
    """
    elsewhere = cluster.wanted() and not right_here()
    results_of = cluster.results_of if elsewhere else local_results
    results = results_of(function, items, shared, description)
    yield from tqdm(results, total=len(items), desc=description, disable=len(items) == 1 or None)


def local_results(
    function: Callable[..., Result], items: Sequence[Any], shared: Sequence[Any], description: str
) -> Iterator[Result]:
    """`function(item, *shared)` of each item, in order: a process a core; a single item right here."""
    jobs = 1 if len(items) == 1 else -1
    work = [delayed(function)(item, *shared) for item in items]
    with without_ctrl_c():
        results = Parallel(n_jobs=jobs, return_as="generator")(work)
    try:
        yield from results
    except BrokenProcessPool:
        raise InputError(
            f"{description} must have the memory for a process a core, and none may be killed; "
            "received the end of one. With LOKY_MAX_CPU_COUNT=1 in the environment, a single one does all."
        ) from None


def map_tables(
    work: Callable[..., tuple[pd.DataFrame, Result]],
    source: str,
    target: Path,
    description: str,
    shared: Sequence[Any] = (),
) -> Iterator[tuple[str, Result]]:
    """Put each symbol's table of one folder through `work`, and the tables that it makes in another.

    `work(symbol, table, *shared)` gives a table, and what else there is to say of the symbol, which comes
    from here with its name. Each table is read and written by the process that works on it: none holds
    those of two symbols. Raises InputError as `names_in`, `read_table` and `work` do.
    """
    symbols = names_in(source)
    map_one = partial(map_table, work, Path(source).absolute(), target.absolute())
    yield from zip(symbols, parallel_results(map_one, symbols, description, shared), strict=True)


def map_table(
    work: Callable[..., tuple[pd.DataFrame, Result]], source: Path, target: Path, symbol: str, *shared: Any
) -> Result:
    """What `map_tables` does with a symbol."""
    if not target.is_dir():
        raise InputError(f"every worker must see the same folders; received one that has no {target}.")
    made, said = work(symbol, read_table(file_in(source, symbol)), *shared)
    write_table(file_in(target, symbol), made)
    return said


def right_here() -> bool:
    """Whether joblib.parallel_config("sequential") is in force, as it is within a task."""
    backend, _ = get_active_backend()
    return isinstance(backend, SequentialBackend)


def n_places() -> int:
    """How many tasks run at the same time: one a core, or one a worker of the cluster."""
    return cluster.n_workers() if cluster.wanted() else int(cpu_count())


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

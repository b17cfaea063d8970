"""What splits, on a Dask cluster in place of this machine: the same results, or one line that says why not.

No stage lists this file: it changes no output. docs/scaling.md shows how to start a cluster.
"""

import hashlib
import logging
import os
import platform
import socket
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import CancelledError
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

from joblib import parallel_config

import stages
from stages.common.environment import PACKAGES
from stages.common.errors import InputError, printable, shown

VARIABLE = "DASK_SCHEDULER_ADDRESS"  # Dask's own name for it
SECONDS = 10  # within which a scheduler must answer
AHEAD = 2  # tasks that a worker has or is about to have: enough to keep it at work

Result = TypeVar("Result")


def wanted() -> bool:
    """Whether the environment names a cluster."""
    return bool(os.environ.get(VARIABLE))


def place_of_scheduler() -> tuple[str, int]:
    """Host and port of the scheduler. Raises InputError unless it can be reached."""
    address = os.environ.get(VARIABLE, "")
    try:
        parts = urlsplit(address)
        if parts.scheme not in {"tcp", "tls"} or not parts.hostname or not parts.port:
            raise ValueError("no address of that form")
        # Dask itself would try for long where nobody listens.
        with socket.create_connection((parts.hostname, parts.port), timeout=SECONDS):
            return parts.hostname, parts.port
    except (OSError, ValueError) as error:
        raise unanswered(error) from None


def unanswered(error: Exception) -> InputError:
    """What to say where no scheduler answers."""
    return InputError(
        f"{VARIABLE} must be that of a scheduler which answers, as tcp://10.0.0.1:8786; "
        f"received {shown(os.environ.get(VARIABLE, ''))}: {printable(str(error).rstrip('.: '))}."
    )


def results_of(
    function: Callable[..., Result], items: Sequence[Any], shared: Sequence[Any], description: str
) -> Iterator[Result]:
    """`function(item, *shared)` of each item, in their order, as soon as those before it are there.

    `shared` travels once to each worker. A task whose worker has ended is given to another one. Raises
    InputError unless the scheduler answers, each worker is as this process is, and one of them is left.
    """
    with connected() as client:
        check(client)
        there = client.scatter(list(shared), broadcast=True) if shared else []
        expected = facts()
        waiting = deque(items)
        started: deque[Any] = deque()
        try:
            while waiting or started:
                while waiting and len(started) < AHEAD * max(len(workers(client)), 1):
                    started.append(
                        client.submit(as_here, expected, function, waiting.popleft(), *there, pure=False)
                    )
                yield started.popleft().result()
        except (CancelledError, OSError, killed()) as error:
            if isinstance(error, OSError) and error.errno:
                raise  # of the task's own
            raise InputError(
                f"{description} must keep its scheduler and a worker, with the memory for a task; "
                "received the end of too many."
            ) from None


def connected() -> Any:
    """A client of the scheduler. Raises InputError where there is none."""
    place_of_scheduler()
    try:
        from distributed import Client, Security  # noqa: PLC0415  (it takes a second, and few have a cluster)
    except ImportError:
        raise InputError(
            f"{VARIABLE} must be unset, or the extra `cluster` be installed; received none."
        ) from None
    for name in ("distributed", "distributed.client"):
        logging.getLogger(name).setLevel(logging.CRITICAL)  # what can be mended is said here
    address = os.environ[VARIABLE]
    try:
        # Of these two a client would say more than a line, and at its end wait for long.
        security = Security()
        if address.startswith("tls:") and security.get_connection_args("client")["ssl_context"] is None:
            raise ValueError("no certificate of this side (docs/scaling.md)")
        if security.require_encryption and not address.startswith("tls:"):
            raise ValueError("Dask's configuration requires encryption")
        return Client(address, timeout=SECONDS, set_as_default=False)
    except (OSError, RuntimeError, ValueError) as error:
        raise unanswered(error) from None


def killed() -> type[Exception]:
    """What Dask raises where the workers that had a task have ended, one after the other."""
    from distributed import KilledWorker  # noqa: PLC0415

    found: type[Exception] = KilledWorker
    return found


def n_workers() -> int:
    """How many workers there are."""
    with connected() as client:
        return len(workers(client))


def workers(client: Any) -> dict[str, Any]:
    """What the scheduler knows of each worker, by its address."""
    found: dict[str, Any] = client.scheduler_info(n_workers=-1)["workers"]
    return found


def check(client: Any) -> None:
    """Raise InputError unless there is a worker, and each of them is as this process is."""
    known = workers(client)
    if not known:
        raise InputError(
            f"{VARIABLE} must be that of a scheduler with workers; received none (`make worker`)."
        )
    for place, worker in known.items():
        if worker["nthreads"] != 1:
            raise InputError(
                "workers must have one thread each, as `make worker` starts them; "
                f"received {worker['nthreads']} at {place}."
            )
    for place, found in client.run(facts, on_error="return").items():
        if isinstance(found, BaseException):
            raise InputError(
                "workers must be started in a checkout of this project, with all that it needs "
                f"(`make worker`); received one at {place} that lacks it: {printable(repr(found))}."
            )
        check_same(facts(), found, place)


def check_same(here: dict[str, str], there: dict[str, str], place: str) -> None:
    """Raise InputError where a worker's facts are others, for then its results may be."""
    for name, value in here.items():
        if there.get(name) != value:
            raise InputError(
                f"workers must have the same {name} as this process, {value}; "
                f"received {there.get(name)} at {place}."
            )


@cache
def facts() -> dict[str, str]:
    """What results depend on besides their input: versions, settings of the processor, the code."""
    promised = {"promise of the same bytes": str(stages.same_bytes_promised())}
    settings = {name: shown(value) for name, value in stages.in_force().items()}
    versions = {package: version(package) for package in PACKAGES}
    return {"Python": platform.python_version()} | versions | promised | settings | {"code": code()}


def code() -> str:
    """A checksum of the project's modules, in hexadecimal digits, shortened."""
    root = Path(stages.__file__).parents[1]
    digest = hashlib.sha256()
    for path in sorted(path for folder in ("stages", "tools") for path in (root / folder).rglob("*.py")):
        digest.update(path.relative_to(root).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()[:12]


def as_here(expected: dict[str, str], function: Callable[..., Result], item: Any, *shared: Any) -> Result:
    """`function(item, *shared)` in a worker, which may have come after all were asked."""
    check_same(expected, facts(), platform.node())
    with parallel_config("sequential"):  # a task has no tasks of its own elsewhere
        return function(item, *shared)

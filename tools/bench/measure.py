"""What a command costs, all its processes together: seconds of processor and of clock, the most memory."""

import os
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import psutil

import stages
from stages.common.errors import InputError
from tools.commands import reason

ROOT = Path(__file__).parents[2]
LOOK_EVERY = 0.03  # seconds
TIMES = 3


class Cost(NamedTuple):
    """`cpu` and `wall` in seconds; `memory` in bytes, resident."""

    cpu: float
    wall: float
    memory: float


def environment_of(scratch: Path) -> dict[str, str]:
    """That of a command: this process' own, with each module compiled once for all of them."""
    unset = {*stages.SETTINGS, "PYTHONDONTWRITEBYTECODE"}
    own = {name: value for name, value in os.environ.items() if name not in unset}
    return own | {"PYTHONPYCACHEPREFIX": str(scratch / "bytecode")}


def seconds(work: Callable[[], object]) -> float:
    """Of processor, in this process: the least of some times, after one that doesn't count."""
    work()
    spent = []
    for _ in range(TIMES):
        begin = time.process_time()
        work()
        spent.append(time.process_time() - begin)
    return min(spent)


def cost_of(command: Sequence[str], folder: Path, environment: Mapping[str, str]) -> Cost:
    """Run a command in a folder and look at its processes as it runs.

    What they share counts once for each. Raises InputError where the command fails, with its reason.
    """
    begin, most = time.perf_counter(), 0.0
    seconds: dict[tuple[int, float], float] = {}  # of each process that there was, by number and start
    with subprocess.Popen(  # noqa: S603
        command, cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as started:
        parent = psutil.Process(started.pid)
        while started.poll() is None:
            most = max(most, look(parent, seconds))
            time.sleep(LOOK_EVERY)
        wall = time.perf_counter() - begin
        log, _ = started.communicate()
    if started.returncode:
        raise InputError(f"`{' '.join(command)}` must succeed; received: {reason(log)}")
    return Cost(sum(seconds.values()), wall, most)


def look(parent: psutil.Process, seconds: dict[tuple[int, float], float]) -> float:
    """Memory of a process and all that come of it, now; notes how long each has worked so far."""
    memory = 0.0
    try:
        family = [parent, *parent.children(recursive=True)]
    except psutil.NoSuchProcess:
        return memory
    for process in family:
        try:
            times = process.cpu_times()
            seconds[process.pid, process.create_time()] = times.user + times.system
            memory += process.memory_info().rss
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue
    return memory

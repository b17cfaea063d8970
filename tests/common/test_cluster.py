"""On a Dask cluster of this machine: the same results as without one, or one line that says why not."""

import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import psutil
import pytest

from stages.common import cluster
from stages.common.cluster import VARIABLE, check_same, facts
from stages.common.errors import InputError
from tests.project import Project

MAP = """
import sys
from stages.common.errors import run
from stages.common.parallel import parallel_map
from tests.common.test_cluster import {function}

run(lambda: print(*parallel_map({function}, {items}, "work", shared=[{shared!r}])))
"""
COUNT = "from stages.common.cluster import n_workers; print(n_workers())"
STAGES = ["featurize", "label", "baseline", "train"]
OUTPUTS = [
    "data/features",
    "data/labels",
    "data/folds.parquet",
    "data/baselines",
    "data/predictions.parquet",
]


class Cluster(NamedTuple):
    """A scheduler and two workers, in the folder of a project."""

    project: Project
    scheduler: "subprocess.Popen[bytes]"
    workers: "subprocess.Popen[bytes]"

    def map(self, function: str, items: list[int], shared: str = "") -> subprocess.CompletedProcess[str]:
        """What a process prints that maps a function of this module on the cluster."""
        # One that a test has killed takes seconds to start again.
        wait_for(self.workers, lambda: self.project.try_run(sys.executable, "-c", COUNT).stdout == "2\n")
        return self.project.try_run(
            sys.executable, "-c", MAP.format(function=function, items=items, shared=shared)
        )


def squared(item: int, _shared: str) -> int:
    """Any task."""
    time.sleep(0.02)
    return item**2


def where(_item: int, _shared: str) -> int:
    """The process that a task runs in."""
    time.sleep(0.1)
    return os.getpid()


def squared_if_not_killed(item: int, mark: str) -> int:
    """The third of them ends its process, as if memory had run out there; but once."""
    if item == 3 and not Path(mark).exists():
        Path(mark).touch()
        os._exit(9)
    return squared(item, mark)


def killed_wherever_it_runs(_item: int, _shared: str) -> None:
    """Too much for each worker."""
    os._exit(9)


def refused(item: int, _shared: str) -> None:
    """A task that can't use what a user gave."""
    raise InputError(f"label.horizon must be 14; received {item}.")


def listening(process: psutil.Process) -> set[str]:
    """Addresses at which a process and those that it started can be reached."""
    found = [process, *process.children(recursive=True)]
    connections = [connection for one in found for connection in one.net_connections()]
    return {connection.laddr.ip for connection in connections if connection.status == psutil.CONN_LISTEN}


def wait_for(process: "subprocess.Popen[bytes]", so_far: Callable[[], object]) -> None:
    """Return once it is so; fail where the process ends before, or takes minutes."""
    begin = time.monotonic()
    while not so_far():
        assert process.poll() is None
        assert time.monotonic() < begin + 180
        time.sleep(0.05)


def end(process: "subprocess.Popen[bytes]") -> None:
    """End a process and those that it started."""
    for one in psutil.Process(process.pid).children(recursive=True):
        one.kill()
    process.kill()
    process.wait()


@pytest.fixture(scope="module")
def two_workers(reproduced, tmp_path_factory) -> Iterator[Cluster]:
    """On the tiny market, in a copy of its own."""
    project = reproduced.copy(tmp_path_factory.mktemp("cluster"))
    shutil.copytree(Path(__file__).parents[1], project.folder / "tests", dirs_exist_ok=True)
    started = project.folder / "scheduler.json"
    scheduler = project.start(
        *(sys.executable, "-m", "tools.cluster", "scheduler"),
        *("--port", "0", "--scheduler-file", str(started)),
        log="scheduler.log",
    )
    wait_for(scheduler, lambda: started.exists() and started.read_text(encoding="utf-8").strip())
    project.environment |= {VARIABLE: json.loads(started.read_text(encoding="utf-8"))["address"]}
    workers = project.start(
        *(sys.executable, "-m", "tools.cluster", "worker"),
        *("--nworkers", "2", "--local-directory", str(project.folder / "scratch")),
    )
    wait_for(workers, lambda: project.said().count("Registered to") == 2)
    yield Cluster(project, scheduler, workers)
    end(workers)
    end(scheduler)


def test_tasks_are_done_by_the_workers(two_workers):
    """By both of them, and in the order of the items."""
    found = two_workers.map("squared", [3, 1, 2])
    assert (found.stderr, found.stdout) == ("", "9 1 4\n")

    places = set(two_workers.map("where", list(range(8))).stdout.split())
    own = psutil.Process(two_workers.workers.pid).children(recursive=True)
    assert len(places) == 2
    assert places <= {str(process.pid) for process in own}


def test_stages_give_the_same_bytes_as_without_a_cluster(two_workers, reproduced):
    """What the pipeline made on this machine alone, in one process, of one symbol and of two."""
    project, here = two_workers.project, reproduced
    for stage in STAGES:
        assert project.try_run(sys.executable, "-m", f"stages.{stage}").stderr == ""

    for output in OUTPUTS:
        whole = here.folder / output
        files = [path for path in whole.rglob("*") if path.is_file()] if whole.is_dir() else [whole]
        assert files
        for file in files:
            again = project.folder / file.relative_to(here.folder)
            assert again.read_bytes() == file.read_bytes()
            assert again.stat().st_mtime > file.stat().st_mtime


def test_a_killed_worker_changes_nothing(two_workers):
    """Its task is given to another one."""
    mark = two_workers.project.folder / "mark"

    found = two_workers.map("squared_if_not_killed", list(range(8)), str(mark))

    assert mark.exists()
    assert (found.stderr, found.stdout.split()) == ("", [str(item**2) for item in range(8)])


def test_a_task_that_is_too_much_for_each_worker_is_one_line(two_workers):
    """Its workers end, one after the other."""
    found = two_workers.map("killed_wherever_it_runs", [1, 2])

    assert found.stderr == (
        "error: work must keep its scheduler and a worker, with the memory for a task; "
        "received the end of too many.\n"
    )
    assert found.returncode == 1


def test_what_a_task_refuses_is_its_own_line(two_workers):
    """As if it had run here."""
    assert two_workers.map("refused", [7, 8]).stderr == "error: label.horizon must be 14; received 7.\n"


def test_nobody_else_can_reach_it(two_workers):
    """Neither tasks nor the pages of state that Dask serves."""
    for process in (two_workers.scheduler, two_workers.workers):
        assert listening(psutil.Process(process.pid)) == {"127.0.0.1"}


def test_workers_with_other_settings_are_refused(two_workers):
    """They would give other bytes, and so would those of other versions."""
    environment = two_workers.project.environment
    elsewhere = Project.at(two_workers.project.folder)
    elsewhere.environment = environment | {"OPENBLAS_CORETYPE": "Prescott"}

    said = two_workers._replace(project=elsewhere).map("squared", [1, 2]).stderr

    assert (
        "error: workers must have the same OPENBLAS_CORETYPE as this process, 'Prescott'; received" in said
    )


def test_workers_of_other_code_are_refused(two_workers, tmp_path):
    """A commit of this project more, or less."""
    other = two_workers.project.copy(tmp_path / "other")
    other.append("stages/label/rows.py", "# another commit\n")

    said = two_workers._replace(project=other).map("squared", [1, 2]).stderr

    assert said.startswith("error: workers must have the same code as this process")
    assert said.count("\n") == 1


@pytest.mark.parametrize("name", ["Python", "numpy", "tensorflow", "OMP_NUM_THREADS", "code"])
def test_every_fact_is_compared(name):
    """And the line names it, and where it is otherwise."""
    with pytest.raises(
        InputError, match=rf"^workers must have the same {name} as .* received 0 at tcp://a:1"
    ):
        check_same(facts(), facts() | {name: "0"}, "tcp://a:1")


@pytest.mark.parametrize(
    ("address", "reason"),
    [
        ("tcp://127.0.0.1:{free}", "refused"),
        ("tcp://nowhere.invalid:8786", "nowhere.invalid"),
        ("http://127.0.0.1:8786", "no address of that form"),
        ("127.0.0.1", "no address of that form"),
        ("tcp://127.0.0.1:port", "port"),
    ],
)
def test_a_scheduler_that_cannot_be_reached_is_one_line(monkeypatch, address, reason):
    """At once: before anything is sent."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        free = unused.getsockname()[1]
    monkeypatch.setenv(VARIABLE, address.format(free=free))

    with pytest.raises(
        InputError, match=f"^{VARIABLE} must be that of a scheduler which answers"
    ) as raised:
        cluster.place_of_scheduler()

    assert reason in str(raised.value)
    assert address.partition("{")[0] in str(raised.value)

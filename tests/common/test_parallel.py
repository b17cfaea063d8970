import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import joblib
import pandas as pd
import psutil
import pytest
from joblib import parallel_config

from stages.common.errors import InputError
from stages.common.outputs import fresh_folder
from stages.common.parallel import map_tables, parallel_map
from stages.common.tables import file_in, read_tables, write_table

SINGLE = "on a single core there is a single process"
WAIT = """
import time
from stages.common.errors import run
from stages.common.parallel import parallel_map

run(lambda: parallel_map(time.sleep, [60] * 6, "wait"))
"""

LEAVE = """
from stages.common.errors import run
from stages.common.parallel import parallel_map
from joblib.externals.loky.backend import resource_tracker

def stopped_while_tidying_up():
    parallel_map(str, [1, 2], "leave")
    resource_tracker.register("/removed-already", "semlock")
    raise KeyboardInterrupt

run(stopped_while_tidying_up)
"""


def end_elsewhere(test_process: int) -> None:
    """End the process, as the system does when memory runs out, unless it is the test's own."""
    if os.getpid() != test_process:
        os._exit(9)


@pytest.mark.skipif(joblib.cpu_count() < 2, reason=SINGLE)
def test_a_process_that_was_killed_is_one_line():
    """Most often the memory was too little: the line says so, and what helps."""
    with pytest.raises(InputError, match=r"^label must have the memory .*LOKY_MAX_CPU_COUNT=1"):
        parallel_map(end_elsewhere, [os.getpid()] * 2, "label")


@pytest.mark.skipif(joblib.cpu_count() < 2, reason=SINGLE)
@pytest.mark.skipif(sys.platform == "win32", reason="sends a signal to a group of processes")
@pytest.mark.parametrize("seconds", [0.1, 0.2, 0.4, 1.5])
def test_ctrl_c_is_one_line_of_all_processes(seconds):
    """Also of those that are just starting, and can't know yet what to say. They end with it."""
    process = subprocess.Popen(
        [sys.executable, "-c", WAIT],
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        # Tests that run in the background may ignore Ctrl-C, and so would what they start.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),  # noqa: PLW1509
    )
    parent = psutil.Process(process.pid)
    while not any("popen_loky" in " ".join(child.cmdline()) for child in parent.children()):
        assert process.poll() is None
        time.sleep(0.01)
    time.sleep(seconds)
    os.killpg(process.pid, signal.SIGINT)

    _, said = process.communicate(timeout=50)  # once all that could write there have ended

    assert said == "error: stopped.\n"
    assert process.returncode == 1


def test_what_ctrl_c_leaves_behind_is_tidied_up_without_a_word():
    """It may end a process that has removed a lock, and hasn't said so to the process that tidies up."""
    process = subprocess.run([sys.executable, "-c", LEAVE], check=False, capture_output=True, text=True)

    assert process.stderr == "error: stopped.\n"


def doubled(symbol: str, table: pd.DataFrame, factor: int) -> tuple[pd.DataFrame, tuple[str, int]]:
    """Any stage's work on a symbol."""
    return factor * table, (symbol, len(table))


@pytest.fixture
def source(tmp_path) -> str:
    """A folder with tables of three symbols, of one row, of two and of three."""
    for n_rows, symbol in enumerate(["BTC-USDT", "ETH-USDT", "SOL-USDT"], 1):
        write_table(file_in(tmp_path, symbol), pd.DataFrame({"y": [float(n_rows)] * n_rows}))
    return str(tmp_path)


def test_each_table_goes_through_the_work_and_into_the_other_folder(source):
    """What the work says besides comes with the symbol, in the order of their names."""
    with fresh_folder(Path(source) / "made") as folder:
        said = list(map_tables(doubled, source, folder, "work", shared=[2]))

    assert said == [(name, (name, n)) for n, name in enumerate(["BTC-USDT", "ETH-USDT", "SOL-USDT"], 1)]
    made = read_tables(str(Path(source) / "made"))
    assert [table["y"].tolist() for table in made.values()] == [[2.0], [4.0, 4.0], [6.0, 6.0, 6.0]]


def test_a_folder_that_a_worker_does_not_see_is_one_line(source, tmp_path):
    """As on another machine, without the storage that all must share."""
    with pytest.raises(
        InputError, match="every worker must see the same folders; received one that has no"
    ):
        list(map_tables(doubled, source, tmp_path / "elsewhere", "work", shared=[2]))


def test_a_task_within_a_task_runs_right_there(monkeypatch):
    """Even where there is a cluster: its worker would wait for itself."""
    monkeypatch.setenv("DASK_SCHEDULER_ADDRESS", "tcp://127.0.0.1:1")

    with parallel_config("sequential"):
        assert parallel_map(str, [1, 2], "work") == ["1", "2"]

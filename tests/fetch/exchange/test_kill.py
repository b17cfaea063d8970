"""fetch, killed at random moments and started again."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from threading import Event

import numpy as np
import pytest

from stages.fetch.exchange.pages import Span
from tests.fetch.conftest import ROOT
from tests.fetch.exchange.conftest import HOUR_MS, kept_spans, outputs, write_params
from tools.exchange_server import Answer, ExchangeServer, Query

STAGE = ["-m", "stages.fetch"]
# Tests that run in the background may ignore SIGINT, and so would the stage.
HEEDS_CTRL_C = [
    "-c",
    (
        "import runpy, signal; signal.signal(signal.SIGINT, signal.default_int_handler); "
        "runpy.run_module('stages.fetch', run_name='__main__')"
    ),
]
N_REQUESTS = 54  # of a whole fetch: 51 pages, and some gaps at their ends


@pytest.fixture(scope="module")
def unbroken(server: ExchangeServer, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """What fetch writes when it isn't killed."""
    folder = tmp_path_factory.mktemp("unbroken")
    process = start(folder, server)
    assert process.wait(120) == 0
    return outputs(folder)


def start(
    folder: Path,
    server: ExchangeServer,
    command: Sequence[str] = STAGE,
    timeout_ms: int = 10_000,
    log: int | None = None,
) -> subprocess.Popen[bytes]:
    """The stage, as DVC runs it, in a process of its own; 50 requests a second at most."""
    (folder / "ccxt.json").write_text(json.dumps({**server.config, "rateLimit": 50, "timeout": timeout_ms}))
    write_params(folder)
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "CCXT_CONFIG": str(folder / "ccxt.json")}
    return subprocess.Popen([sys.executable, *command], cwd=folder, env=environment, stderr=log)


@pytest.mark.parametrize(
    "seed", [0, *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(1, 20))]
)
def test_a_killed_fetch_goes_on_where_it_was(
    seed: int, server: ExchangeServer, unbroken: dict[str, bytes], tmp_path: Path
):
    """After kill -9, the next run ends with the same bytes, and asks for no window that was stored."""
    rng = np.random.default_rng(seed)
    n_before, pause = int(rng.integers(1, N_REQUESTS)), float(rng.uniform(0, 0.05))
    reached = Event()

    def klines(query: Query) -> Answer:
        if len(server.queries) >= n_before:
            reached.set()
        return server.honest_klines(query)

    server.queries.clear()
    server.klines = klines
    process = start(tmp_path, server)
    assert reached.wait(120)
    time.sleep(pause)
    process.send_signal(signal.SIGKILL)
    assert process.wait(30) == -signal.SIGKILL
    stored = kept_spans(tmp_path)
    assert not (tmp_path / "data/candles").exists()

    server.queries.clear()
    server.klines = server.honest_klines
    assert start(tmp_path, server).wait(120) == 0

    assert outputs(tmp_path) == unbroken
    for query in server.queries:
        asked = Span(int(query["startTime"]) + HOUR_MS, int(query["endTime"]) + 1 - HOUR_MS)
        assert not [span for span in stored if max(span.first, asked.first) < min(span.last, asked.last)]
    assert len(kept_spans(tmp_path)) == 51


@pytest.mark.parametrize("drips", [True, False])
def test_ctrl_c_ends_it_at_once(
    server: ExchangeServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, drips: bool
):
    """In one line that says what is missing, whether answers drip or don't come at all."""
    reached = Event()

    def klines(_: Query) -> Answer:
        reached.set()
        return Answer(" " * 1000, drip=drips, after=0 if drips else 100)

    monkeypatch.setattr(server, "klines", klines)
    process = start(tmp_path, server, HEEDS_CTRL_C, timeout_ms=200_000, log=subprocess.PIPE)
    assert reached.wait(120)
    time.sleep(0.5)
    process.send_signal(signal.SIGINT)
    _, log = process.communicate(timeout=60)  # of the hundred seconds and more that answers would take

    assert process.returncode == 1
    last = log.decode().strip().splitlines()[-1]
    assert last.startswith(
        "error: stopped. Still missing: BTC/USDT from 2018-01-01T00:00 to 2023-09-15T08:00."
    )
    assert "Traceback" not in log.decode()


def test_runs_at_once_share_what_comes(server: ExchangeServer, unbroken: dict[str, bytes], tmp_path: Path):
    """Two workers of a queue: in temporary folders, the pages in the workspace, nothing asked twice."""
    folders = [tmp_path / f".dvc/tmp/exps/standalone/tmp{number}" for number in (1, 2)]
    for folder in folders:
        folder.mkdir(parents=True)
    server.queries.clear()

    processes = [start(folder, server) for folder in folders]

    assert [process.wait(120) for process in processes] == [0, 0]
    assert [outputs(folder) for folder in folders] == [unbroken] * 2
    assert len(server.queries) < 1.5 * N_REQUESTS  # the second asks for what is in doubt, and no more
    assert len(kept_spans(tmp_path)) == 51
    assert kept_spans(folders[0]) == []

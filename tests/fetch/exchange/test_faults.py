"""A line so bad that every third answer is wrong in one way or another: what arrives is what was there."""

import json
from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from stages.fetch.__main__ import main
from stages.params import load_params
from tests.fetch.exchange.conftest import END, HOUR_MS, outputs, write_params
from tools.exchange_server import Answer, ExchangeServer, Query, as_json

TIMEOUT_MS = 2000
MOST_IN_A_ROW = 5  # for one window: fetch gives up after 8

FAULTS = (
    """
429; 429 with Retry-After; 418; 418 with Retry-After; 500; 503; reset in mid-body; time-out; a web page;
truncated JSON; wrongly empty; duplicate rows; overlapping page
""".strip()
    .replace("\n", " ")
    .split("; ")
)


class BadLine:
    """Answers of the server, spoilt at random; the draws depend on seed, window and try alone."""

    def __init__(self, server: ExchangeServer, seed: int) -> None:
        """In place of the server's own answers."""
        self.server, self.seed, self.tries = server, seed, Counter[str]()
        self.met: Counter[str] = Counter()
        server.klines = self.klines

    def klines(self, query: Query) -> Answer:
        """The true answer, or one with a fault; the candle still forming is never the same twice."""
        window = f"{query['startTime']} {query.get('endTime')}"
        self.tries[window] += 1
        rng = np.random.default_rng([self.seed, *window.encode(), self.tries[window]])
        if self.tries[window] > MOST_IN_A_ROW or rng.random() > 0.4:
            return self.true_answer(query)
        fault = str(rng.choice(FAULTS))
        if fault == "wrongly empty" and self.tries[window] > 1:
            return self.true_answer(query)
        self.met[fault] += 1
        return self.spoilt(fault, query, rng)

    def true_answer(self, query: Query) -> Answer:
        """With the candle still forming at its present price, if it is asked for."""
        answer = self.server.honest_klines(query)
        rows = [row for row in json.loads(answer.body) if row[0] >= END_MS]
        if not rows:
            return answer
        rows = json.loads(answer.body)
        for row in rows:
            if row[0] >= END_MS:
                row[4] = repr(float(row[3]) + len(self.server.queries) * 1e-6)
        return as_json(rows)

    def spoilt(self, fault: str, query: Query, rng: np.random.Generator) -> Answer:
        """What comes in place of the true answer."""
        true = self.true_answer(query)
        retry = {"Retry-After": str(rng.integers(0, 60))} if "Retry" in fault else {}
        if fault[:3] in {"429", "418", "500", "503"}:
            return as_json({"code": -1003, "msg": "no"}, int(fault[:3]))._replace(headers=retry)
        rows = json.loads(true.body)
        early = {**query, "startTime": str(int(query["startTime"]) - int(rng.integers(1, 500)) * HOUR_MS)}
        late = {**query, "endTime": str(int(query["endTime"]) + int(rng.integers(1, 500)) * HOUR_MS)}
        answers = {
            "reset in mid-body": true._replace(cut=True),
            "time-out": true._replace(after=1.5 * TIMEOUT_MS / 1000),
            "a web page": Answer("<html>Back soon</html>", content_type="text/html"),
            "truncated JSON": true._replace(body=true.body[: int(rng.integers(0, len(true.body)))]),
            "wrongly empty": Answer("[]"),
            "duplicate rows": as_json(sorted(rows + rows[: int(rng.integers(0, 300))])),
            "overlapping page": self.true_answer(early if rng.random() < 0.5 else late),
        }
        return answers[fault]


END_MS = int(pd.Timestamp(END, tz="UTC").timestamp() * 1000)


@pytest.fixture(scope="module")
def clean_outputs(server: ExchangeServer, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """What fetch writes over a line without a fault."""
    folder = tmp_path_factory.mktemp("clean")
    with pytest.MonkeyPatch.context() as monkeypatch:
        fetch_into(folder, server, monkeypatch)
    return outputs(folder)


def fetch_into(folder: Path, server: ExchangeServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run the stage in a folder."""
    monkeypatch.chdir(folder)
    Path("ccxt.json").write_text(json.dumps({**server.config, "timeout": TIMEOUT_MS}))
    monkeypatch.setenv("CCXT_CONFIG", str(folder / "ccxt.json"))
    write_params(folder)
    main(load_params())


@pytest.mark.parametrize(
    "seed", [*range(3), *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(3, 50))]
)
def test_a_bad_line_changes_no_byte(
    *,
    seed: int,
    server: ExchangeServer,
    clean_outputs: dict[str, bytes],
    waits: list[float],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
):
    """50,000 candles, gaps and all, and a receipt without a trace of what went wrong on the way."""
    line = BadLine(server, seed)

    fetch_into(tmp_path, server, monkeypatch)

    assert outputs(tmp_path) == clean_outputs
    assert line.met.total() > 20
    assert len(line.met) > 8


def test_the_clean_fetch_has_all_candles(
    server: ExchangeServer, clean_outputs: dict[str, bytes], long_market: pd.DataFrame
):
    """What the others are compared with is the market itself, less what lies behind the end."""
    receipt = json.loads(clean_outputs["receipt.json"])["symbols"]["BTC/USDT"]

    inside = long_market[long_market["open_time"] < pd.Timestamp(END_MS, unit="ms", tz="UTC")]
    assert receipt["rows"] == len(inside)
    assert [gap["missing_bars"] for gap in receipt["gaps"]] == [2, 30, 13, 1, 1, 10]

"""An exchange that is asked for ten hours of candles; and a market of 50,000, all of which are fetched."""

import json
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from stages.fetch.exchange.connection import load_markets, open_exchange
from stages.fetch.exchange.pages import Span
from stages.fetch.exchange.retries import ask
from stages.fetch.exchange.transfer import holds_rows
from tests import settings
from tests.conftest import random_candles
from tests.fetch.conftest import fetch_settings
from tests.refusals import refusal_of
from tools.exchange_server import Answer, ExchangeServer, as_json, running

N_BARS = 50_000
START, END = "2018-01-01", "2023-09-15T08:00"  # N_BARS hours
HOUR_MS = 3_600_000

HTML = Answer("<html>maintenance</html>", content_type="text/html")
BUSY = as_json({"code": -1003, "msg": "Too many requests."}, 429)

Configure = Callable[[Any], None]


@pytest.fixture
def configure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Configure:
    """`configure({"timeout": 9})` has CCXT_CONFIG name a file of these options."""

    def write(options: Any) -> None:
        path = tmp_path / "options.json"
        path.write_text(json.dumps(options))
        monkeypatch.setenv("CCXT_CONFIG", str(path))

    return write


@pytest.fixture
def exchange(exchange_server: ExchangeServer, waits: list[float]) -> Iterator[Any]:
    """Binance in ccxt, whose markets are known, and for which waiting takes no time."""
    with closing(open_exchange("binance")) as opened:
        load_markets(opened, ["BTC/USDT"])
        waits.clear()
        yield opened


def fetch(exchange: Any) -> Any:
    """Ten hours of candles, or an error."""
    return ask(
        exchange,
        lambda: exchange.fetch_ohlcv("BTC/USDT", "1h", 1_641_168_000_000, 10),
        lambda: holds_rows(exchange.last_json_response),
    )


def first_answer(server: ExchangeServer, *answers: Answer) -> None:
    """Have the server give these answers first, and then the true one."""
    left = list(answers)
    server.klines = lambda query: left.pop(0) if left else server.honest_klines(query)


def refusal(action: Callable[[], object]) -> str:
    """What it says, in one line and without an address."""
    message = refusal_of(action)
    assert "://" not in message
    return message


@pytest.fixture(scope="session")
def long_market() -> pd.DataFrame:
    """N_BARS hours less some gaps, with a hundred hours more behind the end."""
    missing = [0, 1, *range(700, 730), *range(990, 1003), 20_000, 33_333, *range(49_990, 50_002)]
    return random_candles(N_BARS + 100, missing=missing, start=START)


@pytest.fixture(scope="module")
def server(long_market: pd.DataFrame) -> Iterator[ExchangeServer]:
    """A server of the long market."""
    with running(ExchangeServer({"BTC/USDT": long_market})) as served:
        yield served


def write_params(folder: Path) -> None:
    """params.yaml that fetches the whole market from the exchange, into a folder."""
    settings.write_params({"fetch": fetch_settings(source="exchange", start=START, end=END)}, folder)


def outputs(folder: Path) -> dict[str, bytes]:
    """What fetch wrote."""
    return {path.name: path.read_bytes() for path in (folder / "data/candles").iterdir()}


def kept_spans(folder: Path) -> list[Span]:
    """The spans of time that are safely stored."""
    names = (path.stem.split("_") for path in (folder / ".cache/candles").rglob("[0-9]*_*.parquet"))
    return sorted(Span(int(first), int(last)) for first, last in names)

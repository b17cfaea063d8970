"""An exchange on this machine: the part of Binance's public API that candles are fetched through.

Tests serve candles from memory. To try `fetch.source: exchange` without a network, serve files:

    python -m tests.exchange_server BTC-USDT.parquet --port 8000
"""

import argparse
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pandas as pd

from stages.common.bars import bar_length
from stages.fetch.file import read_candles

API = "/api/v3"
MAX_ROWS, DEFAULT_ROWS = 1000, 500

Query = dict[str, str]
Answer = tuple[int, str, str]  # status, content type, body


class ExchangeServer(ThreadingHTTPServer):
    """Serves candles of one timeframe; keeps the queries for klines that it was sent.

    A test may put a function of its own in place of `klines`, to see what a bad exchange does.
    """

    daemon_threads = True

    def __init__(self, candles: dict[str, pd.DataFrame], timeframe: str = "1h", port: int = 0) -> None:
        """`candles`: the symbols, as BTC/USDT, and their tables; port 0 takes any free one."""
        super().__init__(("127.0.0.1", port), Handler)
        self.timeframe = timeframe
        self.candles = {
            symbol.replace("/", ""): to_klines(table, timeframe) for symbol, table in candles.items()
        }
        self.symbols = list(candles)
        self.queries: list[Query] = []
        self.klines: Callable[[Query], Answer] = self.honest_klines

    @property
    def config(self) -> dict[str, Any]:
        """What CCXT_CONFIG's file must hold so that ccxt asks this server, without a pause."""
        url = f"http://127.0.0.1:{self.server_port}{API}"
        return {"urls": {"api": {"public": url}}, "enableRateLimit": False, "timeout": 5000}

    def honest_klines(self, query: Query) -> Answer:
        """Rows with startTime <= open time <= endTime, the first `limit` of them."""
        if query["symbol"] not in self.candles:
            return as_json({"code": -1121, "msg": "Invalid symbol."}, HTTPStatus.BAD_REQUEST)
        if query["interval"] != self.timeframe:
            return as_json({"code": -1120, "msg": "Invalid interval."}, HTTPStatus.BAD_REQUEST)
        start, end = int(query.get("startTime", 0)), int(query.get("endTime", 2**63))
        rows = [row for row in self.candles[query["symbol"]] if start <= row[0] <= end]
        return as_json(rows[: min(int(query.get("limit", DEFAULT_ROWS)), MAX_ROWS)])

    def answer(self, path: str, query: Query) -> Answer:
        """The answer to one request."""
        if path == f"{API}/exchangeInfo":
            return as_json({"timezone": "UTC", "symbols": [market(symbol) for symbol in self.symbols]})
        if path == f"{API}/klines":
            self.queries.append(query)
            return self.klines(query)
        return as_json({"code": -1, "msg": f"No {path} here."}, HTTPStatus.NOT_FOUND)


class Handler(BaseHTTPRequestHandler):
    """Passes each request on to the server."""

    server: ExchangeServer

    def do_GET(self) -> None:
        """Answer a request."""
        url = urlsplit(self.path)
        status, content_type, body = self.server.answer(url.path, dict(parse_qsl(url.query)))
        content = body.encode()
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  # the base class's own name
        """Say nothing."""


def as_json(content: Any, status: int = HTTPStatus.OK) -> Answer:
    """A JSON answer."""
    return status, "application/json", json.dumps(content)


def to_klines(candles: pd.DataFrame, timeframe: str) -> list[list[Any]]:
    """Rows as Binance sends them: times in ms, numbers as text, columns that nobody needs."""
    bar_ms = bar_length(timeframe) // pd.Timedelta("1ms")
    candles = candles.sort_values("open_time")
    opens = candles["open_time"].to_numpy("datetime64[ms]").astype("int64").tolist()
    prices = candles[["open", "high", "low", "close", "volume"]].to_numpy("float64").tolist()
    return [
        [time, *(repr(value) for value in row), time + bar_ms - 1, "0", 0, "0", "0", "0"]
        for time, row in zip(opens, prices, strict=True)
    ]


def market(symbol: str) -> dict[str, Any]:
    """One entry of exchangeInfo, with what ccxt reads of it."""
    base, quote = symbol.split("/")
    return {
        "symbol": base + quote,
        "status": "TRADING",
        "baseAsset": base,
        "quoteAsset": quote,
        "isSpotTradingAllowed": True,
        "permissions": ["SPOT"],
        "filters": [],
    }


@contextmanager
def serve(candles: dict[str, pd.DataFrame], timeframe: str = "1h") -> Iterator[ExchangeServer]:
    """A server in a thread, on a free port."""
    with ExchangeServer(candles, timeframe) as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


def main() -> None:
    """Serve the files named on the command line, until interrupted."""
    parser = argparse.ArgumentParser(description="Serve candles as Binance does, on 127.0.0.1.")
    parser.add_argument("files", nargs="+", type=Path, help="candles, named as BTC-USDT.parquet")
    parser.add_argument("--timeframe", default="1h")
    parser.add_argument("--port", type=int, default=8000)
    arguments = parser.parse_args()
    symbols = {path.stem.replace("-", "/"): path for path in arguments.files}
    candles = {symbol: read_candles(path, symbol, "UTC") for symbol, path in symbols.items()}
    with ExchangeServer(candles, arguments.timeframe, arguments.port) as server:
        print(
            f"Serving {', '.join(symbols)}. Let CCXT_CONFIG name a file that holds:",
            json.dumps(server.config),
            sep="\n",
            flush=True,
        )
        server.serve_forever()


if __name__ == "__main__":
    main()

"""An exchange on this machine: the part of Binance's public API that candles are fetched through.

To try `fetch.source: exchange` without a network, serve files, and fetch from them:

    python -m tools.exchange_server BTC-USDT.parquet --port 8000
    CCXT_CONFIG=... python -m stages.fetch

Not through DVC: to its run cache, this is what the exchange itself said, and it would bring it back later.

Tests serve candles from memory, and let the server answer as bad exchanges do.
"""

import argparse
import json
import socket
import struct
import sys
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Event, Thread
from typing import Any, NamedTuple, TypeVar
from urllib.parse import parse_qsl, urlsplit

import pandas as pd

from stages.common.bars import bar_length
from stages.common.errors import run
from stages.fetch.file.candles import read_candles

API = "/api/v3"
MAX_ROWS, DEFAULT_ROWS = 1000, 500

Query = dict[str, str]


class Answer(NamedTuple):
    """An answer, `after` so many seconds.

    `cut`: the connection breaks in the middle of the body; `drip`: a second passes between two bytes of it.
    """

    body: str
    status: int = HTTPStatus.OK
    content_type: str = "application/json"
    headers: Mapping[str, str] = {}
    after: float = 0.0
    cut: bool = False
    drip: bool = False


class Klines(NamedTuple):
    """A symbol's candles: open times in ms, rising, and each row's JSON."""

    times: list[int]
    rows: list[str]


class ExchangeServer(ThreadingHTTPServer):
    """Serves candles of one timeframe; keeps the queries for klines that it was sent.

    A test may put a function of its own in place of `klines`, to see what a bad exchange does.
    """

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, candles: dict[str, pd.DataFrame], timeframe: str = "1h", port: int = 0) -> None:
        """`candles`: the symbols, as BTC/USDT, and their tables; port 0 takes any free one."""
        super().__init__(("127.0.0.1", port), Handler)
        self.timeframe = timeframe
        self.candles = {
            symbol.replace("/", ""): to_klines(table, timeframe) for symbol, table in candles.items()
        }
        self.symbols = list(candles)
        self.n_requests = 0
        self.queries: list[Query] = []
        self.klines: Callable[[Query], Answer] = self.honest_klines
        self.closing = Event()

    @property
    def config(self) -> dict[str, Any]:
        """What CCXT_CONFIG's file must hold so that ccxt asks this server, and hardly ever pauses."""
        url = f"http://127.0.0.1:{self.server_port}{API}"
        return {"urls": {"api": {"public": url}}, "rateLimit": 1, "timeout": 5000}

    def honest_klines(self, query: Query) -> Answer:
        """Rows with startTime <= open time <= endTime, the first `limit` of them."""
        if query["symbol"] not in self.candles:
            return as_json({"code": -1121, "msg": "Invalid symbol."}, HTTPStatus.BAD_REQUEST)
        if query["interval"] != self.timeframe:
            return as_json({"code": -1120, "msg": "Invalid interval."}, HTTPStatus.BAD_REQUEST)
        times, rows = self.candles[query["symbol"]]
        first = bisect_left(times, int(query.get("startTime", 0)))
        last = bisect_right(times, int(query.get("endTime", 2**63)))
        last = min(last, first + min(int(query.get("limit", DEFAULT_ROWS)), MAX_ROWS))
        return Answer(f"[{','.join(rows[first:last])}]")

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing where the other side has gone: whoever is killed doesn't say goodbye."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)

    def answer(self, path: str, query: Query) -> Answer:
        """The answer to one request."""
        self.n_requests += 1
        if path == f"{API}/exchangeInfo":
            return as_json({"timezone": "UTC", "symbols": [market(symbol) for symbol in self.symbols]})
        if path == f"{API}/klines":
            self.queries.append(query)
            return self.klines(query)
        return as_json({"code": -1, "msg": f"No {path} here."}, HTTPStatus.NOT_FOUND)


Server = TypeVar("Server", bound=ExchangeServer)


class Handler(BaseHTTPRequestHandler):
    """Passes each request on to the server."""

    protocol_version = "HTTP/1.1"  # connections stay open, as those of an exchange
    disable_nagle_algorithm = True
    wbufsize = -1
    server: ExchangeServer

    def do_GET(self) -> None:
        """Answer a request."""
        url = urlsplit(self.path)
        answer = self.server.answer(url.path, dict(parse_qsl(url.query)))
        self.server.closing.wait(answer.after)
        content = answer.body.encode()
        self.send_response(answer.status)
        self.send_header("Content-Type", answer.content_type)
        self.send_header("Content-Length", str(len(content)))
        for name, value in answer.headers.items():
            self.send_header(name, value)
        self.end_headers()
        if answer.cut:
            self.wfile.write(content[: len(content) // 2])
            self.reset()
        elif answer.drip:
            self.drip(content)
        else:
            self.wfile.write(content)

    def reset(self) -> None:
        """Break the connection, so that the other side sees a reset."""
        self.wfile.flush()
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close_connection = True
        self.connection.close()

    def drip(self, content: bytes) -> None:
        """Send a byte a second, as long as anyone listens."""
        with suppress(ConnectionError):
            for place in range(len(content)):
                self.wfile.write(content[place : place + 1])
                self.wfile.flush()
                if self.server.closing.wait(1.0):
                    return

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  # the base class's own name
        """Say nothing."""


def as_json(content: Any, status: int = HTTPStatus.OK) -> Answer:
    """A JSON answer."""
    return Answer(json.dumps(content), status)


def to_klines(candles: pd.DataFrame, timeframe: str) -> Klines:
    """Rows as Binance sends them: times in ms, numbers as text, columns that nobody needs."""
    bar_ms = bar_length(timeframe) // pd.Timedelta("1ms")
    candles = candles.sort_values("open_time")
    times = candles["open_time"].to_numpy("datetime64[ms]").astype("int64").tolist()
    prices = candles[["open", "high", "low", "close", "volume"]].to_numpy("float64").tolist()
    rows = [
        json.dumps([time, *(repr(value) for value in row), time + bar_ms - 1, "0", 0, "0", "0", "0"])
        for time, row in zip(times, prices, strict=True)
    ]
    return Klines(times, rows)


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
def running(server: Server) -> Iterator[Server]:
    """A server of any kind, answering from a thread of its own."""
    with server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server
        finally:
            server.closing.set()
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
    run(main)

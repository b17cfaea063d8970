"""How fast candles come from an exchange that takes 200 ms to answer.

The exchange is a process on this machine; the rate limit is the one that ccxt states for Binance's candles.
Beside fetch stands the plain loop that asks for page after page, in the same run: times depend on the
machine, their ratio hardly does.
"""

import json
import os
from collections.abc import Iterator
from contextlib import closing, contextmanager
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from time import perf_counter
from typing import Any

import ccxt
import numpy as np
import pandas as pd

from stages.common.cache import VARIABLE
from stages.fetch import stage
from stages.fetch.exchange.connection import load_markets, open_exchange
from stages.fetch.params import FetchParams
from stages.params import read_params
from tools.exchange_server import Answer, ExchangeServer, Query, running

SYMBOLS = ["BTC/USDT", "ETH/USDT"]
SECONDS_TO_ANSWER = 0.2
START, END = pd.Timestamp("2022-01-01", tz="UTC"), pd.Timestamp("2022-07-28", tz="UTC")  # 600 pages of 1m
N_SEQUENTIAL = 50  # pages of the plain loop
LIMIT = 1000


def serve_slowly(pipe: Connection) -> None:
    """Serve each of SYMBOLS; sends the options for ccxt, and when told so, when each request came."""
    open_time = pd.date_range(START, END, freq="min", inclusive="left", unit="ms")
    table = pd.DataFrame({"open_time": open_time} | dict.fromkeys(["open", "high", "low", "close"], 1.0))
    table["volume"] = np.arange(len(table), dtype="float64")
    came: list[float] = []
    with running(ExchangeServer(dict.fromkeys(SYMBOLS, table), "1m")) as server:

        def klines(query: Query) -> Answer:
            came.append(perf_counter())
            return server.honest_klines(query)._replace(after=SECONDS_TO_ANSWER)

        server.klines = klines
        pipe.send(server.config)
        pipe.recv()
    pipe.send(came)


@contextmanager
def slow_exchange(folder: Path) -> Iterator[Connection]:
    """The server in a process of its own, as ccxt's Binance, at the rate limit that ccxt states."""
    here, there = get_context("spawn").Pipe()
    process = get_context("spawn").Process(target=serve_slowly, args=(there,), daemon=True)
    process.start()
    there.close()  # so that to receive from a server that has died is an error, and doesn't wait for ever
    config = here.recv()
    del config["rateLimit"]
    path = folder / "ccxt.json"
    path.write_text(json.dumps(config), encoding="utf-8")
    os.environ["CCXT_CONFIG"] = str(path)
    yield here
    process.terminate()
    process.join()


def plain_loop(config: dict[str, Any]) -> float:
    """Candles a second of ccxt alone, asked for one page after the other."""
    exchange = ccxt.binance(config)
    exchange.options["fetchMarkets"]["types"] = ["spot"]
    exchange.load_markets()
    since, n_rows, begin = int(START.timestamp() * 1000), 0, perf_counter()
    for _ in range(N_SEQUENTIAL):
        rows = exchange.fetch_ohlcv(SYMBOLS[0], "1m", since, LIMIT)
        n_rows, since = n_rows + len(rows), rows[-1][0] + 1
    return n_rows / (perf_counter() - begin)


def fetch() -> float:
    """Candles a second of fetch, from the first import done to the last candle in the table."""
    settings = read_params()["fetch"] | {
        "source": "exchange",
        "symbols": SYMBOLS,
        "timeframe": "1m",
        "start": START.isoformat(),
        "end": END.isoformat(),
    }
    begin = perf_counter()
    tables = stage.fetch(FetchParams.model_validate(settings)).candles
    return sum(len(table) for table in tables.values()) / (perf_counter() - begin)


def most_in_a_second(came: list[float]) -> int:
    """The most requests that any second holds."""
    times = np.sort(came)
    return int((np.searchsorted(times, times + 1.0) - np.arange(len(times))).max())


def stated_limit() -> float:
    """Requests for candles a second: what ccxt says of rate limit and of the endpoint's cost."""
    with closing(open_exchange("binance")) as exchange:
        load_markets(exchange, SYMBOLS)
        taken: list[float] = []
        exchange.throttle = lambda cost=None: taken.append(exchange.rateLimit / 1000 * cost)
        exchange.fetch_ohlcv(SYMBOLS[0], "1m", int(START.timestamp() * 1000), LIMIT)
    return 1 / taken[0]


def main(scratch: Path) -> str:
    """What came out, a line a figure."""
    with slow_exchange(scratch) as server:
        limit = stated_limit()
        sequential = plain_loop(json.loads(Path(os.environ["CCXT_CONFIG"]).read_text(encoding="utf-8")))
        os.environ[VARIABLE] = str(scratch)
        begin = perf_counter()
        together = fetch()
        server.send("done")
        came = [time for time in server.recv() if time >= begin]
    rate = (len(came) - 1) / (max(came) - min(came))
    lines = [
        f"ccxt states {limit:.0f} requests a second; each is answered after {SECONDS_TO_ANSWER} s",
        f"plain loop: {sequential:,.0f} candles/s",
        f"fetch: {together:,.0f} candles/s, {together / sequential:.1f} times as many",
        f"fetch: {len(came)} requests, {rate:.1f} a second, {rate / limit:.0%} of the limit",
        f"fetch: most requests in a second: {most_in_a_second(came)}",
    ]
    return "\n".join(f"- {line}" for line in lines)

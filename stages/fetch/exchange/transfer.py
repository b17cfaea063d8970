"""From a window of time to its rows: what an exchange has there, all of it and nothing else."""

import re
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import suppress
from queue import LifoQueue
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from stages.common.errors import InputError
from stages.fetch.clean import COLUMNS, check_agreement, check_grid
from stages.fetch.exchange.connection import ask, holds_rows
from stages.fetch.exchange.pacing import Pacer, StoppedError
from stages.fetch.exchange.pages import Span

Rows = list[list[Any]]  # open time in ms, open, high, low, close, volume

TOO_LONG_AGO = re.compile(r"too long ago.*?(\d+) points")  # Gate's words


class TooOldError(InputError):
    """The exchange has its latest candles only: to ask it again is no use."""


class Job(NamedTuple):
    """A page to be fetched; `limit`: the rows that the exchange sends at once."""

    symbol: str
    span: Span
    limit: int


def run_all(
    work: Callable[[Any, Job], None], connections: list[Any], jobs: list[Job], pacer: Pacer
) -> Iterator[Job]:
    """Do `work(connection, job)` for every job, a thread a connection; gives each job that is done.

    When one fails, or whoever waits for them goes away, nothing more is sent.
    """
    free = LifoQueue[Any]()
    for connection in connections:
        free.put(connection)

    def do(job: Job) -> Job:
        connection = free.get()
        try:
            work(connection, job)
        except BaseException:
            pacer.stop()
            raise
        finally:
            free.put(connection)
        return job

    with ThreadPoolExecutor(len(connections)) as pool:
        try:
            for future in as_completed([pool.submit(do, job) for job in jobs]):
                with suppress(StoppedError):
                    yield future.result()
        finally:
            pacer.stop()


def rows_between(exchange: Any, job: Job, timeframe: str, now_ms: int, asked: Span) -> Rows:
    """What the exchange answers when asked for a span: it may cut it, or send more.

    Raises InputError where it can't be had, TooOldError where only the latest rows can.
    """
    until = min(asked.last, now_ms) - 1  # ccxt's is inclusive
    bar_ms = 1000 * exchange.parse_timeframe(timeframe)
    try:
        rows = ask(
            exchange,
            lambda: exchange.fetch_ohlcv(job.symbol, timeframe, asked.first, job.limit, {"until": until}),
            lambda: holds_rows(exchange.last_json_response),
        )
    except InputError as error:
        if found := TOO_LONG_AGO.search(str(error)):
            n_rows = int(found[1])
            # Less the candle still forming, and the bar before the window that is asked for as well.
            first = (now_ms // bar_ms - n_rows + 2) * bar_ms
            raise too_old(exchange, job.symbol, first, n_rows) from None
        raise
    if rows and are_the_latest(rows, job.limit, asked, now_ms, bar_ms):
        raise too_old(exchange, job.symbol, rows[0][0], len(rows))
    return rows


def are_the_latest(rows: Rows, limit: int, asked: Span, now_ms: int, bar_ms: int) -> bool:
    """Whether these are the latest rows in place of those asked for, as Kraken sends them, and lack some.

    Their number doesn't tell, for bars without trades may be left out. Of a market that began late there
    may be just as few, but not from so long ago.
    """
    first, last = rows[0][0], rows[-1][0]
    reach_ms = limit * bar_ms
    lacks_some = first > asked.first + bar_ms
    goes_on = last > max(asked.first + reach_ms, now_ms - 3 * bar_ms)
    return lacks_some and goes_on and first < now_ms - reach_ms // 2


def too_old(exchange: Any, symbol: str, first_ms: int, n_rows: int) -> TooOldError:
    """From when on the exchange has candles."""
    return TooOldError(
        f"fetch.start must be {pd.Timestamp(first_ms, unit='ms'):%Y-%m-%dT%H:%M} or later: of {symbol}, "
        f"{exchange.id} has its latest {n_rows} candles only; or take another exchange."
    )


def fetch_window(rows_of: Callable[[Span], Rows], window: Span, bar_ms: int) -> Rows:
    """All rows that an exchange has of a window, and neighbours that came along; in any order.

    Asks a bar more on both sides, for some exchanges leave out the first or the last. What lies between
    the first and the last row of an answer is settled. Before and behind, rows may be missing because
    the exchange sends no more at once: it is asked for that part, until it answers with nothing new. An
    empty answer must come twice, for some come by mistake.
    """
    found: Rows = []
    parts, came_empty = [window], set[Span]()
    while parts:
        part = parts.pop()
        rows = rows_of(Span(part.first - bar_ms, part.last + bar_ms))
        found += rows
        if rows:
            first, last = min(row[0] for row in rows), max(row[0] for row in rows)
            before = Span(part.first, min(first, part.last))
            after = Span(max(last + bar_ms, part.first), part.last)
            parts += [rest for rest in (before, after) if rest.first < rest.last and rest != part]
        elif part not in came_empty:
            came_empty.add(part)
            parts.append(part)
    return found


def to_page(rows: Rows, symbol: str, end_ms: int, bar: pd.Timedelta) -> pd.DataFrame:
    """Rows as COLUMNS, in time's order, each once, without those from `end_ms` on: they may still form.

    Raises InputError where there is something else than candles among them, or where two disagree.
    """
    try:
        values = np.array([row for row in rows if row[0] < end_ms], dtype="float64")
        page = pd.DataFrame(values.reshape(-1, len(COLUMNS)), columns=COLUMNS)
    except (LookupError, TypeError, ValueError):
        raise InputError(
            f"fetch.exchange.name must give rows of {', '.join(COLUMNS)}; of {symbol} came something else."
        ) from None
    times = pd.to_datetime(page["open_time"], unit="ms", utc=True)
    page["open_time"] = times.astype("datetime64[ms, UTC]")
    page = page.sort_values("open_time", kind="stable").drop_duplicates(ignore_index=True)
    check_grid(page, symbol, bar)
    check_agreement(page, symbol)
    return page

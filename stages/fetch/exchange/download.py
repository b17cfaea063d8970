"""Spans of time that are fetched and kept, page by page, many at a time."""

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, closing, suppress
from functools import partial
from queue import Empty, SimpleQueue
from typing import Any

import pandas as pd

from stages.common.bars import bar_length
from stages.common.errors import InputError
from stages.common.outputs import clear_scraps
from stages.fetch.clean import DisagreementError, check_agreement
from stages.fetch.exchange.complaints import one_line_errors
from stages.fetch.exchange.connection import check_known, load_markets, open_exchange, twin
from stages.fetch.exchange.doubt import joined
from stages.fetch.exchange.headers import clock_of
from stages.fetch.exchange.pacing import Pacer, StoppedError
from stages.fetch.exchange.pages import (
    Folders,
    Span,
    Spans,
    kept_spans,
    length,
    missing_spans,
    read_pages,
    write_page,
)
from stages.fetch.exchange.plan import PageRequest, plan
from stages.fetch.exchange.progress import progress_bar
from stages.fetch.exchange.retries import HopelessError
from stages.fetch.exchange.transfer import TooOldError, fetch_window, rows_between, to_page
from stages.fetch.exchange.window import check_window, span_of
from stages.fetch.grid import EPOCH, MILLISECOND, UnfinishedError, check_closed
from stages.fetch.params import FetchParams

IN_FLIGHT = 24  # requests: enough for 50 a second that take half a second each
N_SHOWN = 5  # in an error
EMPTY_PAUSE_SECONDS = 1.0  # before an empty answer is asked for once more
WAKE_SECONDS = 0.2  # how late Ctrl-C may be seen


def still_missing(folders: Folders, wanted: Span) -> Spans:
    """What of the window isn't kept yet."""
    missing = {
        symbol: missing_spans(kept_spans(folder, wanted), wanted) for symbol, folder in folders.items()
    }
    return {symbol: spans for symbol, spans in missing.items() if spans}


def download(spans: Spans, folders: Folders, params: FetchParams, now: pd.Timestamp) -> None:
    """Fetch and keep spans that are missing, or pages that are kept, to be joined with what comes.

    Raises InputError, which says what is still missing, if they can't be had. A page that is kept stays
    as it is where its time is too long ago by now.
    """
    for symbol in spans:
        folders[symbol].mkdir(parents=True, exist_ok=True)
        clear_scraps(folders[symbol])
    with ExitStack() as opened:
        exchange = opened.enter_context(closing(open_exchange(params.exchange.name, Pacer())))
        load_markets(exchange, params.symbols)
        now = min(now, clock_of(exchange) or now)
        check_window(params, now)
        with one_line_errors(params.exchange.name):
            check_known(exchange, params)
            requests = plan(exchange, spans, folders, params)
        connections = [opened.enter_context(closing(twin(exchange))) for _ in requests[:IN_FLIGHT]]
        try:
            keep_pages(requests, connections, folders, params, now)
        except (DisagreementError, TooOldError, UnfinishedError):
            raise
        except InputError as error:
            missing = still_missing(folders, span_of(params))
            rest = named(missing) if isinstance(error, HopelessError) else in_words(missing)
            raise InputError(f"{error} {rest}") from None


def keep_pages(
    requests: list[PageRequest],
    connections: list[Any],
    folders: Folders,
    params: FetchParams,
    now: pd.Timestamp,
) -> None:
    """Fetch and keep all pages that are asked for, and show how far it is."""
    bar_ms = bar_length(params.timeframe) // MILLISECOND
    n_asked = sum(length(request.span) for request in requests) // bar_ms
    n_kept = max(0, len(folders) * length(span_of(params)) // bar_ms - n_asked)
    work = partial(keep_page, folders=folders, params=params, now=now)
    with progress_bar(n_kept, n_asked) as progress:
        for request in run_all(work, requests, connections):
            progress.update(length(request.span) // bar_ms)


def run_all(
    work: Callable[[PageRequest, Any], None], requests: list[PageRequest], connections: list[Any]
) -> Iterator[PageRequest]:
    """Do `work(request, connection)` for every request, a thread a connection; gives each that is done.

    When one fails, or whoever waits for them goes away, nothing more is sent.
    """
    free, pacer = list(connections), connections[0].pacer

    def do(request: PageRequest) -> PageRequest:
        connection = free.pop()
        try:
            work(request, connection)
        except BaseException:
            pacer.stop()
            raise
        finally:
            free.append(connection)
        return request

    finished: SimpleQueue[Future[PageRequest]] = SimpleQueue()
    with ThreadPoolExecutor(len(connections)) as pool:
        try:
            for request in requests:
                pool.submit(do, request).add_done_callback(finished.put)
            for _ in requests:
                with suppress(StoppedError):
                    yield next_of(finished).result()
        finally:
            pacer.stop()


def next_of(finished: SimpleQueue[Future[PageRequest]]) -> Future[PageRequest]:
    """The one that is finished first, once there is one.

    Ctrl-C may reach another thread than this one, which has to wake up now and then to see it.
    """
    while True:
        with suppress(Empty):
            return finished.get(timeout=WAKE_SECONDS)


def keep_page(
    request: PageRequest, connection: Any, folders: Folders, params: FetchParams, now: pd.Timestamp
) -> None:
    """Fetch a page, and keep it: joined with the one that was kept, if there is one."""
    folder, bar = folders[request.symbol], bar_length(params.timeframe)
    old = read_pages(folder, request.span).get(request.span) if request.kept else None
    try:
        page = fetch_page(request, connection, params, now)
    except TooOldError:
        if old is None:
            raise
        return
    check_closed(page["open_time"], params, now)
    if old is not None:
        page = joined(page, old, bar)
        check_agreement(page, request.symbol, f"; delete {folder} to have them fetched anew")
    write_page(folder, request.span, page)


def fetch_page(
    request: PageRequest, connection: Any, params: FetchParams, now: pd.Timestamp
) -> pd.DataFrame:
    """A page as the exchange has it."""
    rows_of = partial(rows_between, connection, request, params.timeframe, (now - EPOCH) // MILLISECOND)
    bar_ms = bar_length(params.timeframe) // MILLISECOND
    rows = fetch_window(rows_of, request.span, bar_ms, lambda: connection.pacer.nap(EMPTY_PAUSE_SECONDS))
    return to_page(rows, request.symbol, span_of(params).last)


def in_words(missing: Spans) -> str:
    """What is missing, for someone who will run it again."""
    if not missing:
        return "All candles have come, and are kept for the next run."
    return f"{named(missing)} What came is kept for the next run."


def named(missing: Spans) -> str:
    """The first spans that are missing, and how many more there are."""
    spans = [
        f"{symbol} from {span.first * MILLISECOND + EPOCH:%Y-%m-%dT%H:%M} "
        f"to {span.last * MILLISECOND + EPOCH:%Y-%m-%dT%H:%M}"
        for symbol, spans in missing.items()
        for span in spans
    ]
    more = f" and {len(spans) - N_SHOWN} more" if len(spans) > N_SHOWN else ""
    return f"Still missing: {', '.join(spans[:N_SHOWN])}{more}."

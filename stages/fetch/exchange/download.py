"""Spans of time that are fetched and kept, page by page, many at a time."""

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, closing, suppress
from functools import partial
from queue import Empty, SimpleQueue
from typing import Any

from stages.common.errors import InputError
from stages.common.outputs import clear_scraps
from stages.fetch.clean import DisagreementError, agreed, some_of
from stages.fetch.exchange.complaints import one_line_errors
from stages.fetch.exchange.connection import check_known, load_markets, open_exchange, twin
from stages.fetch.exchange.doubt import joined
from stages.fetch.exchange.headers import date_in
from stages.fetch.exchange.job import Job, Parts, check_window
from stages.fetch.exchange.pacing import StoppedError
from stages.fetch.exchange.pages import length, read_page, write_page
from stages.fetch.exchange.plan import PageRequest, plan
from stages.fetch.exchange.progress import progress_bar
from stages.fetch.exchange.retries import HopelessError
from stages.fetch.exchange.transfer import TooOldError, fetch_window, rows_between, to_page
from stages.fetch.grid import EPOCH, MILLISECOND, UnfinishedError, check_closed

IN_FLIGHT = 24  # requests: enough for 50 a second that take half a second each
N_SHOWN = 5  # in an error
EMPTY_PAUSE_SECONDS = 1.0  # before an empty answer is asked for once more
WAKE_SECONDS = 0.2  # how late Ctrl-C may be seen


def download(parts: Parts, job: Job) -> None:
    """Fetch and keep spans that are missing, or pages that are kept, to be joined with what comes.

    Raises InputError, which says what is still missing, if they can't be had. A page that is kept stays
    as it is where its time is too long ago by now.
    """
    for folder in {job.folders[symbol] for symbol, _ in parts}:
        folder.mkdir(parents=True, exist_ok=True)
        clear_scraps(folder)
    name = job.params.exchange.name
    with ExitStack() as opened:
        exchange = opened.enter_context(closing(open_exchange(name)))
        load_markets(exchange, job.params.symbols)
        its_now = date_in(exchange.last_response_headers, "Date")
        job = job._replace(now=min(job.now, its_now or job.now))
        check_window(job)
        with one_line_errors(name):
            check_known(exchange, job.params)
            requests = plan(exchange, parts, job)
        connections = [opened.enter_context(closing(twin(exchange))) for _ in requests[:IN_FLIGHT]]
        try:
            keep_pages(requests, connections, job)
        except (DisagreementError, TooOldError, UnfinishedError):
            raise
        except InputError as error:
            say_rest = named if isinstance(error, HopelessError) else in_words
            raise InputError(f"{error} {say_rest(job.missing())}") from None


def keep_pages(requests: list[PageRequest], connections: list[Any], job: Job) -> None:
    """Fetch and keep all pages that are asked for, and show how far it is."""
    n_asked = sum(length(request.span) for request in requests) // job.bar_ms
    n_kept = max(0, len(job.folders) * length(job.window) // job.bar_ms - n_asked)
    with progress_bar(n_kept, n_asked) as progress:
        for request in run_all(partial(keep_page, job), requests, connections):
            progress.update(length(request.span) // job.bar_ms)


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


def keep_page(job: Job, request: PageRequest, connection: Any) -> None:
    """Fetch a page, and keep it: joined with the one that was kept, if there is one."""
    folder = job.folders[request.symbol]
    old = read_page(folder, request.span)
    rows_of = partial(rows_between, connection, request, job)
    try:
        rows = fetch_window(
            rows_of, request.span, job.bar_ms, lambda: connection.pacer.nap(EMPTY_PAUSE_SECONDS)
        )
    except TooOldError:
        if old is None:
            raise
        return
    page = to_page(rows, request.symbol, job.window.last)
    check_closed(page["open_time"], job.params, job.now)
    if old is not None:
        way_out = f"; delete {folder} to have them fetched anew"
        page = agreed(joined(page, old, job.params.bar), request.symbol, way_out)
    write_page(folder, request.span, page)


def in_words(missing: Parts) -> str:
    """What is missing, for someone who will run it again."""
    if not missing:
        return "All candles have come, and are kept for the next run."
    return f"{named(missing)} What came is kept for the next run."


def named(missing: Parts) -> str:
    """The first spans that are missing, and how many more there are."""
    spans = [
        f"{symbol} from {span.first * MILLISECOND + EPOCH:%Y-%m-%dT%H:%M} "
        f"to {span.last * MILLISECOND + EPOCH:%Y-%m-%dT%H:%M}"
        for symbol, span in missing
    ]
    return f"Still missing: {some_of(spans, N_SHOWN)}."

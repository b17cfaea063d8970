"""Stretches of time that are fetched and kept, page by page, many at a time."""

import sys
from contextlib import ExitStack, closing
from functools import partial
from itertools import zip_longest
from pathlib import Path
from typing import Any

import pandas as pd
from tqdm import tqdm

from stages.common.bars import bar_length
from stages.common.errors import InputError
from stages.common.outputs import clear_scraps
from stages.common.params import nearest
from stages.fetch.clean import DisagreementError, check_agreement
from stages.fetch.exchange.complaints import one_line_errors
from stages.fetch.exchange.connection import load_markets, open_exchange, twin
from stages.fetch.exchange.doubt import joined
from stages.fetch.exchange.headers import clock_of
from stages.fetch.exchange.pacing import Pacer
from stages.fetch.exchange.pages import (
    EPOCH,
    Span,
    cut,
    kept_spans,
    lacking,
    last_candle,
    length,
    read_pages,
    write_page,
)
from stages.fetch.exchange.retries import HopelessError
from stages.fetch.exchange.transfer import Job, TooOldError, fetch_window, rows_between, run_all, to_page
from stages.fetch.exchange.window import check_window, span_of
from stages.fetch.grid import MILLISECOND, UnfinishedError, check_closed
from stages.fetch.params import FetchParams

IN_FLIGHT = 24  # requests: enough for 50 a second that take half a second each
USUAL_LIMIT = 500  # rows at once, of exchanges for which ccxt states none
N_SHOWN = 5  # in an error
LOG_SECONDS = 60.0  # between two lines of progress where no terminal is
LOG_LINE = (
    "{desc}: {n_fmt} of {total_fmt}{unit}, {percentage:.0f}%, {elapsed}, {remaining} left, {rate_fmt}\n"
)
EMPTY_PAUSE_SECONDS = 1.0  # before an empty answer is asked for once more

Folders = dict[str, Path]  # where each symbol's pages are kept
Spans = dict[str, list[Span]]  # of each symbol that has any


def still_missing(folders: Folders, wanted: Span) -> Spans:
    """What of the window isn't kept yet."""
    missing = {symbol: lacking(kept_spans(folder, wanted), wanted) for symbol, folder in folders.items()}
    return {symbol: spans for symbol, spans in missing.items() if spans}


def download(wanting: Spans, folders: Folders, params: FetchParams, now: pd.Timestamp) -> None:
    """Fetch and keep stretches that are missing, or pages that are kept, to be joined with what comes.

    Raises InputError, which says what is still missing, if they can't be had. A page that is kept stays
    as it is where its time is too long ago by now.
    """
    bar, wanted, pacer = bar_length(params.timeframe), span_of(params), Pacer()
    bar_ms = bar // MILLISECOND
    for symbol in wanting:
        folders[symbol].mkdir(parents=True, exist_ok=True)
        clear_scraps(folders[symbol])
    with ExitStack() as opened:
        exchange = opened.enter_context(closing(open_exchange(params.exchange.name, pacer)))
        load_markets(exchange, params.symbols)
        now = min(now, clock_of(exchange) or now)
        check_window(params, now)
        with one_line_errors(params.exchange.name):
            check_known(exchange, params)
            kept = {symbol: {*kept_spans(folders[symbol], wanted)} for symbol in wanting}
            jobs = plan(exchange, wanting, kept, folders, params)
        connections = [opened.enter_context(closing(twin(exchange))) for _ in jobs[:IN_FLIGHT]]

        def work(connection: Any, job: Job) -> None:
            rows_of = partial(rows_between, connection, job, params.timeframe, (now - EPOCH) // MILLISECOND)
            folder, old = folders[job.symbol], None
            if job.span in kept[job.symbol]:
                old = read_pages(folder, job.span).get(job.span)
            try:
                rows = fetch_window(rows_of, job.span, bar_ms, lambda: pacer.nap(EMPTY_PAUSE_SECONDS))
            except TooOldError:
                if old is None:
                    raise
                return
            page = to_page(rows, job.symbol, wanted.last)
            check_closed(page["open_time"], params, now)
            if old is not None:
                page = joined(page, old, bar)
                check_agreement(page, job.symbol, f"; delete {folder} to have them fetched anew")
            write_page(folder, job.span, page)

        n_asked = sum(length(job.span) for job in jobs) // bar_ms
        n_kept = max(0, len(folders) * length(wanted) // bar_ms - n_asked)
        seen = sys.stderr.isatty()
        try:
            with tqdm(
                total=n_kept + n_asked,
                initial=n_kept,
                desc="fetch",
                unit=" candles",
                mininterval=0.1 if seen else LOG_SECONDS,
                bar_format=None if seen else LOG_LINE,
            ) as progress:
                for job in run_all(work, connections, jobs, pacer):
                    progress.update(length(job.span) // bar_ms)
        except (DisagreementError, TooOldError, UnfinishedError):
            raise
        except InputError as error:
            missing = still_missing(folders, wanted)
            rest = named(missing) if isinstance(error, HopelessError) else in_words(missing)
            raise InputError(f"{error} {rest}") from None


def check_known(exchange: Any, params: FetchParams) -> None:
    """Raise InputError unless the exchange has the candles of every symbol at this timeframe."""
    if not exchange.has["fetchOHLCV"]:
        raise InputError(f"fetch.exchange.name must be an exchange with candles; received {exchange.id!r}.")
    if params.timeframe not in exchange.timeframes:
        raise InputError(
            f"fetch.timeframe must be one of {exchange.id}'s, {', '.join(exchange.timeframes)}; "
            f"received {params.timeframe!r}."
        )
    for symbol in params.symbols:
        if symbol not in exchange.markets:
            raise InputError(
                f"fetch.symbols must be markets of {exchange.id}; "
                f"received {symbol!r}{nearest(symbol.upper(), '', list(exchange.markets))}."
            )


def plan(
    exchange: Any, wanting: Spans, kept: dict[str, set[Span]], folders: Folders, params: FetchParams
) -> list[Job]:
    """The pages to be fetched: of each symbol the oldest first, so that one that can't be had shows early.

    Two rows are left for the neighbours that are asked for as well. A page that is kept stays one.
    """
    lanes, wanted, bar_ms = [], span_of(params), bar_length(params.timeframe) // MILLISECOND
    for symbol, spans in wanting.items():
        limit = exchange.feature_value(symbol, "fetchOHLCV", "limit") or USUAL_LIMIT
        lane = []
        for span in spans:
            before = Span(wanted.first, span.first)
            known = last_candle(folders[symbol], before) if length(before) else span.first - bar_ms
            pages = [span] if span in kept[symbol] else cut(span, max(1, limit - 2) * bar_ms)
            lane += [
                Job(symbol, page, limit, known if page.first == span.first else None) for page in pages
            ]
        lanes.append(lane)
    return [job for jobs in zip_longest(*lanes) for job in jobs if job]


def in_words(missing: Spans) -> str:
    """What is missing, for someone who will run it again."""
    if not missing:
        return "All candles have come, and are kept for the next run."
    return f"{named(missing)} What came is kept for the next run."


def named(missing: Spans) -> str:
    """The first stretches that are missing, and how many more there are."""
    spans = [
        f"{symbol} from {span.first * MILLISECOND + EPOCH:%Y-%m-%dT%H:%M} "
        f"to {span.last * MILLISECOND + EPOCH:%Y-%m-%dT%H:%M}"
        for symbol, spans in missing.items()
        for span in spans
    ]
    more = f" and {len(spans) - N_SHOWN} more" if len(spans) > N_SHOWN else ""
    return f"Still missing: {', '.join(spans[:N_SHOWN])}{more}."

"""Candles from any exchange that ccxt knows: what isn't kept yet is fetched, many pages at a time."""

from contextlib import ExitStack, closing
from functools import partial
from itertools import chain, zip_longest
from pathlib import Path
from typing import Any

import pandas as pd
from tqdm import tqdm

from stages.common.bars import bar_length
from stages.common.errors import InputError
from stages.common.params import nearest
from stages.common.tables import file_name
from stages.fetch.clean import MILLISECOND, MONDAY, check_agreement, grid_ms
from stages.fetch.exchange.connection import (
    endpoint_tag,
    load_markets,
    one_line_errors,
    open_exchange,
    twin,
)
from stages.fetch.exchange.pacing import Pacer
from stages.fetch.exchange.pages import Span, cut, lacking, read_pages, write_page
from stages.fetch.exchange.transfer import Job, TooOldError, fetch_window, rows_between, run_all, to_page
from stages.fetch.params import FetchParams

CACHE = Path(".cache/candles")
IN_FLIGHT = 24  # requests: enough for 50 a second that take half a second each
USUAL_LIMIT = 500  # rows at once, of exchanges for which ccxt states none
N_SHOWN = 5  # in an error
EPOCH = pd.Timestamp(0, tz="UTC")

Missing = dict[str, list[Span]]  # of each symbol that lacks any


def fetch_candles(params: FetchParams, now: pd.Timestamp | None = None) -> dict[str, pd.DataFrame]:
    """Every symbol's candles in [fetch.start, fetch.end), still to be cleaned; `now` is the clock's time.

    Raises InputError where the window isn't over, or the exchange doesn't know or doesn't answer.
    """
    now = now or pd.Timestamp.now("UTC")
    check_window(params, now)
    missing = still_missing(params)
    if missing:
        with one_line_errors(params.exchange.name):
            download(missing, params, int(now.timestamp() * 1000))
    return {symbol: assemble(symbol, params) for symbol in params.symbols}


def check_window(params: FetchParams, now: pd.Timestamp) -> None:
    """Raise InputError unless the window has candles, and all have closed, so that none can change."""
    bar = bar_length(params.timeframe)
    just_before = params.end_time - MILLISECOND
    since_open = (just_before - MONDAY) // MILLISECOND % grid_ms(bar) * MILLISECOND
    last_close = just_before - since_open + bar
    if last_close > now:
        raise InputError(
            "fetch.end must leave closed candles only, or the same setting means other candles tomorrow; "
            f"received {params.end}, and the candle before it closes at {last_close:%Y-%m-%dT%H:%M}."
        )
    wanted = span_of(params)
    if wanted.first == wanted.last:
        raise InputError(
            f"fetch.start and fetch.end must enclose a time at which a bar of {params.timeframe} opens; "
            f"received {params.start} and {params.end}."
        )


def span_of(params: FetchParams) -> Span:
    """The window, from the first time at which a bar may open to the first one at which none may."""
    grid = grid_ms(bar_length(params.timeframe)) * MILLISECOND
    first, last = (
        (MONDAY - (MONDAY - time) // grid * grid - EPOCH) // MILLISECOND
        for time in (params.start_time, params.end_time)
    )
    return Span(first, last)


def folder_of(symbol: str, params: FetchParams) -> Path:
    """Where a symbol's pages are kept."""
    return CACHE / f"{params.exchange.name}{endpoint_tag()}" / file_name(symbol) / params.timeframe


def still_missing(params: FetchParams) -> Missing:
    """What of the window isn't kept yet."""
    wanted = span_of(params)
    kept = {symbol: list(read_pages(folder_of(symbol, params), wanted)) for symbol in params.symbols}
    missing = {symbol: lacking(spans, wanted) for symbol, spans in kept.items()}
    return {symbol: spans for symbol, spans in missing.items() if spans}


def download(missing: Missing, params: FetchParams, now_ms: int) -> None:
    """Fetch and keep what is missing. Raises InputError, which says what still is, if it can't be had."""
    bar_ms = bar_length(params.timeframe) // MILLISECOND
    pacer = Pacer()
    with ExitStack() as opened:
        exchange = opened.enter_context(closing(open_exchange(params.exchange.name, pacer)))
        load_markets(exchange, params.symbols)
        check_known(exchange, params)
        jobs = plan(exchange, missing, bar_ms)
        connections = [opened.enter_context(closing(twin(exchange))) for _ in jobs[:IN_FLIGHT]]
        work = partial(fetch_page, params=params, now_ms=now_ms)
        try:
            with progress_bar(jobs, params) as progress:
                for job in run_all(work, connections, jobs, pacer):
                    progress.update((job.span.last - job.span.first) // bar_ms)
        except TooOldError:
            raise
        except InputError as error:
            raise InputError(f"{error} {in_words(still_missing(params))}") from None


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


def plan(exchange: Any, missing: Missing, bar_ms: int) -> list[Job]:
    """The pages to be fetched: of each symbol the oldest first, so that one that can't be had shows early.

    Two rows are left for the neighbours that are asked for as well.
    """
    lanes = []
    for symbol, spans in missing.items():
        limit = exchange.feature_value(symbol, "fetchOHLCV", "limit") or USUAL_LIMIT
        pages = chain.from_iterable(cut(span, max(1, limit - 2) * bar_ms) for span in spans)
        lanes.append([Job(symbol, page, limit) for page in pages])
    return [job for jobs in zip_longest(*lanes) for job in jobs if job]


def fetch_page(connection: Any, job: Job, params: FetchParams, now_ms: int) -> None:
    """Fetch a page and keep it."""
    bar = bar_length(params.timeframe)
    rows_of = partial(rows_between, connection, job, params.timeframe, now_ms)
    rows = fetch_window(rows_of, job.span, bar // MILLISECOND)
    page = to_page(rows, job.symbol, span_of(params).last, bar)
    write_page(folder_of(job.symbol, params), job.span, page)


def progress_bar(jobs: list[Job], params: FetchParams) -> "tqdm[Any]":
    """Candles of all symbols; those kept from earlier count as done, but not into rate and time left."""
    bar_ms = bar_length(params.timeframe) // MILLISECOND
    wanted = span_of(params)
    total = len(params.symbols) * (wanted.last - wanted.first) // bar_ms
    lacking_bars = sum(job.span.last - job.span.first for job in jobs) // bar_ms
    return tqdm(total=total, initial=total - lacking_bars, desc="fetch", unit=" candles", disable=None)


def in_words(missing: Missing) -> str:
    """What is missing, for someone who will run it again."""
    spans = [
        f"{symbol} from {span.first * MILLISECOND + EPOCH:%Y-%m-%dT%H:%M} "
        f"to {span.last * MILLISECOND + EPOCH:%Y-%m-%dT%H:%M}"
        for symbol, spans in missing.items()
        for span in spans
    ]
    more = f" and {len(spans) - N_SHOWN} more" if len(spans) > N_SHOWN else ""
    return f"Still missing: {', '.join(spans[:N_SHOWN])}{more}. What came is kept; run it again to go on."


def assemble(symbol: str, params: FetchParams) -> pd.DataFrame:
    """A symbol's candles from its pages; COLUMNS, in time's order.

    Raises InputError where two pages disagree about a candle.
    """
    folder, wanted = folder_of(symbol, params), span_of(params)
    candles = pd.concat(read_pages(folder, wanted).values()).drop_duplicates()
    candles = candles.sort_values("open_time", kind="stable", ignore_index=True)
    check_agreement(candles, symbol, f"; delete {folder} to have them fetched anew")
    first, last = (EPOCH + time * MILLISECOND for time in wanted)
    return candles[(candles["open_time"] >= first) & (candles["open_time"] < last)]

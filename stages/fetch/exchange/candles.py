"""Candles from any exchange that ccxt knows: what isn't kept yet is fetched, many pages at a time."""

import sys
from contextlib import ExitStack, closing
from functools import partial
from itertools import chain, zip_longest
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
from tqdm import tqdm

from stages.common.bars import bar_length
from stages.common.errors import InputError
from stages.common.params import nearest
from stages.common.tables import file_name
from stages.fetch.clean import (
    MILLISECOND,
    MONDAY,
    breaks_any,
    broken_rules,
    check_agreement,
    gaps,
    grid_ms,
)
from stages.fetch.exchange.connection import (
    clock_of,
    endpoint_tag,
    load_markets,
    one_line_errors,
    open_exchange,
    twin,
)
from stages.fetch.exchange.pacing import Pacer
from stages.fetch.exchange.pages import (
    Pages,
    Span,
    cut,
    forget_page,
    kept_spans,
    lacking,
    length,
    read_pages,
    write_page,
)
from stages.fetch.exchange.transfer import Job, TooOldError, fetch_window, rows_between, run_all, to_page
from stages.fetch.params import FetchParams

CACHE = Path(".cache/candles")
IN_FLIGHT = 24  # requests: enough for 50 a second that take half a second each
USUAL_LIMIT = 500  # rows at once, of exchanges for which ccxt states none
N_SHOWN = 5  # in an error
LOG_SECONDS = 60.0  # between two lines of progress where no terminal is
LOG_LINE = (
    "{desc}: {n_fmt} of {total_fmt}{unit}, {percentage:.0f}%, {elapsed}, {remaining} left, {rate_fmt}\n"
)
EMPTY_PAUSE_SECONDS = 1.0  # before an empty answer is asked for once more
TIME_TO_PUBLISH = pd.Timedelta("1min")  # that an exchange has for a candle that has closed
EPOCH = pd.Timestamp(0, tz="UTC")

Folders = dict[str, Path]  # where each symbol's pages are kept
Missing = dict[str, list[Span]]  # of each symbol that lacks any


def fetch_candles(params: FetchParams, now: pd.Timestamp | None = None) -> dict[str, pd.DataFrame]:
    """Every symbol's candles in [fetch.start, fetch.end), still to be cleaned; `now` is the clock's time.

    Raises InputError where the window isn't over, where the exchange doesn't know or doesn't answer, and
    where the pages can't be kept.
    """
    now = now or pd.Timestamp.now("UTC")
    check_window(params, now)
    place = CACHE / f"{params.exchange.name}{endpoint_tag(params.exchange.name)}"
    folders = {symbol: place / file_name(symbol) / params.timeframe for symbol in params.symbols}
    wanted = span_of(params)
    try:
        pages: dict[str, Pages] = {}
        for _ in range(2):  # a page that is broken shows when it is read, and is fetched anew
            if missing := still_missing(folders, wanted):
                download(missing, folders, params, now)
            pages = {symbol: read_pages(folder, wanted) for symbol, folder in folders.items()}
            if not any(lacking([*found], wanted) for found in pages.values()):
                break
        return {symbol: assemble(symbol, folders[symbol], pages.pop(symbol), params) for symbol in folders}
    except OSError as error:
        reason = f"{error.filename or CACHE}: {error.strerror}"
        raise InputError(f"{CACHE} must be a folder with room that can be written to; {reason}.") from None
    except KeyboardInterrupt:
        raise InputError(f"stopped. {in_words(still_missing(folders, wanted))}") from None


def check_window(params: FetchParams, now: pd.Timestamp) -> None:
    """Raise InputError unless the window has candles, and all are final, so that none can change."""
    bar, wanted = bar_length(params.timeframe), span_of(params)
    if wanted.first == wanted.last:
        raise InputError(
            f"fetch.start and fetch.end must enclose a time at which a bar of {params.timeframe} opens; "
            f"received {params.start} and {params.end}."
        )
    last_close = EPOCH + (wanted.last - grid_ms(bar)) * MILLISECOND + bar
    if last_close + TIME_TO_PUBLISH > now:
        raise InputError(
            "fetch.end must leave closed candles only, or the same setting means other candles tomorrow; "
            f"received {params.end}, and the candle before it closes at {last_close:%Y-%m-%dT%H:%M}."
        )


def span_of(params: FetchParams) -> Span:
    """The window, from the first time at which a bar may open to the first one at which none may."""
    grid = grid_ms(bar_length(params.timeframe)) * MILLISECOND
    first, last = (
        (MONDAY - (MONDAY - time) // grid * grid - EPOCH) // MILLISECOND
        for time in (params.start_time, params.end_time)
    )
    return Span(first, last)


def still_missing(folders: Folders, wanted: Span) -> Missing:
    """What of the window isn't kept yet."""
    missing = {symbol: lacking(kept_spans(folder, wanted), wanted) for symbol, folder in folders.items()}
    return {symbol: spans for symbol, spans in missing.items() if spans}


def download(missing: Missing, folders: Folders, params: FetchParams, now: pd.Timestamp) -> None:
    """Fetch and keep what is missing. Raises InputError, which says what still is, if it can't be had."""
    bar, wanted, pacer = bar_length(params.timeframe), span_of(params), Pacer()
    bar_ms = bar // MILLISECOND
    for symbol in missing:
        folders[symbol].mkdir(parents=True, exist_ok=True)
    with ExitStack() as opened:
        exchange = opened.enter_context(closing(open_exchange(params.exchange.name, pacer)))
        load_markets(exchange, params.symbols)
        now = min(now, clock_of(exchange) or now)
        check_window(params, now)
        with one_line_errors(params.exchange.name):
            check_known(exchange, params)
            jobs = plan(exchange, missing, bar_ms, wanted)
        connections = [opened.enter_context(closing(twin(exchange))) for _ in jobs[:IN_FLIGHT]]

        def work(connection: Any, job: Job) -> None:
            rows_of = partial(rows_between, connection, job, params.timeframe, (now - EPOCH) // MILLISECOND)
            rows = fetch_window(rows_of, job.span, bar_ms, lambda: pacer.nap(EMPTY_PAUSE_SECONDS))
            write_page(folders[job.symbol], job.span, to_page(rows, job.symbol, wanted.last, bar))

        n_bars = len(folders) * length(wanted) // bar_ms
        n_kept = n_bars - sum(length(job.span) for job in jobs) // bar_ms
        try:
            seen = sys.stderr.isatty()
            with tqdm(
                total=n_bars,
                initial=n_kept,
                desc="fetch",
                unit=" candles",
                mininterval=0.1 if seen else LOG_SECONDS,
                bar_format=None if seen else LOG_LINE,
            ) as progress:
                for job in run_all(work, connections, jobs, pacer):
                    progress.update(length(job.span) // bar_ms)
        except TooOldError:
            raise
        except InputError as error:
            raise InputError(f"{error} {in_words(still_missing(folders, wanted))}") from None


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


def plan(exchange: Any, missing: Missing, bar_ms: int, wanted: Span) -> list[Job]:
    """The pages to be fetched: of each symbol the oldest first, so that one that can't be had shows early.

    Two rows are left for the neighbours that are asked for as well.
    """
    lanes = []
    for symbol, spans in missing.items():
        limit = exchange.feature_value(symbol, "fetchOHLCV", "limit") or USUAL_LIMIT
        pages = chain.from_iterable(cut(span, max(1, limit - 2) * bar_ms) for span in spans)
        lanes.append([Job(symbol, page, limit, page.first == wanted.first) for page in pages])
    return [job for jobs in zip_longest(*lanes) for job in jobs if job]


def in_words(missing: Missing) -> str:
    """What is missing, for someone who will run it again."""
    if not missing:
        return "All candles have come, and are kept for the next run."
    spans = [
        f"{symbol} from {span.first * MILLISECOND + EPOCH:%Y-%m-%dT%H:%M} "
        f"to {span.last * MILLISECOND + EPOCH:%Y-%m-%dT%H:%M}"
        for symbol, spans in missing.items()
        for span in spans
    ]
    more = f" and {len(spans) - N_SHOWN} more" if len(spans) > N_SHOWN else ""
    return f"Still missing: {', '.join(spans[:N_SHOWN])}{more}. What came is kept for the next run."


def assemble(symbol: str, folder: Path, pages: Pages, params: FetchParams) -> pd.DataFrame:
    """A symbol's candles from its pages; COLUMNS, in time's order.

    Raises InputError where a page has gone, or two disagree about a candle.
    """
    wanted = span_of(params)
    if gone := lacking([*pages], wanted):
        raise InputError(f"{folder} must be left alone while fetch runs. {in_words({symbol: gone})}")
    rows = pa.concat_tables(pages.values()).to_pandas(ignore_metadata=True).drop_duplicates()
    rows = rows.sort_values("open_time", kind="stable", ignore_index=True)
    first, last = (EPOCH + time * MILLISECOND for time in wanted)
    candles = rows[(rows["open_time"] >= first) & (rows["open_time"] < last)]
    for span in doubtful(candles, [*pages], params):
        forget_page(folder, span)
    check_agreement(rows, symbol, f"; delete {folder} to have them fetched anew")
    return candles


def doubtful(candles: pd.DataFrame, pages: list[Span], params: FetchParams) -> list[Span]:
    """Pages that may be an exchange's mistake, good for this run, but to be asked for again by the next.

    They have no candle; or lack some at an end of the window, or more than fetch.max_gap_bars in a row; or
    have rows that are no candles.
    """
    opens, bar = candles["open_time"], bar_length(params.timeframe)
    broken = opens[breaks_any(broken_rules(candles))]
    starts, lengths = [*broken], [MILLISECOND] * len(broken)
    for gap in gaps(opens, params) if len(opens) else []:
        start = pd.Timestamp(gap["start"])
        inside = opens.iloc[0] < start < opens.iloc[-1]
        if not inside or gap["missing_bars"] > params.max_gap_bars:
            starts.append(start)
            lengths.append(gap["missing_bars"] * bar)
    first = pd.DatetimeIndex(starts, tz="UTC")
    last = first + pd.TimedeltaIndex(lengths)
    times = pd.DatetimeIndex(opens)
    found = []
    for span in pages:
        begin, end = (EPOCH + time * MILLISECOND for time in span)
        n_candles = times.searchsorted(end) - times.searchsorted(begin)
        if not n_candles or ((first < end) & (last > begin)).any():
            found.append(span)
    return found

"""Candles from any exchange that ccxt knows: what isn't kept is fetched, what is in doubt, asked again."""

from pathlib import Path

import pandas as pd

from stages.common.bars import bar_length
from stages.common.errors import InputError
from stages.common.tables import file_name
from stages.fetch.clean import DisagreementError, check_agreement
from stages.fetch.exchange.connection import endpoint_tag, open_exchange
from stages.fetch.exchange.doubt import doubtful, is_broken
from stages.fetch.exchange.download import download, in_words, still_missing
from stages.fetch.exchange.pages import (
    Folders,
    Pages,
    Span,
    all_pages,
    in_order,
    kept_spans,
    missing_spans,
    one_at_a_time,
    read_pages,
)
from stages.fetch.exchange.progress import say
from stages.fetch.exchange.window import check_window, span_of
from stages.fetch.grid import EPOCH, MILLISECOND
from stages.fetch.params import FetchParams
from stages.fetch.source import Source


def fetch_candles(params: FetchParams, now: pd.Timestamp | None = None) -> dict[str, pd.DataFrame]:
    """Every symbol's candles in [fetch.start, fetch.end), still to be cleaned; `now` is the clock's time.

    Raises InputError where the window isn't over, where the exchange doesn't know or doesn't answer, and
    where the pages can't be kept.
    """
    now = now or pd.Timestamp.now("UTC")
    check_window(params, now)
    place = all_pages() / f"{params.exchange.name}{endpoint_tag(params.exchange.name)}"
    folders = {symbol: place / file_name(symbol) / params.timeframe for symbol in params.symbols}
    wanted = span_of(params)
    try:
        with one_at_a_time(place):
            kept = {symbol: set(kept_spans(folder, wanted)) for symbol, folder in folders.items()}
            pages = complete(folders, params, now)
            pages = ask_again(pages, kept, folders, params, now)
        return {
            symbol: candles_of(pages.pop(symbol), symbol, folders[symbol], params) for symbol in folders
        }
    except OSError as error:
        reason = f"{error.filename or place}: {error.strerror}"
        raise InputError(
            f"{all_pages()} must be a folder with room that can be written to; {reason}."
        ) from None
    except KeyboardInterrupt:
        raise InputError(f"stopped. {in_words(still_missing(folders, wanted))}") from None


def check(params: FetchParams) -> None:
    """Raise InputError where there is no such exchange, or the user's options for it are none."""
    open_exchange(params.exchange.name).close()


def complete(folders: Folders, params: FetchParams, now: pd.Timestamp) -> dict[str, Pages]:
    """Each symbol's pages of the whole window; what isn't kept yet is fetched.

    Raises InputError where it can't be had.
    """
    wanted = span_of(params)
    for _ in range(2):  # a page that is broken shows when it is read, and is fetched anew
        if missing := still_missing(folders, wanted):
            download(missing, folders, params, now)
        pages = {symbol: read_pages(folder, wanted) for symbol, folder in folders.items()}
        missing = {symbol: missing_spans([*found], wanted) for symbol, found in pages.items()}
        missing = {symbol: spans for symbol, spans in missing.items() if spans}
        if not missing:
            return pages
    raise InputError(
        f"{all_pages()} must be left alone while fetch runs, and lie on a sound disk; pages that came "
        f"can't be read. {in_words(missing)}"
    )


def ask_again(
    pages: dict[str, Pages],
    kept: dict[str, set[Span]],
    folders: Folders,
    params: FetchParams,
    now: pd.Timestamp,
) -> dict[str, Pages]:
    """The pages, after those in doubt that an earlier run kept were asked for once more.

    First those at the edges of doubtful gaps; the rest of them if that has brought any candle. What was
    kept stays where nothing better comes, and if the exchange can't be asked. Raises DisagreementError.
    """
    for wide in (False, True):
        in_doubt = {}
        for symbol, found in pages.items():
            candles = cut_to_window(in_order(found.values()), params)
            spans = doubtful(found, candles, params, wide=wide)
            if again := [span for span in spans if span in kept[symbol]]:
                in_doubt[symbol] = again
        if not in_doubt:
            break
        before = n_candles(pages, params)
        try:
            download(in_doubt, folders, params, now)
        except DisagreementError:
            raise
        except InputError as error:
            say(f"fetch: candles that an earlier run may have missed can't be asked for again: {error}")
            break
        pages = complete(folders, params, now)
        if n_candles(pages, params) == before:
            break
    return pages


def n_candles(pages: dict[str, Pages], params: FetchParams) -> int:
    """In all pages of all symbols; one that two pages have counts twice."""
    bar = bar_length(params.timeframe)
    return sum(int((~is_broken(page, bar)).sum()) for found in pages.values() for page in found.values())


def candles_of(pages: Pages, symbol: str, folder: Path, params: FetchParams) -> pd.DataFrame:
    """A symbol's candles from its pages; COLUMNS, in time's order. Raises InputError where two disagree."""
    rows = in_order(pages.values())
    check_agreement(rows, symbol, f"; delete {folder} to have them fetched anew")
    return cut_to_window(rows, params)


def cut_to_window(rows: pd.DataFrame, params: FetchParams) -> pd.DataFrame:
    """Those rows that the window holds."""
    first, last = (EPOCH + time * MILLISECOND for time in span_of(params))
    return rows[(rows["open_time"] >= first) & (rows["open_time"] < last)]


SOURCE = Source(fetch_candles, check, has_order=False)

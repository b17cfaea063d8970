"""Candles from any exchange that ccxt knows: what isn't kept is fetched, what is in doubt, asked again."""

import pandas as pd

from stages.common.errors import InputError
from stages.common.tables import file_name
from stages.fetch.clean import DisagreementError, agreed
from stages.fetch.exchange.connection import endpoint_tag, open_exchange
from stages.fetch.exchange.doubt import doubtful, is_broken
from stages.fetch.exchange.download import download, in_words
from stages.fetch.exchange.job import Job, Parts, check_window
from stages.fetch.exchange.pages import Pages, all_pages, one_at_a_time, read_pages, within
from stages.fetch.exchange.progress import say
from stages.fetch.params import FetchParams
from stages.fetch.source import Source


def fetch_candles(params: FetchParams, now: pd.Timestamp | None = None) -> dict[str, pd.DataFrame]:
    """Every symbol's candles in [fetch.start, fetch.end), still to be cleaned; `now` is the clock's time.

    Raises InputError where the window isn't over, where the exchange doesn't know or doesn't answer, and
    where the pages can't be kept.
    """
    place = all_pages() / f"{params.exchange.name}{endpoint_tag(params.exchange.name)}"
    folders = {symbol: place / file_name(symbol) / params.timeframe for symbol in params.symbols}
    job = Job(params, now or pd.Timestamp.now("UTC"), folders)
    check_window(job)
    try:
        with one_at_a_time(place):
            kept = [(symbol, span) for symbol in folders for span in job.kept(symbol)]
            pages = ask_again(complete(job), kept, job)
        return {symbol: candles_of(pages.pop(symbol), symbol, job) for symbol in folders}
    except OSError as error:
        reason = f"{error.filename or place}: {error.strerror}"
        raise InputError(
            f"{all_pages()} must be a folder with room that can be written to; {reason}."
        ) from None
    except KeyboardInterrupt:
        raise InputError(f"stopped. {in_words(job.missing())}") from None


def check(params: FetchParams) -> None:
    """Raise InputError where there is no such exchange, or the user's options for it are none."""
    open_exchange(params.exchange.name).close()


def complete(job: Job) -> dict[str, Pages]:
    """Each symbol's pages of the whole window; what isn't kept yet is fetched.

    Raises InputError where it can't be had.
    """
    for _ in range(2):  # a page that is broken is removed when it is read, and is fetched anew
        if missing := job.missing():
            download(missing, job)
        pages = {symbol: read_pages(folder, job.window) for symbol, folder in job.folders.items()}
        if not (missing := job.missing()):
            return pages
    raise InputError(
        f"{all_pages()} must be left alone while fetch runs, and lie on a sound disk; pages that came "
        f"can't be read. {in_words(missing)}"
    )


def ask_again(pages: dict[str, Pages], kept: Parts, job: Job) -> dict[str, Pages]:
    """The pages, after those in doubt that an earlier run kept were asked for once more.

    First those at the edges of doubtful gaps; the rest of them if that has brought any candle. What was
    kept stays where nothing better comes, and if the exchange can't be asked. Raises DisagreementError.
    """
    for wide in (False, True):
        in_doubt = {
            (symbol, span) for symbol, found in pages.items() for span in doubtful(found, job, wide=wide)
        }
        if not (again := [part for part in kept if part in in_doubt]):
            break
        before = n_candles(pages, job)
        try:
            download(again, job)
        except DisagreementError:
            raise
        except InputError as error:
            say(f"fetch: candles that an earlier run may have missed can't be asked for again: {error}")
            break
        pages = complete(job)
        if n_candles(pages, job) == before:
            break
    return pages


def n_candles(pages: dict[str, Pages], job: Job) -> int:
    """In all pages of all symbols; one that two pages have counts twice."""
    every = [page for found in pages.values() for page in found.values()]
    return sum(int((~is_broken(page, job.params.bar)).sum()) for page in every)


def candles_of(pages: Pages, symbol: str, job: Job) -> pd.DataFrame:
    """A symbol's candles from its pages; COLUMNS, in time's order. Raises InputError where two disagree."""
    way_out = f"; delete {job.folders[symbol]} to have them fetched anew"
    return within(agreed(pd.concat(pages.values()), symbol, way_out), job.window)


SOURCE = Source(fetch_candles, check)

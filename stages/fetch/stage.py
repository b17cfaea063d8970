"""The stage as one function: settings in, tables out."""

from typing import Any, NamedTuple

import pandas as pd

from stages.common.tables import Tables
from stages.fetch.clean import clean
from stages.fetch.grid import check_closed, check_past
from stages.fetch.params import FetchParams
from stages.fetch.receipt import receipt
from stages.fetch.source import source_of


class Fetched(NamedTuple):
    """Each symbol's candles, and the receipt of all of them."""

    candles: Tables
    receipt: dict[str, Any]


def fetch(params: FetchParams, now: pd.Timestamp | None = None) -> Fetched:
    """Candles of fetch.symbols from fetch.source, cleaned; `now` is the clock's time.

    Raises InputError where they can't be had, or `finish` does.
    """
    rows = source_of(params).fetch_candles(params)
    return finish(rows, params, now or pd.Timestamp.now("UTC"))


def finish(rows: Tables, params: FetchParams, now: pd.Timestamp) -> Fetched:
    """The candles of what a source gave, and their receipt.

    Raises InputError where a row is of the future, in the window or not, and where one of the window's
    still forms: left out, it would be there the next time, and never be the true one.
    """
    source = source_of(params)
    for symbol, table in rows.items() if source.has_clock else ():
        times = table["open_time"].reset_index(drop=True)
        inside = times[times.between(params.start_time, params.end_time, inclusive="left")]
        check_closed(inside, params, now)
        check_past(times, f"of {symbol}", now)
    cleaned = {symbol: clean(rows[symbol], symbol, params) for symbol in params.symbols}
    candles = {symbol: found.candles for symbol, found in cleaned.items()}
    return Fetched(candles, receipt(cleaned, params, has_order=source.has_order))

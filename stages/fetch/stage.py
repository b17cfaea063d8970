"""The stage as one function: settings in, tables out."""

from typing import Any, NamedTuple

import pandas as pd

from stages.fetch.clean import clean
from stages.fetch.grid import check_closed, check_past
from stages.fetch.params import FetchParams
from stages.fetch.receipt import receipt
from stages.fetch.source import source_of


class Fetched(NamedTuple):
    """Each symbol's candles, and the receipt of all of them."""

    candles: dict[str, pd.DataFrame]
    receipt: dict[str, Any]


def fetch(params: FetchParams, now: pd.Timestamp | None = None) -> Fetched:
    """Candles of fetch.symbols from fetch.source, cleaned; `now` is the clock's time.

    Raises InputError where they can't be had, where a row is of the future, in the window or not, and where
    one of the window's still forms: left out, it would be there the next time, and never be the true one.
    """
    source = source_of(params)
    rows = source.fetch_candles(params)
    now = now or pd.Timestamp.now("UTC")
    for symbol, table in rows.items() if source.has_clock else ():
        times = table["open_time"].reset_index(drop=True)
        inside = times[times.between(params.start_time, params.end_time, inclusive="left")]
        check_closed(inside, params, now)
        check_past(times, f"of {symbol}", now)
    cleaned = {symbol: clean(rows[symbol], symbol, params) for symbol in params.symbols}
    candles = {symbol: found.candles for symbol, found in cleaned.items()}
    return Fetched(candles, receipt(cleaned, params, has_order=source.has_order))

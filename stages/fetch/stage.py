"""The stage as one function: settings in, tables out."""

from typing import Any, NamedTuple

import pandas as pd

from stages.fetch.clean import clean
from stages.fetch.params import FetchParams
from stages.fetch.receipt import receipt
from stages.fetch.source import source_of


class Fetched(NamedTuple):
    """Each symbol's candles, and the receipt of all of them."""

    candles: dict[str, pd.DataFrame]
    receipt: dict[str, Any]


def fetch(params: FetchParams) -> Fetched:
    """Candles of fetch.symbols from fetch.source, cleaned. Raises InputError where they can't be had."""
    source = source_of(params)
    rows = source.fetch_candles(params)
    cleaned = {symbol: clean(rows[symbol], symbol, params) for symbol in params.symbols}
    candles = {symbol: found.candles for symbol, found in cleaned.items()}
    return Fetched(candles, receipt(cleaned, params, has_order=source.has_order))

"""The newest closed candles, through the source of the pipeline."""

from typing import NamedTuple

import pandas as pd

from stages.common.bars import MONDAY
from stages.common.errors import InputError
from stages.common.tables import Tables, file_name
from stages.fetch.grid import TIME_TO_PUBLISH, UnfinishedError
from stages.fetch.params import FetchParams
from stages.fetch.receipt import content_sha256
from stages.fetch.source import source_of
from stages.fetch.stage import finish


class Newest(NamedTuple):
    """Candles since fetch.start, by symbol as its file is named, and the SHA-256 of each.

    `end`: when the newest of them closed; `stale`: whether a newer one has closed since.
    """

    candles: Tables
    sha256: dict[str, str]
    end: pd.Timestamp
    stale: bool


def newest_candles(params: FetchParams, now: pd.Timestamp, *, stale_ok: bool = False) -> Newest:
    """All candles that have closed by now, each symbol's from fetch.start on.

    Raises InputError where they can't be had; where the symbols don't end together; and, unless `stale_ok`,
    where they end more than a bar ago.
    """
    closed = closed_by(params.bar, now)
    if closed <= params.start_time:
        raise InputError(f"fetch.start must be a bar before now at least; received {params.start}.")
    try:
        found = fetched(params, closed, now)
    except UnfinishedError:  # this market's bars open later than most do, and the newest one still forms
        found = fetched(params, closed - params.bar, now)
    candles = {file_name(symbol): table for symbol, table in found.items()}
    ends = {symbol: table["open_time"].iloc[-1] + params.bar for symbol, table in found.items()}
    end = max(ends.values())
    for symbol, last in ends.items():
        if last < end:
            raise InputError(
                f"fetch.symbols must have candles up to the same close, {end:%Y-%m-%d %H:%M} UTC; "
                f"received {symbol}, which ends at {last:%Y-%m-%d %H:%M}."
            )
    stale = end + params.bar + TIME_TO_PUBLISH <= now
    if stale and not stale_ok:
        raise InputError(
            f"candles must end within a bar of now, {now:%Y-%m-%d %H:%M} UTC; received those of "
            f"fetch.source {params.source}, which end at {end:%Y-%m-%d %H:%M}: --stale-ok takes them so."
        )
    hashes = {name: content_sha256(table) for name, table in candles.items()}
    return Newest(candles, hashes, end, stale)


def fetched(params: FetchParams, end: pd.Timestamp, now: pd.Timestamp) -> Tables:
    """Candles of each symbol up to `end`, or up to the last one before that there is."""
    asked = until(params, end)
    rows = source_of(params).fetch_candles(asked)
    # A file may end long ago: what is missing since then is no gap in it.
    ends = [table["open_time"].max() + params.bar for table in rows.values() if len(table)]
    return finish(rows, until(params, min(end, max(ends, default=end))), now).candles


def closed_by(bar: pd.Timedelta, now: pd.Timestamp) -> pd.Timestamp:
    """The last close at which an exchange has had the time to publish the candle."""
    last: pd.Timestamp = MONDAY + (now - TIME_TO_PUBLISH - MONDAY) // bar * bar
    return last.as_unit("ms")


def until(params: FetchParams, end: pd.Timestamp) -> FetchParams:
    """The same settings with another fetch.end."""
    return params.model_copy(update={"end": end.isoformat()})

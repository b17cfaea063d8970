"""Which pages an exchange is asked for, and in which order."""

from itertools import zip_longest
from pathlib import Path
from typing import Any, NamedTuple

from stages.common.bars import bar_length
from stages.fetch.exchange.pages import Folders, Span, Spans, cut, kept_spans, last_candle, length
from stages.fetch.exchange.window import span_of
from stages.fetch.grid import MILLISECOND
from stages.fetch.params import FetchParams

USUAL_LIMIT = 500  # rows at once, of exchanges for which ccxt states none


class PageRequest(NamedTuple):
    """A page to be fetched, also if it is `kept`; `limit`: the rows that the exchange sends at once.

    `known`: from when to ask, in ms, to learn whether its first candles are gone, for the exchange has one
    there, or should have: the last one kept before it, or the bar before the window. None amid others.
    """

    symbol: str
    span: Span
    limit: int
    known: int | None
    kept: bool


def plan(exchange: Any, spans: Spans, folders: Folders, params: FetchParams) -> list[PageRequest]:
    """The pages to be fetched, of each symbol the oldest first: so one that can't be had shows early."""
    lanes = []
    for symbol, asked in spans.items():
        limit = exchange.feature_value(symbol, "fetchOHLCV", "limit") or USUAL_LIMIT
        lanes.append(lane(symbol, asked, limit, folders[symbol], params))
    return [request for requests in zip_longest(*lanes) for request in requests if request]


def lane(
    symbol: str, spans: list[Span], limit: int, folder: Path, params: FetchParams
) -> list[PageRequest]:
    """A symbol's pages, in time's order.

    Two rows are left for the neighbours that are asked for as well. A page that is kept stays one.
    """
    wanted, bar_ms = span_of(params), bar_length(params.timeframe) // MILLISECOND
    kept, found = kept_spans(folder, wanted), []
    for span in spans:
        before = Span(wanted.first, span.first)
        known = last_candle(folder, before) if length(before) else span.first - bar_ms
        parts = [span] if span in kept else cut(span, max(1, limit - 2) * bar_ms)
        found += [
            PageRequest(symbol, part, limit, known if part.first == span.first else None, part in kept)
            for part in parts
        ]
    return found

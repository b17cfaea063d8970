"""Which pages an exchange is asked for, and in which order."""

from collections import defaultdict
from itertools import zip_longest
from typing import Any, NamedTuple

from stages.fetch.exchange.job import Job, Parts
from stages.fetch.exchange.pages import Span, cut, last_candle, length, path_of

USUAL_LIMIT = 500  # rows at once, of exchanges for which ccxt states none


class PageRequest(NamedTuple):
    """A page to be fetched; `limit`: the rows that the exchange sends at once.

    `known`: from when to ask, in ms, to learn whether its first candles are gone, for the exchange has one
    there, or should have: the last one kept before it, or the bar before the window. None amid others.
    """

    symbol: str
    span: Span
    limit: int
    known: int | None


def plan(exchange: Any, parts: Parts, job: Job) -> list[PageRequest]:
    """The pages to be fetched, of each symbol the oldest first: so one that can't be had shows early."""
    lanes = defaultdict[str, list[PageRequest]](list)
    for symbol, span in parts:
        limit = exchange.feature_value(symbol, "fetchOHLCV", "limit") or USUAL_LIMIT
        lanes[symbol] += in_pages(symbol, span, limit, job)
    return [request for requests in zip_longest(*lanes.values()) for request in requests if request]


def in_pages(symbol: str, span: Span, limit: int, job: Job) -> list[PageRequest]:
    """A span's pages, in time's order.

    Two rows are left for the neighbours that are asked for as well. A page that is kept stays one.
    """
    folder, before = job.folders[symbol], Span(job.window.first, span.first)
    known = last_candle(folder, before) if length(before) else span.first - job.bar_ms
    longest = length(span) if path_of(folder, span).exists() else max(1, limit - 2) * job.bar_ms
    return [
        PageRequest(symbol, part, limit, known if part.first == span.first else None)
        for part in cut(span, longest)
    ]

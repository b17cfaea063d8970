"""From a window of time to its rows: what an exchange has there, all of it and nothing else."""

import re
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from stages.common.errors import InputError
from stages.fetch.clean import COLUMNS, agreed
from stages.fetch.exchange.job import Job
from stages.fetch.exchange.pages import Span, missing_spans
from stages.fetch.exchange.plan import PageRequest
from stages.fetch.exchange.retries import HopelessError, ask
from stages.fetch.grid import EPOCH, MILLISECOND

Rows = list[list[Any]]  # open time in ms, open, high, low, close, volume

TOO_LONG_AGO = re.compile(r"too long ago.*?(\d+) points")  # Gate's words


class TooOldError(HopelessError):
    """The exchange doesn't have what was asked for, or not any more."""


def rows_between(exchange: Any, request: PageRequest, job: Job, asked: Span) -> Rows:
    """What the exchange answers when asked for a span: it may cut it, or send more.

    Raises InputError where it can't be had, TooOldError where that is so because it is too long ago: where
    later candles come, past the end too, in place of the page's first ones, and again when asked from
    `known` on. If that one comes, there is a gap.
    """
    bar_ms, now_ms = job.bar_ms, (job.now - EPOCH) // MILLISECOND
    until = min(asked.last, now_ms) - 1  # ccxt's is inclusive
    known = request.known if asked.first < request.span.first else None
    for since in (asked.first, known or asked.first):
        terms = request.symbol, job.params.timeframe, since, request.limit, {"until": until}
        try:
            rows = ask(
                exchange,
                partial(exchange.fetch_ohlcv, *terms),
                lambda: holds_rows(exchange.last_json_response),
            )
        except InputError as error:
            if found := TOO_LONG_AGO.search(str(error)):
                # Less the candle still forming, and the bar before the window that is asked for as well.
                first = (now_ms // bar_ms - int(found[1]) + 2) * bar_ms
                raise too_old(exchange, request.symbol, first) from None
            raise type(error)(f"{str(error).removesuffix('.')} (asked for {request.symbol}).") from None
        late = known is not None and rows and request.span.first + bar_ms <= rows[0][0] <= now_ms
        if not (late and rows[-1][0] > until):
            return rows
    raise too_old(exchange, request.symbol, rows[0][0])


def holds_rows(answer: Any) -> bool:
    """Whether parsed JSON is a list of rows, or of a column, or has one in it; the list may be empty.

    Otherwise it is HTML, half an answer or an error, all of which ccxt takes for no rows.
    """
    if isinstance(answer, dict):
        # Kraken has a list of errors beside the rows; it is empty then, as rows may be.
        return any(holds_rows(value) for key, value in answer.items() if key not in {"error", "errors"})
    return isinstance(answer, list) and all(
        isinstance(item, int | float) or (isinstance(item, list | dict) and len(item) >= 5)
        for item in answer
    )


def too_old(exchange: Any, symbol: str, first_ms: int) -> TooOldError:
    """From when on the exchange has candles."""
    first = pd.Timestamp(first_ms, unit="ms")
    return TooOldError(
        f"fetch.start must be {first:%Y-%m-%dT%H:%M} or later for {symbol}: {exchange.id} gives no earlier "
        "candle, for it has its latest ones only or the market began then; or take another exchange."
    )


def fetch_window(
    rows_of: Callable[[Span], Rows], window: Span, bar_ms: int, pause: Callable[[], None] = lambda: None
) -> Rows:
    """All rows that an exchange has of a window, and neighbours that came along; in any order.

    Asks a bar more on both sides, for some exchanges leave out the first or the last. What lies between
    the first and the last row of an answer is settled. Before and behind, rows may be missing because
    the exchange sends no more at once: it is asked for that part, until it answers with nothing new. Such
    an answer, empty or with a neighbour alone, must come twice, a pause between: some come by mistake.
    """
    found: Rows = []
    parts, nothing_new = [window], set[Span]()
    while parts:
        part = parts.pop()
        asked = Span(part.first - bar_ms, part.last + bar_ms)
        rows = rows_of(asked)
        found += rows
        inside = [row[0] for row in rows if asked.first <= row[0] < asked.last]
        settled = [Span(min(inside), max(inside) + bar_ms)] if inside else []
        rests = missing_spans(settled, part)
        if rests != [part]:
            parts += rests
        elif part not in nothing_new:
            nothing_new.add(part)
            parts.append(part)
            pause()
    return found


def to_page(rows: Rows, symbol: str, end_ms: int) -> pd.DataFrame:
    """Rows as COLUMNS, in time's order, each once, without those from `end_ms` on: they may still form.

    Raises HopelessError where there is something else than candles among them, DisagreementError where
    two disagree.
    """
    try:
        values = np.array([row for row in rows if row[0] < end_ms], dtype="float64")
        page = pd.DataFrame(values.reshape(-1, len(COLUMNS)), columns=COLUMNS)
        times = pd.to_datetime(page["open_time"], unit="ms", utc=True)
    except (LookupError, TypeError, ValueError):
        raise HopelessError(
            f"fetch.exchange.name must give rows of {', '.join(COLUMNS)}; of {symbol} came something else."
        ) from None
    return agreed(page.assign(open_time=times.astype("datetime64[ms, UTC]")), symbol)

"""Candles that have arrived, kept in the workspace's cache for the next run, and for those of a queue.

A page is a Parquet file named after the span of time of which it has all candles. It also has those next
to the span that came along: where two pages overlap, they must agree.
"""

import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from stages.common.cache import cache_folder
from stages.common.outputs import beside, lock
from stages.common.tables import CHECKSUM, TIME
from stages.fetch.clean import COLUMNS
from stages.fetch.grid import EPOCH, MILLISECOND
from stages.fetch.receipt import content_sha256

SCHEMA = pa.schema([("open_time", TIME), *((name, pa.float64()) for name in COLUMNS[1:])])
NAME = re.compile(r"(-?\d+)_(-?\d+)\.parquet")


class Span(NamedTuple):
    """A span of time, first <= open time < last; in ms since 1970."""

    first: int
    last: int


Pages = dict[Span, pd.DataFrame]  # COLUMNS, in time's order


def all_pages() -> Path:
    """The folder of all exchanges' pages."""
    return cache_folder() / "candles"


@contextmanager
def one_at_a_time(folder: Path) -> Iterator[None]:
    """Wait until no other process has an exchange's folder of pages, then have it.

    Of two that fetch the same window at once, the second then finds the first one's pages.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("a") as file:
        while not lock(file):
            time.sleep(0.2)
        yield


def write_page(folder: Path, span: Span, candles: pd.DataFrame) -> None:
    """Keep a span's candles: whole or not at all, also if the process is killed."""
    # A single thread: two dozen pages may be written at a time, and more threads only get in their way.
    table = pa.Table.from_pandas(candles, SCHEMA, preserve_index=False, nthreads=1)
    # With a checksum, or a bit that flips on the disk gives other prices, or fewer rows. Of what will be
    # read: Parquet has a single NaN.
    checksum = content_sha256(table.to_pandas(ignore_metadata=True))
    table = table.replace_schema_metadata({CHECKSUM: checksum})
    with beside(path_of(folder, span)) as file:
        pq.write_table(table, file, compression="zstd")


def path_of(folder: Path, span: Span) -> Path:
    """The file of a page."""
    return folder / f"{span.first}_{span.last}.parquet"


def kept_spans(folder: Path, wanted: Span) -> list[Span]:
    """The spans, whole, of which there are pages that reach into `wanted`; in time's order."""
    names = (NAME.fullmatch(path.name) for path in folder.glob("*.parquet"))
    spans = [Span(int(name[1]), int(name[2])) for name in names if name]
    return sorted(span for span in spans if span.first < wanted.last and wanted.first < span.last)


def read_pages(folder: Path, wanted: Span) -> Pages:
    """The pages that reach into a span, in time's order."""
    found = {span: read_page(folder, span) for span in kept_spans(folder, wanted)}
    return {span: page for span, page in found.items() if page is not None}


def read_page(folder: Path, span: Span) -> pd.DataFrame | None:
    """A page as it was written; None without one. One that is broken is removed."""
    path = path_of(folder, span)
    try:
        with pq.ParquetFile(path) as file:
            table = file.read(use_threads=False)
        candles = table.to_pandas(ignore_metadata=True)
    except FileNotFoundError:
        return None
    except (OSError, ValueError, pa.ArrowException) as error:
        # One that can't be opened may be sound all the same.
        if isinstance(error, OSError) and error.errno:
            raise
    else:
        noted = (table.schema.metadata or {}).get(CHECKSUM)
        if table.schema.equals(SCHEMA) and noted == content_sha256(candles).encode():
            return candles
    path.unlink(missing_ok=True)
    return None


def last_candle(folder: Path, within: Span) -> int | None:
    """When the last candle before a span's end opens, of the pages that reach into it; None without one.

    In ms since 1970.
    """
    end = EPOCH + within.last * MILLISECOND
    found: list[int] = []
    for span in sorted(kept_spans(folder, within), key=lambda span: span.last, reverse=True):
        if found and span.last <= max(found):
            break  # nor can what came along be later: it is next to its span
        for page in read_pages(folder, span).values():
            opens = page["open_time"][page["open_time"] < end]
            found += [(time - EPOCH) // MILLISECOND for time in opens.tail(1)]
    return max(found, default=None)


def within(rows: pd.DataFrame, span: Span) -> pd.DataFrame:
    """Those rows that a span holds."""
    first, last = (EPOCH + time * MILLISECOND for time in span)
    return rows[(rows["open_time"] >= first) & (rows["open_time"] < last)]


def missing_spans(kept: list[Span], wanted: Span) -> list[Span]:
    """What `wanted` has beyond the spans kept, in time's order."""
    found, first = [], wanted.first
    for span in [*sorted(kept), Span(wanted.last, wanted.last)]:
        if first < min(span.first, wanted.last):
            found.append(Span(first, min(span.first, wanted.last)))
        first = max(first, span.last)
    return found


def length(span: Span) -> int:
    """Of a span, in ms."""
    return span.last - span.first


def cut(span: Span, longest: int) -> list[Span]:
    """A span in parts of `longest` ms, the last one shorter."""
    return [Span(first, min(first + longest, span.last)) for first in range(span.first, span.last, longest)]

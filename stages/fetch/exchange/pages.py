"""Candles that have arrived, kept in .cache/ so that none is asked for twice.

A page is a Parquet file named after the stretch of time of which it has all candles. It also has those
next to the stretch that came along: where two pages overlap, they must agree.
"""

from pathlib import Path
from typing import NamedTuple

import pandas as pd
import pyarrow as pa

from stages.common.tables import read_table, write_table


class Span(NamedTuple):
    """A stretch of time, first <= open time < last; in ms since 1970."""

    first: int
    last: int


def write_page(folder: Path, span: Span, candles: pd.DataFrame) -> None:
    """Keep a stretch's candles: whole or not at all, also if the process is killed."""
    write_table(folder / f"{span.first}_{span.last}.parquet", candles)


def read_pages(folder: Path, wanted: Span) -> dict[Span, pd.DataFrame]:
    """The pages that have candles of a stretch, in time's order; one that can't be read counts as none."""
    pages = {}
    for path in folder.glob("*_*.parquet"):
        span = Span(*(int(part) for part in path.stem.split("_")))
        if span.first < wanted.last and wanted.first < span.last:
            try:
                pages[span] = read_table(path)
            except (OSError, pa.ArrowException):
                path.unlink()
    return dict(sorted(pages.items()))


def lacking(kept: list[Span], wanted: Span) -> list[Span]:
    """What `wanted` has beyond the spans kept, in time's order."""
    found, first = [], wanted.first
    for span in sorted(kept):
        if first < min(span.first, wanted.last):
            found.append(Span(first, min(span.first, wanted.last)))
        first = max(first, span.last)
    if first < wanted.last:
        found.append(Span(first, wanted.last))
    return found


def cut(span: Span, longest: int) -> list[Span]:
    """A span in parts of `longest` ms, the last one shorter."""
    return [Span(first, min(first + longest, span.last)) for first in range(span.first, span.last, longest)]

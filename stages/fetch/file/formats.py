"""Parquet, feather and CSV files as tables: of the columns that are needed, and of few other rows."""

import csv
import os
import re
from collections.abc import Callable
from contextlib import ExitStack
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.csv as pc
import pyarrow.feather as pf
import pyarrow.parquet as pq

from stages.fetch.clean import COLUMNS
from stages.fetch.file.times import as_utc

# Nineteen years of minutes, in some GB of memory. A file of a few MB may hold a hundred times as many.
MOST_ROWS = 10_000_000
LONGEST_HEADER = 1_000_000  # characters; a file may be a single line of many GB
CHUNK = 2**20  # bytes
A_DAY = pd.Timedelta("1D")

Places = dict[str, int]  # of the columns that are needed, by the names that they are to have


class Wanted(NamedTuple):
    """What is needed of a file: its columns, chosen by their names; times, first <= open_time < last.

    Rows of other times may come along. `timezone`: of times that carry none.
    """

    choose: Callable[[list[str]], Places]
    first: pd.Timestamp
    last: pd.Timestamp
    timezone: str


class Group(NamedTuple):
    """Rows of a Parquet file that can be read without the others; `extent`: from when to when, if known."""

    read: Callable[[], pa.Table]
    n_rows: int
    extent: tuple[pd.Timestamp, pd.Timestamp] | None


def read_parquet(path: Path, wanted: Wanted) -> pd.DataFrame:
    """A file's row groups that may have rows of the times wanted; of a folder, of all Parquet files in it.

    The index is each row's place in the file.
    """
    with ExitStack() as stack:
        files = [
            stack.enter_context(pq.ParquetFile(part, page_checksum_verification=True))
            for part in parts_of(path)
        ]
        groups = [group for file in files for group in groups_of(file, wanted)]
        chosen = needed(groups, wanted)
        check_length(sum(groups[place].n_rows for place in chosen))
        tables = [
            *(of_columns(file.schema_arrow.empty_table(), wanted) for file in files),
            *(of_columns(groups[place].read(), wanted) for place in chosen),
        ]
    table = pa.concat_tables(tables, promote_options="permissive").to_pandas(ignore_metadata=True)
    first_rows = np.cumsum([0, *(group.n_rows for group in groups)])
    rows = [np.arange(first_rows[place], first_rows[place + 1]) for place in chosen]
    return table.set_axis(np.concatenate([first_rows[:0], *rows]))


def parts_of(path: Path) -> list[Path]:
    """The file, or a folder's Parquet files, as Spark and Dask write them, by names and numbers."""
    if not path.is_dir():
        return [path]
    found = [part for part in path.rglob("*.parquet") if part.is_file() and part.name[0] not in "._"]
    if not found:
        raise ValueError("a folder without Parquet files")
    return sorted(found, key=lambda part: by_number(part.relative_to(path).as_posix()))


def by_number(name: str) -> tuple[list[tuple[int, str]], str]:
    """What puts part.10 behind part.9."""
    parts = re.split(r"([0-9]+)", name)
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in parts], name


def groups_of(file: Any, wanted: Wanted) -> list[Group]:
    """A file's row groups, in order."""
    names = file.schema_arrow.names
    columns = {name: names[place] for name, place in wanted.choose(names).items()}
    found = []
    for number in range(file.num_row_groups):
        rows = file.metadata.row_group(number)
        read = partial(file.read_row_group, number, [*columns.values()])
        found.append(Group(read, rows.num_rows, extent(rows, columns["open_time"], wanted.timezone)))
    return found


def extent(rows: Any, time: str, timezone: str) -> tuple[pd.Timestamp, pd.Timestamp] | None:
    """A row group's earliest and latest time by its statistics; None where they don't tell for sure."""
    columns = [rows.column(place) for place in range(rows.num_columns)]
    try:
        statistics = next(column for column in columns if column.path_in_schema == time).statistics
        ends = [statistics.min, statistics.max]
    except (AttributeError, ArithmeticError, StopIteration, ValueError):
        return None
    # Numbers in several units aren't in the order of their times.
    numbers = all(isinstance(end, int) for end in ends) and ends[1] < 9 * ends[0]
    if not numbers and not all(isinstance(end, datetime) for end in ends):
        return None
    first, last = as_utc(pd.Series(ends), timezone)
    return None if pd.isna(first) or pd.isna(last) else (first, last)


def needed(groups: list[Group], wanted: Wanted) -> list[int]:
    """Which groups may have rows of the times wanted; and those with the very first and last times.

    These come along so that it can be told from when to when a file has candles.
    """
    extents = [group.extent for group in groups]
    known = [extent for extent in extents if extent]
    ends = {min(first for first, _ in known), max(last for _, last in known)} if known else set()
    # Where clocks go back, the order of times isn't that of the clock's.
    first, last = wanted.first - A_DAY, wanted.last + A_DAY
    return [
        place
        for place, extent in enumerate(extents)
        if not extent or (extent[0] < last and extent[1] >= first) or ends & {*extent}
    ]


def of_columns(table: pa.Table, wanted: Wanted) -> pa.Table:
    """The columns that are needed, under the names that they are to have."""
    places = wanted.choose(table.column_names)
    return table.select([*places.values()]).rename_columns([*places])


def read_feather(path: Path, wanted: Wanted) -> pd.DataFrame:
    """All rows of a feather file: it doesn't say of which times they are."""
    with path.open("rb") as file:
        has_batches = file.read(6) == b"ARROW1"  # its first version has none, and no compression
    if has_batches:
        with pa.memory_map(str(path)) as source, pa.ipc.open_file(source) as batches:
            numbers = range(batches.num_record_batches)
            check_length(sum(batches.get_batch(number).num_rows for number in numbers))
    return of_columns(pf.read_table(path), wanted).to_pandas(ignore_metadata=True)


def read_csv(path: Path, wanted: Wanted) -> pd.DataFrame:
    """All rows of a CSV file.

    It has a header, with a line of text above it, or, as Binance's dumps, none. Raises ValueError where
    its columns aren't separated by commas, or it may be cut short, and csv.Error.
    """
    with path.open(encoding="utf-8-sig") as file:
        lines = [file.readline(LONGEST_HEADER) for _ in range(3)]
    if not lines[0]:
        raise ValueError("an empty file")
    if "\0" in lines[0]:
        raise ValueError(f"text that isn't UTF-8: {lines[0]}")
    check_line_end(path)
    check_length(count_lines(path))
    has_header = not lines[0].partition(",")[0].strip('" \n').replace(".", "", 1).isdigit()
    n_above = int(has_header and "," not in lines[0] and "," in lines[1])
    header = next(csv.reader([lines[n_above]]), []) if has_header else COLUMNS
    row = next(csv.reader([lines[n_above + has_header]]), [])
    names = as_wide(header, row) if has_header else [*COLUMNS, *[""] * len(row)][: len(row)]
    if "," not in lines[n_above] or ";" in lines[n_above]:
        raise ValueError(f"columns that aren't separated by commas: {lines[n_above]}")
    if row[:1] == ["Ticker"]:
        raise ValueError(f"a header of three lines, as yfinance writes it, not of one: {','.join(header)}")
    options = pc.ReadOptions(column_names=names, skip_rows=n_above + has_header)
    table = pc.read_csv(path, read_options=options)
    if has_header and any(not pa.types.is_null(kind) for kind in table.schema.types[len(header) :]):
        raise ValueError(f"rows of more columns than its header names: {','.join(header)}")
    return of_columns(table, wanted).to_pandas(ignore_metadata=True)


def as_wide(names: list[str], row: list[str]) -> list[str]:
    """A header's names for rows like this one: nameless ones at the end are added for cells that are empty.

    Or left out, where the rows lack them. Where something else is too many, the names stay as they are.
    """
    while row and len(names) > len(row) and not names[-1].strip():
        names = names[:-1]
    beyond = row[len(names) :]
    return names if any(cell.strip() for cell in beyond) else names + [""] * len(beyond)


def check_line_end(path: Path) -> None:
    """Raise ValueError where a file doesn't end in a line end."""
    # A number cut short is still a number. A writer that leaves out the last line end can't be told from a
    # broken download, and to add it to a whole file is little to ask.
    with path.open("rb") as file:
        file.seek(-min(200, path.stat().st_size), os.SEEK_END)
        tail = file.read()
    if not tail.endswith((b"\n", b"\r")):
        last_line = tail.splitlines()[-1].decode(errors="replace")
        raise ValueError(f"a last line that may be cut short, for it has no line end: {last_line}")


def count_lines(path: Path) -> int:
    """How many lines a file has, whichever line ends."""
    with path.open("rb") as file:
        chunks = iter(lambda: file.read(CHUNK), b"")
        counts = np.array([(chunk.count(b"\n"), chunk.count(b"\r")) for chunk in chunks])
    return int(counts.sum(axis=0).max())


def check_length(n_rows: int) -> None:
    """Raise ValueError where there are more rows than any symbol has candles."""
    if n_rows > MOST_ROWS:
        raise ValueError(f"{n_rows:,} rows that would have to be read, more than {MOST_ROWS:,}")

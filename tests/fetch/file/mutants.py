"""Candle files that something has happened to: seeded, so that each can be made again.

A mutant is the week of `dirt.py`: with changes to its rows, columns or times, written in one form of many,
with changes to its bytes. What no reader could notice isn't done: a week that is another market's, in
another unit or of other hours as a whole.
"""

import csv
import re
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from stages.fetch.clean import COLUMNS, PRICES
from tests.fetch.file.dirt import N_ROWS, WEEK, arrow

Rng = np.random.Generator
Change = Callable[[pd.DataFrame, Rng], pd.DataFrame]

SUFFIXES = ["csv", "parquet", "feather"]


class Mutant(NamedTuple):
    """A file, and what was done to make it; `said`: the numbers that it has, None if nobody can tell."""

    suffix: str
    content: bytes
    done: list[str]
    said: set[float] | None


def pick(kinds: Iterable[str], rng: Rng) -> str:
    """One of these."""
    return str(rng.choice([*kinds]))


def some(rng: Rng, most: int) -> list[int]:
    """A few rows, by their places."""
    return sorted(rng.choice(N_ROWS, size=int(rng.integers(1, most + 1)), replace=False).tolist())


def span(rng: Rng) -> slice:
    """A run of rows that isn't all of them."""
    first, last = sorted(rng.choice(np.arange(1, N_ROWS), size=2, replace=False).tolist())
    return slice(first, last)


def with_cells(table: pd.DataFrame, rng: Rng, *values: Any) -> pd.DataFrame:
    """One of these values in a cell or two of a column of numbers.

    Not in neighbours: two hours that reach as far as each other may be a crash.
    """
    name, value = str(rng.choice(COLUMNS[1:])), values[int(rng.integers(len(values)))]
    column = table[name] if isinstance(value, float) else table[name].astype(object)
    column = column.copy()
    first = int(rng.integers(N_ROWS - 9))
    column.iloc[[first, first + 9][: int(rng.integers(1, 3))]] = value
    return table.assign(**{name: column})


def scaled(table: pd.DataFrame, rng: Rng) -> pd.DataFrame:
    """Prices of a run of rows in another unit."""
    times = float(rng.choice([1e-6, 1e-3, 0.01, 0.1, 0.3, 0.6, 2.0, 4.0, 10.0, 100.0, 1e3, 1e8]))
    table, rows = table.copy(), table.index[span(rng)]
    table.loc[rows, PRICES] *= times
    return table


def late(table: pd.DataFrame, rng: Rng) -> pd.DataFrame:
    """A few rows at other times, or all of them at times of which no bar of theirs is."""
    shift = pd.Timedelta(str(rng.choice(["1ms", "1s", "28min14.789s", "30min", "59min59.999s", "1h"])))
    whole = rng.random() < 0.3 and shift < pd.Timedelta("59min")
    rows = table.index if whole else table.index[some(rng, 3)]
    table = table.copy()
    table.loc[rows, "open_time"] += shift
    return table


def swapped(table: pd.DataFrame, rng: Rng) -> pd.DataFrame:
    """Two columns under each other's name."""
    one, other = rng.choice(COLUMNS[1:], size=2, replace=False).tolist()
    return table.rename(columns={one: other, other: one})


def contradicted(table: pd.DataFrame, rng: Rng) -> pd.DataFrame:
    """A row a second time, with another price."""
    row = table.iloc[some(rng, 1)]
    name = str(rng.choice(PRICES))
    return pd.concat([table, row.assign(**{name: row[name] * rng.choice([0.5, 1.0001, 3.0])})])


def with_columns(table: pd.DataFrame, rng: Rng) -> pd.DataFrame:
    """More columns: of nothing, of numbers, of text, of a symbol; some of a name that is there already."""
    values = ["", 1.5, "n/a", "BTCUSDT", "BTC/USDT", "ETH/USDT", None]
    for name in rng.choice(["note", "note", "plot", "symbol", "pair", "Close", "", "vwap"], size=2):
        value = values[int(rng.integers(len(values)))]
        column = pd.Series([value] * len(table), index=table.index, name=str(name))
        table = pd.concat([table, column], axis=1)
    return table


NO_PRICES = [np.nan, np.inf, -np.inf, 0.0, -1.0, 1e300, 1e-300]
NO_NUMBERS = ["", "n/a", "20k", "'20000", "1e400", "0x10", "1_000", "\u0663"]  # the last one is 3 in Arabic

ROWS: dict[str, Change] = {
    "rows left out": lambda t, rng: t.drop(index=some(rng, 40)),
    "a run left out": lambda t, rng: t.drop(index=t.index[span(rng)]),
    "rows twice": lambda t, rng: pd.concat([t, t.iloc[some(rng, 20)]]),
    "a row twice with another price": contradicted,
    "rows shuffled": lambda t, rng: t.iloc[rng.permutation(len(t))],
    "newest first": lambda t, _: t[::-1],
    "runs swapped": lambda t, rng: t.iloc[np.roll(np.arange(len(t)), rng.integers(1, len(t)))],
    "numbers that are none": lambda t, rng: with_cells(t, rng, *NO_PRICES),
    "numbers far off": lambda t, rng: with_cells(t, rng, 1e6, 1.0, 0.01, 4e4, 9e3),
    "text for numbers": lambda t, rng: with_cells(t, rng, *NO_NUMBERS),
    "another unit": scaled,
    "other times": late,
    "columns swapped": swapped,
    "a column left out": lambda t, rng: t.drop(columns=pick(COLUMNS, rng)),
    "a column renamed": lambda t, rng: t.rename(columns={pick(COLUMNS, rng): pick(["x", "", "date"], rng)}),
    "columns in another order": lambda t, rng: t[rng.permutation(t.columns)],
    "more columns": with_columns,
    "float32": lambda t, rng: t.astype({str(name): "float32" for name in rng.choice(COLUMNS[1:], size=3)}),
}

# Unix time in any unit and type, date-times of any kind, and text.
TIMES: dict[str, Callable[[pd.Series, Rng], Any]] = {
    "as they are": lambda times, _: times,
    "ms": lambda times, _: times.astype("int64"),
    "s": lambda times, _: times.astype("int64") // 1000,
    "ns": lambda times, _: times.astype("int64") * 10**6,
    "s with a point": lambda times, _: times.astype("int64") / 1000,
    "ms as text": lambda times, _: times.astype("int64").astype(str),
    "several units": lambda times, rng: times.astype("int64") * rng.choice([1, 1000], size=len(times)),
    "in ns": lambda times, _: times.dt.as_unit("ns"),
    "without a zone": lambda times, _: times.dt.tz_localize(None),
    "of a place": lambda times, _: times.dt.tz_convert("Asia/Tokyo"),
    "ISO 8601": lambda times, _: times.map(pd.Timestamp.isoformat),
    "days first": lambda times, _: times.dt.strftime("%d.%m.%Y %H:%M"),
    "days": lambda times, _: times.dt.strftime("%Y-%m-%d"),
}
TIME_NAMES = ["open_time", "timestamp", "Date", "unix", None]


def written(table: pd.DataFrame, suffix: str, rng: Rng) -> bytes:
    """A table in a form that this kind of file may have, with a name for its times or none."""
    name = TIME_NAMES[int(rng.integers(len(TIME_NAMES)))]
    if "open_time" in table and name is None and suffix != "csv":
        return arrow(table.set_index("open_time").rename_axis(None), suffix)
    if "open_time" in table and name is None:  # pandas' index comes first
        table.insert(0, "", table.pop("open_time"), allow_duplicates=True)
    table = table.rename(columns={"open_time": name})
    if suffix != "csv":
        return arrow(table, suffix)
    text = table.to_csv(
        index=False,
        header=rng.random() < 0.8,
        quoting=csv.QUOTE_ALL if rng.random() < 0.3 else csv.QUOTE_MINIMAL,
        sep=pick([",", ",", ",", ",", ",", ";", "\t"], rng),
        lineterminator=pick(["\n", "\n", "\r\n", "\r"], rng),
    )
    return text.encode()


def place(content: bytes, rng: Rng) -> int:
    """Somewhere in a file; as often near an end as in the middle."""
    n_bytes = len(content)
    near = int(rng.integers(min(300, n_bytes) + 1))
    return int(rng.choice([near, n_bytes - near, int(rng.integers(n_bytes + 1))]))


def flipped(content: bytes, rng: Rng) -> bytes:
    """A few bits the other way round."""
    changed = bytearray(content)
    for _ in range(int(rng.integers(1, 9))):
        if changed:
            changed[min(place(content, rng), len(changed) - 1)] ^= 1 << int(rng.integers(8))
    return bytes(changed)


def put(content: bytes, rng: Rng) -> bytes:
    """Bytes that don't belong there."""
    junk = [b"\0" * 50, b"\xff\xfe", b"\n", b",", b'"', b"9", b"-", b"e", b".", b"\r\n\r\n", rng.bytes(20)]
    here = place(content, rng)
    return content[:here] + junk[int(rng.integers(len(junk)))] + content[here:]


def taken(content: bytes, rng: Rng) -> bytes:
    """Without some bytes."""
    here = place(content, rng)
    return content[:here] + content[here + int(rng.integers(1, 200)) :]


def repeated(content: bytes, rng: Rng) -> bytes:
    """Some bytes twice."""
    here = place(content, rng)
    return content[:here] + content[max(0, here - int(rng.integers(1, 200))) :]


BYTES: dict[str, Callable[[bytes, Rng], bytes]] = {
    "bits flipped": flipped,
    "bytes put in": put,
    "bytes taken": taken,
    "bytes twice": repeated,
    "cut": lambda content, rng: content[: place(content, rng)],
    "zeros": lambda content, rng: content[: (here := place(content, rng))] + bytes(len(content) - here),
    "two files": lambda content, _: content + content,
    "another encoding": lambda content, rng: content.decode("latin-1").encode(
        str(rng.choice(["utf-16", "utf-32", "utf-8-sig", "cp037"]))
    ),
}


def is_whole(table: pd.DataFrame) -> bool:
    """Whether it can be changed further: all rows and columns are there, each once, and of numbers."""
    return (
        table.columns.is_unique
        and {*COLUMNS} <= {*table.columns}
        and len(table) == N_ROWS
        and all(pd.api.types.is_numeric_dtype(table[name]) for name in COLUMNS[1:])
    )


def mutant(seed: int) -> Mutant:
    """The mutant of that number."""
    rng = np.random.default_rng([seed, 20_260_101])
    suffix, table = str(rng.choice(SUFFIXES)), WEEK.copy()
    changes = [pick(ROWS, rng) for _ in range(int(rng.choice([0, 1, 1, 2])))]
    for change in changes:
        if is_whole(table):
            table = ROWS[change](table, rng)
    times = pick(TIMES, rng)
    if "open_time" in table and table.columns.is_unique and table["open_time"].dtype.kind == "M":
        table = table.assign(open_time=TIMES[times](table["open_time"], rng))
    table = table.reset_index(drop=True)
    if suffix != "csv":  # a column of several types has no place there
        table = table.apply(lambda column: column.astype(str) if column.dtype == object else column)
    content = written(table, suffix, rng)
    edits = [pick(BYTES, rng)] if rng.random() < (0.4 if changes else 1.0) else []
    for edit in edits:
        content = BYTES[edit](content, rng)
    said = numbers_in(content) if suffix == "csv" else None if edits else numbers(table)
    return Mutant(suffix, content, [*changes, times, *edits], said)


def numbers(table: pd.DataFrame) -> set[float]:
    """All numbers in a table, as they are or as text."""
    columns = [table.iloc[:, place] for place in range(table.shape[1])]
    texts = [pd.to_numeric(column.astype(str), errors="coerce") for column in columns]
    floats = [column for column in columns if column.dtype.kind == "f"]
    return {float(cell) for column in (*texts, *floats) for cell in column.dropna()}


def numbers_in(content: bytes) -> set[float]:
    """All numbers in a text, as Python reads them."""
    found = set()
    for word in re.split(rb'[,;\s"\0]+', content):
        try:
            found.add(float(word))
        except ValueError:
            continue
    return found

"""Candles from files dropped into data/import/file/, in the column names of those who publish them.

freqtrade's feather, Binance's public dumps and CryptoDataDownload's CSV are read as they are; so is any
Parquet, feather or CSV file with a column of opening times and open, high, low, close and volume.
"""

import os
from pathlib import Path
from typing import Literal

import pandas as pd
import pyarrow as pa
import pyarrow.csv as pc
import pyarrow.feather as pf
import pyarrow.parquet as pq

from stages.common.errors import InputError
from stages.common.tables import file_name
from stages.fetch.clean import PRICES
from stages.fetch.params import FetchParams

SUFFIXES = [".parquet", ".feather", ".csv"]

# Where a file has several, the first one counts: CryptoDataDownload's `unix` is exact, its `date` is not.
TIME_NAMES = ["open_time", "timestamp", "unix", "date", "datetime", "time"]

# A year first, so that month and day can't be mistaken; pandas alone would take "now" for a time as well.
ISO_TIME = r"\d{4}[-/.]\d{1,2}[-/.]\d{1,2}(?:[T ][\d:.]+)?"
OFFSET = r"Z|[+-]\d{2}(?::?\d{2})?"

# Binance's dumps have no header, so that their columns are f0, f1, ...
HEADERLESS = {f"f{place}": name for place, name in enumerate(["open_time", *PRICES, "volume"])}

EPOCH = pd.Timestamp(0, tz="UTC")
YEAR_9999 = pd.Timestamp("9999-01-01")  # the last one of Python's time zones

# Unix times of 2001 to 2255 tell their unit by their size.
EARLIEST: dict[Literal["s", "ms", "us", "ns"], int] = {"s": 10**9, "ms": 10**12, "us": 10**15, "ns": 10**18}


def fetch_candles(params: FetchParams, now: pd.Timestamp | None = None) -> dict[str, pd.DataFrame]:
    """Every symbol's candles as its file has them, still to be cleaned; `now` is the clock's time.

    Raises InputError where a file is missing, or isn't one of candles of the past.
    """
    now = now or pd.Timestamp.now("UTC")
    folder = Path("data/import", params.source)
    paths = {symbol: find_file(symbol, folder) for symbol in params.symbols}
    tables = {symbol: read_candles(paths[symbol], symbol, params.file.timezone) for symbol in paths}
    for symbol, table in tables.items():
        check_past(table["open_time"], paths[symbol], now)
    return tables


def find_file(symbol: str, folder: Path) -> Path:
    """The symbol's one file in `folder`. Raises InputError where there is none, or more than one."""
    wanted = [folder / f"{file_name(symbol)}{suffix}" for suffix in SUFFIXES]
    found = [path for path in wanted if path.is_file()]
    if len(found) == 1:
        return found[0]
    names = ", ".join(path.name for path in wanted)
    there = sorted(path.name for path in folder.glob("[!.]*"))
    raise InputError(
        f"fetch.symbols: {symbol} must have one of {names} in {folder}; "
        f"received {', '.join(there) if there else 'an empty folder'}."
    )


def read_candles(path: Path, symbol: str, timezone: str) -> pd.DataFrame:
    """A file's `open_time` (UTC), open, high, low, close and volume (base currency), in its own order.

    `timezone` is that of times which carry none. Raises InputError where the file isn't one of candles.
    """
    table = read_file(path)
    table.columns = [str(name).strip().lower().replace(" ", "_") for name in table.columns]
    received = f"received {printable(', '.join(table.columns))}"
    if not table.columns.is_unique:
        raise InputError(f"fetch.symbols: {path} must have each column once; {received}.")
    base = symbol.partition("/")[0].lower()
    time = next((name for name in TIME_NAMES if name in table), "open_time")
    volume = next((name for name in ("volume", f"volume_{base}") if name in table), "volume")
    missing = [name for name in (time, *PRICES, volume) if name not in table]
    if missing:
        raise InputError(f"fetch.symbols: {path} must have columns {', '.join(missing)}; {received}.")
    if time == "date" and "time" in table:
        raise InputError(f"fetch.symbols: {path} must have date and time in one column; {received}.")
    candles = table[[*PRICES, volume]].rename(columns={volume: "volume"})
    candles.insert(0, "open_time", read_times(table[time], timezone, path))
    return candles


def printable(text: str) -> str:
    """As much of a text as an error may show, in one line."""
    return "".join(letter if letter.isprintable() else ascii(letter)[1:-1] for letter in text[:200])


def read_file(path: Path) -> pd.DataFrame:
    """The table in a file, columns as they are. Raises InputError where there is none."""
    try:
        if path.suffix == ".parquet":
            return pq.read_table(path, page_checksum_verification=True).to_pandas(ignore_metadata=True)
        if path.suffix == ".feather":
            return pf.read_table(path).to_pandas(ignore_metadata=True)
        return read_csv(path)
    except (OSError, ValueError, pa.ArrowException) as error:
        reason = printable(" ".join(str(error).split()).rstrip("."))
        raise InputError(f"fetch.symbols: {path} must hold candles; received: {reason}.") from None


def read_csv(path: Path) -> pd.DataFrame:
    """A CSV file with a header, with a line of text above it, or, as Binance's dumps, without any.

    Raises ValueError where its columns aren't separated by commas, or it may be cut short.
    """
    with path.open(encoding="utf-8-sig") as file:
        first_line, second_line = file.readline(), file.readline()
    if not first_line:
        raise ValueError("an empty file")
    if "\0" in first_line:
        raise ValueError(f"text that isn't UTF-8: {first_line}")
    check_line_end(path)
    has_header = not first_line.partition(",")[0].strip().replace(".", "", 1).isdigit()
    has_title = has_header and "," not in first_line and "," in second_line
    header = second_line if has_title else first_line
    if "," not in header or ";" in header:
        raise ValueError(f"columns that aren't separated by commas: {header}")
    options = pc.ReadOptions(skip_rows=int(has_title), autogenerate_column_names=not has_header)
    # Unlike pandas' own, Arrow's reader gives the very float that a text stands for.
    table = pc.read_csv(path, read_options=options).to_pandas()
    return table if has_header else table.rename(columns=HEADERLESS)


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


def read_times(values: pd.Series, timezone: str, path: Path) -> pd.Series:
    """Unix times, date-times or ISO 8601 text as date-times in UTC; shape (n_rows,).

    Raises InputError on the first value that is none of these, or no one moment.
    """
    if pd.api.types.is_numeric_dtype(values):
        times = from_unix(values)
    elif isinstance(values.dtype, pd.DatetimeTZDtype):
        times = values.dt.tz_convert("UTC")
    elif pd.api.types.is_datetime64_dtype(values):
        times = from_local(values, timezone)
    else:
        times = from_text(values.astype(str).str.strip(), timezone)
    unread = times.isna().to_numpy()
    if unread.any():
        row = int(unread.argmax())
        raise InputError(
            f"fetch.symbols: times in {path} must be ISO 8601, or Unix time in s, ms, us or ns, and have "
            f"happened once in {timezone} (fetch.file.timezone); "
            f"received {printable(str(values.iloc[row]))} in row {row + 1:,}."
        )
    return times


def check_past(times: pd.Series, path: Path, now: pd.Timestamp) -> None:
    """Raise InputError where a time can't be a candle's: it is yet to come, or was never set."""
    astray = times[(times > now) | (times <= EPOCH)]
    if len(astray):
        raise InputError(
            f"fetch.symbols: times in {path} must lie between 1970 and now; "
            f"received {astray.iloc[0]} in row {astray.index[0] + 1:,}."
        )


def from_unix(values: pd.Series) -> pd.Series:
    """Unix times, each in the unit that its size tells; NaT where it tells none.

    Row by row, for the unit changes within a file: Binance's went from ms to us in 2025.
    """
    parts = []
    for unit, earliest in EARLIEST.items():
        known = values[(values >= earliest) & (values < 9 * earliest)]
        parts.append(pd.to_datetime(known, unit=unit, utc=True))
    return pd.concat(parts).reindex(values.index)


def from_local(times: pd.Series, timezone: str) -> pd.Series:
    """Clock times of a time zone in UTC; NaT where its clocks skip or repeat them, or nobody knows yet."""
    known = times.where(times < YEAR_9999)
    return known.dt.tz_localize(timezone, ambiguous="NaT", nonexistent="NaT").dt.tz_convert("UTC")


def from_text(values: pd.Series, timezone: str) -> pd.Series:
    """ISO 8601 text, with or without an offset from UTC; NaT where it is neither, or no one moment."""
    text = values.where(values.str.fullmatch(f"{ISO_TIME} ?(?:{OFFSET})?"))
    times = pd.to_datetime(text, format="ISO8601", utc=True, errors="coerce")
    has_offset = text.str.fullmatch(f"{ISO_TIME} ?(?:{OFFSET})", na=False)
    return times.where(has_offset, from_local(times.dt.tz_localize(None), timezone))

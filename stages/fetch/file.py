"""Candles from files dropped into data/import/file/, in the column names of those who publish them.

freqtrade's feather, Binance's public dumps and CryptoDataDownload's CSV are read as they are; so is any
Parquet, feather or CSV file with a column of opening times and open, high, low, close and volume.
"""

from pathlib import Path
from typing import Literal

import pandas as pd
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

# Binance's dumps have no header, so that their columns are f0, f1, ...
HEADERLESS = {f"f{place}": name for place, name in enumerate(["open_time", *PRICES, "volume"])}

# Unix times of 2001 to 2255 tell their unit by their size.
EARLIEST: dict[Literal["s", "ms", "us", "ns"], int] = {"s": 10**9, "ms": 10**12, "us": 10**15, "ns": 10**18}


def fetch_candles(params: FetchParams) -> dict[str, pd.DataFrame]:
    """Every symbol's candles as its file has them, still to be cleaned.

    Raises InputError where a file is missing, or isn't one of candles.
    """
    folder = Path("data/import", params.source)
    paths = {symbol: find_file(symbol, folder) for symbol in params.symbols}
    return {symbol: read_candles(paths[symbol], symbol, params.file.timezone) for symbol in paths}


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
    if not table.columns.is_unique:
        raise InputError(
            f"fetch.symbols: {path} must have each column once; received {', '.join(table.columns)[:200]}."
        )
    base = symbol.partition("/")[0].lower()
    time = next((name for name in TIME_NAMES if name in table), "open_time")
    volume = next((name for name in ("volume", f"volume_{base}") if name in table), "volume")
    missing = [name for name in (time, *PRICES, volume) if name not in table]
    if missing:
        raise InputError(
            f"fetch.symbols: {path} must have columns {', '.join(missing)}; "
            f"received {', '.join(table.columns)[:200]}."
        )
    candles = table[[*PRICES, volume]].rename(columns={volume: "volume"})
    candles.insert(0, "open_time", read_times(table[time], timezone, path))
    return candles


def read_file(path: Path) -> pd.DataFrame:
    """The table in a file, columns as they are. Raises InputError where there is none."""
    try:
        if path.suffix == ".parquet":
            return pq.read_table(path).to_pandas(ignore_metadata=True)
        if path.suffix == ".feather":
            return pf.read_table(path).to_pandas(ignore_metadata=True)
        return read_csv(path)
    except (OSError, ValueError) as error:
        reason = " ".join(str(error).split())[:200]
        raise InputError(f"fetch.symbols: {path} must hold candles; received: {reason}.") from None


def read_csv(path: Path) -> pd.DataFrame:
    """A CSV file with a header, with a line of text above it, or, as Binance's dumps, without any."""
    with path.open(encoding="utf-8-sig") as file:
        first_line = file.readline()
    has_header = not first_line.partition(",")[0].strip().replace(".", "", 1).isdigit()
    options = pc.ReadOptions(
        skip_rows=1 if has_header and "," not in first_line else 0,
        autogenerate_column_names=not has_header,
    )
    # Unlike pandas' own, Arrow's reader gives the very float that a text stands for.
    table = pc.read_csv(path, read_options=options).to_pandas()
    return table if has_header else table.rename(columns=HEADERLESS)


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
        times = from_text(values.astype(str), timezone)
    unread = times.isna().to_numpy()
    if unread.any():
        raise InputError(
            f"fetch.symbols: times in {path} must be ISO 8601, or Unix time in s, ms, us or ns, and have "
            f"happened once in {timezone} (fetch.file.timezone); received {values[unread].iloc[0]}."
        )
    return times


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
    """Clock times of a time zone in UTC; NaT where a change of the clocks skips or repeats them."""
    return times.dt.tz_localize(timezone, ambiguous="NaT", nonexistent="NaT").dt.tz_convert("UTC")


def from_text(values: pd.Series, timezone: str) -> pd.Series:
    """ISO 8601 text, with or without an offset from UTC; NaT where it is neither, or no one moment."""
    has_offset = values.str.contains("[T ].*[+-]|Z$", na=False)
    times = pd.to_datetime(values, format="ISO8601", utc=True, errors="coerce")
    return times.where(has_offset, from_local(times.dt.tz_localize(None), timezone))

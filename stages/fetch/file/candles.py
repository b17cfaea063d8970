"""Candles from files dropped into data/import/file/, in the column names of those who publish them.

freqtrade's feather, Binance's public dumps and CryptoDataDownload's CSV are read as they are; so is any
Parquet, feather or CSV file with a column of opening times and open, high, low, close and volume.
"""

import csv
import re
from collections.abc import Callable
from functools import partial
from pathlib import Path
from urllib.parse import unquote

import pandas as pd
import pyarrow as pa

from stages.common.cache import workspace
from stages.common.errors import InputError, printable
from stages.common.tables import file_name
from stages.fetch.clean import COLUMNS, PRICES
from stages.fetch.file.formats import Places, Wanted, parts_of, read_csv, read_feather, read_parquet
from stages.fetch.file.times import read_times
from stages.fetch.grid import EPOCH, check_past
from stages.fetch.params import FetchParams
from stages.fetch.source import Source

READERS: dict[str, Callable[[Path, Wanted], pd.DataFrame]] = {
    ".parquet": read_parquet,
    ".feather": read_feather,
    ".csv": read_csv,
}

# Where a file has several, the first one counts: CryptoDataDownload's `unix` is exact, its `date` is not.
TIME_NAMES = ["open_time", "timestamp", "unix", "date", "datetime", "time"]
# Of pandas' index where it has no name; in a CSV it comes first.
INDEX_NAMES = ["", "unnamed:_0", "index"]
PARQUET_INDEX = "__index_level_0__"
ALL_TIMES = EPOCH, pd.Timestamp("9999-01-01", tz="UTC")
LONGEST = 200  # characters that an error shows of a file's columns, and of why it can't be read
SYMBOL_NAMES = ["symbol", "pair", "ticker", "tic", "instrument"]
SPARKS_NONE = "__HIVE_DEFAULT_PARTITION__"


def fetch_candles(params: FetchParams, now: pd.Timestamp | None = None) -> dict[str, pd.DataFrame]:
    """Every symbol's candles as its file has them, still to be cleaned; `now` is the clock's time.

    Raises InputError where a file is missing, or isn't one of candles of the past.
    """
    now = now or pd.Timestamp.now("UTC")
    tables = {}
    for symbol, path in find_files(params).items():
        window = params.start_time, params.end_time
        tables[symbol] = read_candles(path, symbol, params.file.timezone, window)
        check_past(tables[symbol]["open_time"], f"in {path}", now)
    return tables


def find_files(params: FetchParams) -> dict[str, Path]:
    """Each symbol's one file. Raises InputError where it has none, or more than one."""
    folder = Path("data/import", params.source)
    return {symbol: find_file(symbol, folder) for symbol in params.symbols}


def find_file(symbol: str, folder: Path) -> Path:
    """The symbol's one file in `folder`. Raises InputError where there is none, or more than one."""
    wanted = [folder / f"{file_name(symbol)}{suffix}" for suffix in READERS]
    found = [path for path in wanted if path.exists()]
    if len(found) == 1:
        return found[0]
    names = ", ".join(path.name for path in wanted)
    there = sorted(path.name for path in folder.glob("[!.]*"))
    raise InputError(
        f"fetch.symbols: {symbol} must have one of {names} in {folder}; "
        f"received {', '.join(there) if there else 'an empty folder'}{in_temporary_folder(folder)}."
    )


def in_temporary_folder(folder: Path) -> str:
    """Why files aren't where a run with --queue or --temp looks for them, as the end of a sentence."""
    if workspace() == Path():
        return ""
    place = folder.as_posix()
    return f" (in a copy of what git and DVC track: `dvc add {place}` first, or add --copy-paths {place})"


def read_candles(
    path: Path, symbol: str, timezone: str, window: tuple[pd.Timestamp, pd.Timestamp] = ALL_TIMES
) -> pd.DataFrame:
    """A file's `open_time` (UTC), open, high, low, close and volume (base currency), in its own order.

    Rows beyond the window, first <= open_time < last, may be left out; the index is each row's place in
    the file. `timezone` is that of times which carry none. Raises InputError where the file isn't one of
    the symbol's candles.
    """
    wanted = Wanted(partial(choose_columns, symbol=symbol, path=path), *window, timezone)
    table = read_file(path, wanted)
    if path.is_dir():
        check_own_folders(path, symbol)
    for name in table.columns.difference(COLUMNS):
        check_own_symbol(table[name], str(name), symbol, path)
    candles = table[COLUMNS[1:]].copy()
    candles.insert(0, "open_time", read_times(table["open_time"], timezone, path))
    return candles


def read_file(path: Path, wanted: Wanted) -> pd.DataFrame:
    """The columns that are needed of a file. Raises InputError where it has no such table."""
    try:
        if path.is_dir() and path.suffix != ".parquet":
            raise ValueError("a folder")
        return READERS[path.suffix](path, wanted)
    except InputError:
        raise
    except (OSError, ValueError, csv.Error, pa.ArrowException) as error:
        reason = printable(" ".join(str(error).split()).rstrip("."), LONGEST)
        raise InputError(f"fetch.symbols: {path} must hold candles; received: {reason}.") from None


def choose_columns(names: list[str], symbol: str, path: Path) -> Places:
    """Which of a file's columns are COLUMNS, and which say of what symbol a row is.

    Raises InputError where one is missing, or can't be told from another.
    """
    plain = [str(name).strip().lower().replace(" ", "_") for name in names]
    received = f"received {printable(', '.join(plain), LONGEST)}"
    base = symbol.partition("/")[0].lower()
    volume = next((name for name in ("volume", f"volume_{base}") if name in plain), "volume")
    own = [name for name in SYMBOL_NAMES if name in plain]
    time = next((name for name in TIME_NAMES if name in plain), "open_time")
    if time not in plain:
        time = PARQUET_INDEX if PARQUET_INDEX in plain else time
        time = plain[0] if plain and plain[0] in INDEX_NAMES else time
    found = dict(zip([*COLUMNS, *own], [time, *PRICES, volume, *own], strict=True))
    if missing := [name for name in found.values() if name not in plain]:
        raise InputError(f"fetch.symbols: {path} must have columns {', '.join(missing)}; {received}.")
    twice = [name for name in found.values() if plain.count(name) > 1 and name not in INDEX_NAMES]
    if twice:
        raise InputError(
            f"fetch.symbols: {path} must have each column once, at least {', '.join(twice)}; {received}."
        )
    if time == "date" and "time" in plain:
        raise InputError(f"fetch.symbols: {path} must have date and time in one column; {received}.")
    return {name: plain.index(column) for name, column in found.items()}


def check_own_symbol(values: pd.Series, name: str, symbol: str, path: Path) -> None:
    """Raise InputError where a row says that it is another symbol's."""
    for value in values.dropna().unique():
        if not is_symbol(str(value), symbol):
            row = values.index[values == value][0]
            raise InputError(
                f"fetch.symbols: {path} must have rows of {symbol} alone, and so say their {name}; "
                f"received {printable(str(value))} in row {row + 1:,}."
            )


def check_own_folders(path: Path, symbol: str) -> None:
    """Raise InputError where a folder within says of its rows, as Spark does, that they are another's."""
    for part in parts_of(path):
        for folder in part.relative_to(path).parts[:-1]:
            name, _, value = folder.partition("=")
            known = name.lower() in SYMBOL_NAMES and value != SPARKS_NONE
            if known and not is_symbol(unquote(value), symbol):
                raise InputError(
                    f"fetch.symbols: {path} must have rows of {symbol} alone, and so say its folders; "
                    f"received {printable(folder)}."
                )


def is_symbol(text: str, symbol: str) -> bool:
    """Whether a text means a symbol: BTC/USDT is BTCUSDT, btc_usdt, or BINANCE:BTCUSDT; or, in short, BTC.

    BTC/USDT:USDT is all that too, but BTC/USDT isn't BTC/USDT:USDT. An empty text means any.
    """
    market, _, settle = symbol.partition(":")
    names = {letters(market), letters(market + settle)}
    in_short, after_venue = market.partition("/")[0], text.partition(":")[2]
    return letters(text) in {"", letters(in_short), *names} or letters(after_venue) in names


def letters(text: str) -> str:
    """Letters and digits alone, in one case."""
    return re.sub(r"[\W_]", "", text).casefold()


SOURCE = Source(fetch_candles, find_files, has_order=True)

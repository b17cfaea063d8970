"""Parquet between stages: one schema, UTC, and no table that isn't as its stage wrote it."""

import hashlib
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from stages.common.errors import InputError
from stages.common.outputs import beside

TIME = pa.timestamp("ms", tz="UTC")
CHECKSUM = b"barometer.sha256"  # its name in a file's metadata
MEND = "`dvc repro` makes it anew."

Tables = Mapping[str, pd.DataFrame]  # by symbol, as its file is named, in the order of the names


def file_name(symbol: str) -> str:
    """A symbol as the stem of a file name: BTC/USDT is BTC-USDT, BTC/USDT:USDT is BTC-USDT_USDT."""
    return symbol.replace("/", "-").replace(":", "_")


def read_table(path: str | Path) -> pd.DataFrame:
    """A table as `write_table` wrote it; times are datetime64[ms, UTC].

    Raises InputError, naming the file, if it is missing, was cut short or was changed since.
    """
    try:
        arrow = pq.read_table(path)
        table = arrow.to_pandas()
        as_written = (arrow.schema.metadata or {}).get(CHECKSUM) == checksum(table).encode()
    except FileNotFoundError:
        raise not_as_written(path, "no such file") from None
    except (OSError, ValueError, pa.ArrowException) as error:
        if isinstance(error, OSError) and error.errno:
            raise
        raise not_as_written(path, "a file that can't be read: " + str(error).partition("\n")[0]) from None
    if not as_written:
        raise not_as_written(path, "one that was changed since")
    return table


def not_as_written(path: str | Path, received: str) -> InputError:
    """What is wrong with an input that an earlier stage wrote, and what mends it."""
    return InputError(f"{path} must be as its stage wrote it; received {received.rstrip('.')}. {MEND}")


def write_table(path: str | Path, table: pd.DataFrame) -> str:
    """Write a frame without its index, whole or not at all; the checksum of what will be read.

    Equal frames give equal bytes.
    """
    arrow = pa.Table.from_pandas(table, preserve_index=False)
    fields = [
        field.with_type(TIME) if pa.types.is_timestamp(field.type) else field for field in arrow.schema
    ]
    arrow = arrow.cast(pa.schema(fields))
    # Parquet has a single kind of missing number.
    written = checksum(arrow.to_pandas())
    arrow = arrow.replace_schema_metadata({CHECKSUM: written.encode()})
    with beside(path) as file:
        pq.write_table(arrow, file, compression="zstd")
    return written


def checksum(table: pd.DataFrame) -> str:
    """SHA-256 of names, types and values, in hexadecimal digits."""
    digest = hashlib.sha256(repr([*table.dtypes.items()]).encode())
    digest.update(pd.util.hash_pandas_object(table, index=False).to_numpy().tobytes())
    return digest.hexdigest()


def read_tables(folder: str, symbols: Collection[str] | None = None) -> Tables:
    """Each symbol's table, by its name as its file has it; raises as `names_in` and `read_table`."""
    return tables_of(folder, names_in(folder, symbols))


def tables_of(folder: str, symbols: Collection[str]) -> Tables:
    """The tables of some symbols, by name; raises InputError as `read_table`."""
    return {symbol: read_table(file_in(folder, symbol)) for symbol in symbols}


class TablesIn(Mapping[str, pd.DataFrame]):
    """Each symbol's table, as `read_tables` has them, but read whenever it is asked for: none is held."""

    def __init__(self, folder: str, symbols: Collection[str] | None = None) -> None:
        """Raises InputError as `names_in` does."""
        self.folder, self.names = folder, names_in(folder, symbols)

    def __getitem__(self, symbol: str) -> pd.DataFrame:
        """Raises InputError as `read_table` does."""
        return read_table(file_in(self.folder, symbol))

    def __iter__(self) -> Iterator[str]:
        """The symbols, in the order of their names."""
        return iter(self.names)

    def __len__(self) -> int:
        """How many symbols there are."""
        return len(self.names)


def names_in(folder: str, symbols: Collection[str] | None = None) -> list[str]:
    """The symbols that a folder has a table of, as their files are named, in the order of the names.

    `symbols`: those that must be there, and no others. Raises InputError if they aren't, or there are none.
    """
    # Paths would have another order: on Windows they know no case.
    found = sorted(path.stem for path in Path(folder).glob("*.parquet"))
    if not found or (symbols is not None and found != sorted(symbols)):
        which = f" ({', '.join(sorted(symbols))})" if symbols is not None else ""
        raise InputError(
            f"{folder} must hold a table a symbol{which}; received {', '.join(found) or 'none'}. {MEND}"
        )
    return found


def file_in(folder: str | Path, symbol: str) -> Path:
    """The file of a symbol's table."""
    return Path(folder, f"{symbol}.parquet")

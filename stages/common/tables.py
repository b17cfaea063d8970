"""Parquet between stages: one schema, UTC, whole or not at all."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

TIME = pa.timestamp("ms", tz="UTC")


def file_name(symbol: str) -> str:
    """A symbol as the stem of a file name: BTC/USDT is BTC-USDT, BTC/USDT:USDT is BTC-USDT_USDT."""
    return symbol.replace("/", "-").replace(":", "_")


def read_table(path: str | Path) -> pd.DataFrame:
    """A table as `write_table` wrote it; times are datetime64[ms, UTC]."""
    return pq.read_table(path).to_pandas()


def write_table(path: str | Path, table: pd.DataFrame) -> None:
    """Write a frame without its index; equal frames give equal bytes. Written beside, then renamed."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    arrow = pa.Table.from_pandas(table, preserve_index=False)
    times = {
        name: TIME for name in arrow.schema.names if pa.types.is_timestamp(arrow.schema.field(name).type)
    }
    fields = [pa.field(field.name, times.get(field.name, field.type)) for field in arrow.schema]
    pq.write_table(arrow.cast(pa.schema(fields)), beside, compression="zstd")
    beside.replace(path)


def read_tables(folder: str) -> Iterator[tuple[str, pd.DataFrame]]:
    """Each symbol's name, as its file has it, and its table, in the order of the names."""
    for path in sorted(Path(folder).glob("*.parquet")):
        if path.stem != "folds":
            yield path.stem, read_table(path)


@contextmanager
def fresh_folder(folder: str) -> Iterator[Path]:
    """An empty folder to fill; takes the place of `folder` if all goes well, or else is discarded."""
    beside = Path(f"{folder}.{os.getpid()}")
    shutil.rmtree(beside, ignore_errors=True)  # of a process that was killed, and had the same number
    beside.mkdir(parents=True)
    try:
        yield beside
        shutil.rmtree(folder, ignore_errors=True)
        beside.replace(folder)
    finally:
        shutil.rmtree(beside, ignore_errors=True)

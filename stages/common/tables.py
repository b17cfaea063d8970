"""Parquet between stages: one schema, UTC."""

from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from stages.common.outputs import beside

TIME = pa.timestamp("ms", tz="UTC")


def file_name(symbol: str) -> str:
    """A symbol as the stem of a file name: BTC/USDT is BTC-USDT, BTC/USDT:USDT is BTC-USDT_USDT."""
    return symbol.replace("/", "-").replace(":", "_")


def read_table(path: str | Path) -> pd.DataFrame:
    """A table as `write_table` wrote it; times are datetime64[ms, UTC]."""
    return pq.read_table(path).to_pandas()


def write_table(path: str | Path, table: pd.DataFrame) -> None:
    """Write a frame without its index; equal frames give equal bytes."""
    arrow = pa.Table.from_pandas(table, preserve_index=False)
    times = {
        name: TIME for name in arrow.schema.names if pa.types.is_timestamp(arrow.schema.field(name).type)
    }
    fields = [pa.field(field.name, times.get(field.name, field.type)) for field in arrow.schema]
    with beside(path) as file:
        pq.write_table(arrow.cast(pa.schema(fields)), file, compression="zstd")


def read_tables(folder: str) -> Iterator[tuple[str, pd.DataFrame]]:
    """Each symbol's name, as its file has it, and its table, in the order of the names."""
    for path in sorted(Path(folder).glob("*.parquet")):
        if path.stem != "folds":
            yield path.stem, read_table(path)

"""Files as users have them: the same market's candles, written with one kind of dirt or another."""

import io
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow.feather import write_feather

from stages.fetch.clean import PRICES
from tests.conftest import random_candles

SYMBOL = "BTC/USDT"
N_ROWS = 168
WEEK = random_candles(N_ROWS)

Write = Callable[[pd.DataFrame], bytes]


def with_times(candles: pd.DataFrame, times: Any, name: str = "open_time") -> pd.DataFrame:
    """The candles with other times, in a column of that name."""
    return candles.assign(open_time=times).rename(columns={"open_time": name})


def unix(candles: pd.DataFrame) -> pd.Series:
    """Open times as Unix time in ms."""
    return candles["open_time"].astype("int64")


def csv(candles: pd.DataFrame, **options: Any) -> bytes:
    """A CSV file; date-times become Unix time in ms."""
    has_times = "open_time" in candles and candles["open_time"].dtype.kind == "M"
    table = with_times(candles, unix(candles)) if has_times else candles
    return table.to_csv(index=False, lineterminator="\n", **options).encode()


def extra(*columns: tuple[str, object]) -> Write:
    """A CSV file with more columns behind, as many of a name as there are."""

    def write(candles: pd.DataFrame) -> bytes:
        table = with_times(candles, unix(candles))
        more = pd.DataFrame({place: value for place, (_, value) in enumerate(columns)}, index=table.index)
        return csv(
            pd.concat([table, more], axis=1).set_axis([*table, *(name for name, _ in columns)], axis=1)
        )

    return write


def indexed(candles: pd.DataFrame, name: str | None = None) -> pd.DataFrame:
    """The candles with their times in pandas' index, which has no name unless one is given."""
    return candles.set_index("open_time").rename_axis(name)


def binary(candles: pd.DataFrame, suffix: str, **options: Any) -> bytes:
    """A Parquet or feather file."""
    file = io.BytesIO()
    candles.to_parquet(file, **options) if suffix == "parquet" else candles.to_feather(file, **options)
    return file.getvalue()


def arrow(candles: pd.DataFrame, suffix: str) -> bytes:
    """A Parquet or feather file of pandas' frame, index and all; names may come twice."""
    names = [str(name) for name in candles]
    table = pa.Table.from_pandas(candles.set_axis([str(place) for place in range(len(names))], axis=1))
    table = table.rename_columns([*names, *table.column_names[len(names) :]])
    file = io.BytesIO()
    pq.write_table(table, file) if suffix == "parquet" else write_feather(table, file)
    return file.getvalue()


def text(edit: Callable[[str], str]) -> Write:
    """A CSV file of which the text is changed."""
    return lambda candles: edit(csv(candles).decode()).encode()


def rows(edit: Callable[[list[str]], list[str]]) -> Write:
    """A CSV file of which the lines, the header first, are changed."""
    return text(lambda whole: "".join(edit(whole.splitlines(keepends=True))))


def cell(name: str, value: object, *places: int) -> Write:
    """A CSV file with something else in some cells of a column, in the 12th row if none is named."""

    def write(candles: pd.DataFrame) -> bytes:
        column = with_times(candles, unix(candles))[name].astype(object)
        column.iloc[list(places) or [11]] = value
        return csv(candles.assign(**{name: column}))

    return write


def column(name: str, change: Callable[[pd.Series], Any]) -> Write:
    """A CSV file with something else in a column."""
    return lambda candles: csv(candles.assign(**{name: change(candles[name])}))


def dated(form: str, zone: str = "UTC") -> Write:
    """A CSV file with a `date` written in that form, of that time zone."""
    return lambda candles: csv(
        with_times(candles, candles["open_time"].dt.tz_convert(zone).dt.strftime(form), "date")
    )


def stamped(change: Callable[[pd.Series], pd.Series]) -> Write:
    """A CSV file with other open times, in Unix ms."""
    return lambda candles: csv(with_times(candles, change(unix(candles))))


def resampled(candles: pd.DataFrame, rule: str) -> pd.DataFrame:
    """The same market in a longer timeframe."""
    parts = {"open": "first", "high": "max", "low": "min", "close": "last", "volume": "sum"}
    return candles.set_index("open_time").resample(rule).agg(parts).reset_index()


def mixed_units(candles: pd.DataFrame) -> bytes:
    """Seconds at first, then milliseconds, then microseconds."""
    ms = unix(candles)
    return csv(with_times(candles, [*ms[:50] // 1000, *ms[50:100], *ms[100:] * 1000]))


def mixed_offsets(candles: pd.DataFrame) -> bytes:
    """ISO 8601 in several time zones."""
    zones = ["UTC", "Asia/Kolkata", "America/New_York"]
    texts = [time.tz_convert(zones[k % 3]).isoformat() for k, time in enumerate(candles["open_time"])]
    return csv(with_times(candles, texts, "timestamp"))


def midnight_bare(candles: pd.DataFrame) -> bytes:
    """Dates of which those at midnight lack the time, as spreadsheets write them."""
    texts = candles["open_time"].dt.strftime("%Y-%m-%d %H:%M").str.removesuffix(" 00:00")
    return csv(with_times(candles, texts, "date"))


def decimals(candles: pd.DataFrame) -> bytes:
    """Parquet with exact decimals instead of floats."""
    numbers = {name: candles[name].map(lambda value: Decimal(repr(value))) for name in PRICES}
    return binary(candles.assign(**numbers), "parquet")

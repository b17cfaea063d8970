"""Opening times as files have them: Unix time in any unit, date-times, or ISO 8601 text."""

from pathlib import Path
from typing import Any, Literal

import pandas as pd

from stages.common.errors import InputError, printable

# A year first, so that month and day can't be mistaken; pandas alone would take "now" for a time as well.
ISO_TIME = r"\d{4}[-/.]\d{1,2}[-/.]\d{1,2}(?:[T ][\d:.]+)?"
OFFSET = r"Z|[+-]\d{2}(?::?\d{2})?"
NUMBER = r"\d{1,19}(?:\.\d*)?"

YEAR_9999 = pd.Timestamp("9999-01-01")  # the last one of Python's time zones

# Unix times of 2001 to 2255 tell their unit by their size.
EARLIEST: dict[Literal["s", "ms", "us", "ns"], int] = {"s": 10**9, "ms": 10**12, "us": 10**15, "ns": 10**18}


def read_times(values: pd.Series, timezone: str, path: Path) -> pd.Series:
    """A column of times as date-times in UTC; shape (n_rows,), the index each row's place in the file.

    `timezone` is that of times which carry none. Raises InputError on the first value that is no time, or
    no one moment.
    """
    times = as_utc(values, timezone)
    unread = times.isna().to_numpy()
    if unread.any():
        row = int(unread.argmax())
        raise InputError(
            f"fetch.symbols: times in {path} must be ISO 8601, or Unix time in s, ms, us or ns, and have "
            f"happened once in {timezone} (fetch.file.timezone); "
            f"received {printable(as_text(values.iloc[row]))} in row {values.index[row] + 1:,}."
        )
    return times


def as_utc(values: pd.Series, timezone: str) -> pd.Series:
    """Unix times, date-times or ISO 8601 text as date-times in UTC; NaT where a value is none of these."""
    if pd.api.types.is_numeric_dtype(values):
        return from_unix(values)
    if isinstance(values.dtype, pd.DatetimeTZDtype):
        return values.dt.tz_convert("UTC")
    if pd.api.types.is_datetime64_dtype(values):
        return from_local(values, timezone)
    return from_text(values.map(as_text).astype(str).str.strip(), timezone)


def as_text(value: Any) -> str:
    """A cell as text; bytes that aren't UTF-8 stay readable."""
    return value.decode(errors="backslashreplace") if isinstance(value, bytes) else str(value)


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
    """Unix time in digits, or ISO 8601 with or without an offset from UTC; NaT where it is neither."""
    is_number = values.str.fullmatch(NUMBER)
    numbers = from_unix(pd.to_numeric(values[is_number]))
    text = values.where(values.str.fullmatch(f"{ISO_TIME} ?(?:{OFFSET})?"))
    times = pd.to_datetime(text, format="ISO8601", utc=True, errors="coerce")
    has_offset = text.str.fullmatch(f"{ISO_TIME} ?(?:{OFFSET})", na=False)
    times = times.where(has_offset, from_local(times.dt.tz_localize(None), timezone))
    return times.mask(is_number, numbers.reindex(values.index))

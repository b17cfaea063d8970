"""What a candle must be, whatever its source; and the receipt of what was fetched."""

import hashlib
import math
from typing import Any

import numpy as np
import pandas as pd

from stages.common.bars import Bools, bar_length
from stages.common.errors import InputError
from stages.fetch.params import FetchParams

PRICES = ["open", "high", "low", "close"]
COLUMNS = ["open_time", *PRICES, "volume"]

MONDAY = pd.Timestamp("1970-01-05", tz="UTC")
WEEK = pd.Timedelta("7D")
MILLISECOND = pd.Timedelta("1ms")


def clean(candles: pd.DataFrame, symbol: str, params: FetchParams) -> pd.DataFrame:
    """A symbol's candles in the stages' schema, within [fetch.start, fetch.end), in order, each once.

    `candles`: any order, columns COLUMNS or more, `open_time` with a time zone. Returns COLUMNS,
    datetime64[ms, UTC] and float64; prices in quote currency, volume in base currency. Missing candles
    stay missing. Raises InputError where nothing is left, or on the first row that is no candle.
    """
    bar = bar_length(params.timeframe)
    table = to_schema(candles, symbol)
    inside = (table["open_time"] >= params.start_time) & (table["open_time"] < params.end_time)
    if not inside.any():
        raise InputError(
            "fetch.start and fetch.end must enclose a candle of each symbol; "
            f"between {params.start} and {params.end}, {symbol} has none{extent(table)}."
        )
    table = table[inside].sort_values("open_time").drop_duplicates(ignore_index=True)
    check_step(table["open_time"], symbol, params.timeframe)
    check_rows(table, symbol, bar)
    return table


def to_schema(candles: pd.DataFrame, symbol: str) -> pd.DataFrame:
    """COLUMNS alone, as datetime64[ms, UTC] and float64. Raises InputError where a value is no number."""
    columns: dict[str, pd.Series] = {"open_time": candles["open_time"].astype("datetime64[ms, UTC]")}
    for name in COLUMNS[1:]:
        try:
            columns[name] = candles[name].astype("float64")
        except (TypeError, ValueError) as error:
            raise InputError(
                f"fetch.symbols: {name} of {symbol} must be a number; received: {error}."
            ) from None
    return pd.DataFrame(columns)


def extent(table: pd.DataFrame) -> str:
    """From when to when there are candles, as the end of a sentence."""
    if table.empty:
        return ""
    return f": its candles run from {table['open_time'].min()} to {table['open_time'].max()}"


def check_step(open_time: pd.Series, symbol: str, timeframe: str) -> None:
    """Raise InputError unless the most frequent step between candles is one bar."""
    steps = open_time.diff().dropna()
    steps = steps[steps > pd.Timedelta(0)].mode()
    if not steps.empty and steps[0] != bar_length(timeframe):
        raise InputError(
            f"fetch.timeframe must be the step from candle to candle; received {timeframe}, "
            f"while {symbol} has a candle every {steps[0]}."
        )


def check_rows(table: pd.DataFrame, symbol: str, bar: pd.Timedelta) -> None:
    """Raise InputError on the first row that breaks a rule; rows must be sorted by time."""
    for rule, broken in broken_rules(table, bar).items():
        if broken.any():
            row = table.iloc[int(broken.argmax())]
            values = ", ".join(f"{name} {row[name]}" for name in COLUMNS[1:])
            raise InputError(f"fetch.symbols: {symbol} {rule}; received {values} at {row['open_time']}.")


def broken_rules(table: pd.DataFrame, bar: pd.Timedelta) -> dict[str, Bools]:
    """Which rows break each of the rules; shape (n_rows,) each."""
    prices, volume = table[PRICES].to_numpy(), table["volume"].to_numpy()
    _, high, low, _ = prices.T
    return {
        "must have times on the timeframe's grid": off_grid(table["open_time"], bar),
        "must have one candle a time": table["open_time"].duplicated().to_numpy(),
        "must have finite prices above 0": ~(np.isfinite(prices) & (prices > 0)).all(axis=1),
        "must have a finite volume, 0 or more": ~(np.isfinite(volume) & (volume >= 0)),
        "must have no price below low or above high": (
            (prices.min(axis=1) < low) | (prices.max(axis=1) > high)
        ),
    }


def off_grid(open_time: pd.Series, bar: pd.Timedelta) -> Bools:
    """Whether no bar may open at a time; shape (n_rows,)."""
    return ((open_time - MONDAY) // MILLISECOND % grid_ms(bar) != 0).to_numpy()


def grid_ms(bar: pd.Timedelta) -> int:
    """Milliseconds between the moments at which a bar may open, counted from Monday, 00:00 UTC.

    So bars of up to a day start at midnight. Exchanges differ on those that don't divide the week, such
    as 3d, which may start on any day.
    """
    return math.gcd(bar // MILLISECOND, WEEK // MILLISECOND)


def gaps(open_time: pd.Series, bar: pd.Timedelta) -> list[dict[str, Any]]:
    """Runs of missing candles between the first and the last: when each starts, and its length in bars."""
    after = open_time.index[open_time.diff() > bar]
    return [
        {
            "start": (open_time[row - 1] + bar).isoformat(),
            "missing_bars": (open_time[row] - open_time[row - 1]) // bar - 1,
        }
        for row in after
    ]


def content_sha256(candles: pd.DataFrame) -> str:
    """SHA-256 of the columns' bytes one after the other, in the order of COLUMNS.

    Little-endian; open_time as int64 milliseconds since 1970, the others as float64.
    """
    digest = hashlib.sha256(candles["open_time"].to_numpy("datetime64[ms]").astype("<i8").tobytes())
    for name in COLUMNS[1:]:
        digest.update(candles[name].to_numpy("<f8").tobytes())
    return digest.hexdigest()


def receipt(tables: dict[str, pd.DataFrame], params: FetchParams) -> dict[str, Any]:
    """What was asked for, and what each symbol's candles are: equal candles, equal receipt.

    Says neither when nor from which address they were fetched.
    """
    bar = bar_length(params.timeframe)
    return {
        "source": {params.source: getattr(params, params.source).model_dump()},
        "timeframe": params.timeframe,
        "start": params.start_time.isoformat(),
        "end": params.end_time.isoformat(),
        "symbols": {
            symbol: {
                "rows": len(table),
                "first": table["open_time"].iloc[0].isoformat(),
                "last": table["open_time"].iloc[-1].isoformat(),
                "gaps": gaps(table["open_time"], bar),
                "sha256": content_sha256(table),
            }
            for symbol, table in tables.items()
        },
    }

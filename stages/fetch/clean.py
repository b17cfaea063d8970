"""What a candle must be, whatever its source.

What can be mended without a doubt is, and told: order, rows that came twice, rows that are no candles.
What can't is refused.
"""

from typing import NamedTuple

import numpy as np
import pandas as pd

from stages.common.errors import InputError
from stages.fetch.grid import gaps, off_grid
from stages.fetch.params import JUMP, FetchParams

PRICES = ["open", "high", "low", "close"]
COLUMNS = ["open_time", *PRICES, "volume"]

ON_GRID = "bars must open on the timeframe's grid, or all of them a number of quarter hours later"

MOST_BROKEN = 0.01  # of the rows: with more, it is no table of candles
SPIKE = 1.5  # times beyond the highs, or lows, of both neighbours
WIDE = 5.0  # times the low: of all rows where a column isn't what its name says, seldom of a candle
ROUNDING = 1e-6  # of a price: what is lost where prices are kept as float32, tenfold
OTHER_STEPS = 24  # equal ones in a row: bars without trades, which exchanges leave out, are no such pattern
N_SHOWN = 10  # in an error


class DisagreementError(InputError):
    """Two rows of one time differ: neither can be taken for the true one."""


class Cleaned(NamedTuple):
    """A symbol's candles, COLUMNS; how many rows came twice, or after later ones; rows that break a rule.

    Of these, `broken` were left out, `suspect` kept; each has `open_time`, `rule` and `row` as text.
    `n_widened`: candles whose high or low was moved to hold a price that a rounding error had put beyond.
    """

    candles: pd.DataFrame
    n_duplicates: int
    n_out_of_order: int
    broken: list[dict[str, str]]
    suspect: list[dict[str, str]]
    n_widened: int


def clean(rows: pd.DataFrame, symbol: str, params: FetchParams) -> Cleaned:
    """A symbol's candles in the stages' schema, within [fetch.start, fetch.end), in order, each once.

    `rows`: any order, columns COLUMNS or more, `open_time` with a time zone. Candles are COLUMNS,
    datetime64[ms, UTC] and float64; prices in quote currency, volume in base currency. Missing candles
    stay missing. Raises InputError where none is left, where a gap is longer than fetch.max_gap_bars or a
    jump wider than fetch.max_jump, where two rows of a time differ, where times aren't the timeframe's, and
    where too many rows are no candles.
    """
    whole = to_schema(rows, symbol)
    inside = (whole["open_time"] >= params.start_time) & (whole["open_time"] < params.end_time)
    if not inside.any():
        raise InputError(
            "fetch.start and fetch.end must enclose a candle of each symbol; "
            f"between {params.start} and {params.end}, {symbol} has none{extent(whole)}."
        )
    found = whole[inside]
    table = agreed(found, symbol)
    check_step(table["open_time"], symbol, params)
    rules = broken_rules(table)
    rules.insert(0, ON_GRID, off_grid(table["open_time"], params.bar))
    check_few(table, rules, symbol)
    candles, n_widened = widened(table[~rules.any(axis=1)].reset_index(drop=True))
    check_jumps(candles, symbol, params)
    check_gaps(candles["open_time"], symbol, params)
    return Cleaned(
        candles,
        n_duplicates=len(found) - len(table),
        n_out_of_order=int((found["open_time"] < found["open_time"].cummax()).sum()),
        broken=listed(table, rules),
        suspect=listed(candles, suspect_rules(candles)),
        n_widened=n_widened,
    )


def to_schema(candles: pd.DataFrame, symbol: str) -> pd.DataFrame:
    """COLUMNS alone, as datetime64[ms, UTC] and float64. Raises InputError where a value is no number."""
    columns: dict[str, pd.Series] = {"open_time": candles["open_time"].astype("datetime64[ms, UTC]")}
    for name in COLUMNS[1:]:
        try:
            columns[name] = to_numbers(candles[name])
        except (OverflowError, TypeError, ValueError) as error:
            raise InputError(
                f"fetch.symbols: {name} of {symbol} must be a number; received: {str(error)[:200]}."
            ) from None
    return pd.DataFrame(columns)


def to_numbers(values: pd.Series) -> pd.Series:
    """A column as float64. Raises OverflowError, TypeError or ValueError where a value is no number.

    Python takes 1_000, digits of any script, true and false for numbers; here they are text.
    """
    if pd.api.types.is_bool_dtype(values):
        raise TypeError(f"{values.iloc[0]}, true or false")
    if not pd.api.types.is_numeric_dtype(values):
        texts = values.astype(str)
        odd = texts.str.contains("_|[^ -~\\s]|^(?:True|False)$", regex=True)
        if odd.any():
            raise ValueError(f"could not convert string to float: {texts[odd].iloc[0]!a}")
    return values.astype("float64")


def extent(table: pd.DataFrame) -> str:
    """From when to when there are candles, as the end of a sentence."""
    if table.empty:
        return ", nor at any other time: not a row came"
    return f": its candles run from {table['open_time'].min()} to {table['open_time'].max()}"


def in_words(table: pd.DataFrame) -> list[str]:
    """Each row's prices and volume."""
    return [
        ", ".join(f"{name} {row[name]}" for name in COLUMNS[1:])
        for row in table[COLUMNS[1:]].to_dict("records")
    ]


def agreed(rows: pd.DataFrame, symbol: str, way_out: str = "") -> pd.DataFrame:
    """The rows in time's order, each once. Raises DisagreementError where two of one time differ."""
    table = rows.sort_values("open_time", kind="stable").drop_duplicates(ignore_index=True)
    again = table["open_time"].duplicated().to_numpy()
    if again.any():
        place = int(again.argmax())
        first, second = in_words(table.iloc[place - 1 : place + 1])
        raise DisagreementError(
            f"fetch.symbols: {symbol} must have one candle a time; received {first} and {second} "
            f"at {table['open_time'].iloc[place]}{way_out}."
        )
    return table


def check_step(open_time: pd.Series, symbol: str, params: FetchParams) -> None:
    """Raise InputError unless candles are one bar apart: most of them, and nowhere many otherwise."""
    bar, steps = params.bar, open_time.diff().iloc[1:]
    rule = (
        "fetch.timeframe must be the step from candle to candle; "
        f"received {params.timeframe}, while {symbol} has"
    )
    usual = steps.mode()
    if len(usual) and usual[0] != bar:
        raise InputError(f"{rule} a candle every {usual[0]}.")
    as_before = (steps.diff() == pd.Timedelta(0)) & (steps != bar)
    in_a_row = steps[as_before.rolling(OTHER_STEPS - 1).sum() == OTHER_STEPS - 1]
    if len(in_a_row):
        raise InputError(f"{rule} one every {in_a_row.iloc[0]} up to {open_time[in_a_row.index[0]]}.")


def broken_rules(table: pd.DataFrame) -> pd.DataFrame:
    """What makes a row a candle, its time aside, a column a rule; and whether each row breaks it."""
    prices, volume = table[PRICES].to_numpy(), table["volume"].to_numpy()
    _, high, low, _ = prices.T
    rules = {
        "prices must be finite and above 0": ~(np.isfinite(prices) & (prices > 0)).all(axis=1),
        "volume must be finite, 0 or more": ~(np.isfinite(volume) & (volume >= 0)),
        "no price may be below low or above high": (
            (prices.min(axis=1) < low * (1 - ROUNDING)) | (prices.max(axis=1) * (1 - ROUNDING) > high)
        ),
    }
    return pd.DataFrame(rules, table.index)


def widened(candles: pd.DataFrame) -> tuple[pd.DataFrame, int]:
    """Candles whose high is their highest price and whose low is their lowest, and how many weren't so."""
    prices = candles[PRICES].to_numpy()
    high, low = prices.max(axis=1), prices.min(axis=1)
    n_widened = int(((high > candles["high"]) | (low < candles["low"])).sum())
    return candles.assign(high=high, low=low), n_widened


def suspect_rules(candles: pd.DataFrame) -> pd.DataFrame:
    """What bad prints break and crashes seldom do, a column a rule; and whether each candle does."""
    high, low = candles["high"], candles["low"]
    highest = np.fmax(high.shift(1), high.shift(-1))
    lowest = np.fmin(low.shift(1), low.shift(-1))
    rules = {
        f"no price should be {SPIKE} times beyond those of both neighbours": (
            (high > SPIKE * highest) | (low < lowest / SPIKE)
        ),
        f"no high should be more than {WIDE} times the low": high / WIDE > low,
    }
    return pd.DataFrame(rules)


def jumps(candles: pd.DataFrame) -> pd.DataFrame:
    """Where ranges of neighbours lie more than JUMP times apart, in time's order.

    Columns open_time, of the candle after the jump, and times: the lower end of the upper range over the
    upper end of the lower one. A gap between the two counts as any two neighbours do: a market that is
    halted to be redenominated has one just there. One that isn't halted has prices of both kinds in one
    candle, WIDE: the candle after it is compared with the one before it.
    """
    high, low = candles["high"].to_numpy(np.float64), candles["low"].to_numpy(np.float64)
    apart = np.ones(len(candles))
    with np.errstate(over="ignore"):
        for step, counts in ((1, low > 0), (2, high / WIDE > low)):
            distance = np.maximum(low[step:] / high[:-step], low[:-step] / high[step:])
            after = np.flatnonzero(counts[1 : len(candles) - step + 1]) + step
            apart[after] = np.maximum(apart[after], distance[after - step])
    return pd.DataFrame({"open_time": candles["open_time"], "times": apart})[apart > JUMP]


def check_jumps(candles: pd.DataFrame, symbol: str, params: FetchParams) -> None:
    """Raise InputError where a jump is wider than fetch.max_jump."""
    found = jumps(candles)
    too_wide = [
        f"by a factor of {jump['times']:.6g} at {jump['open_time'].isoformat()}"
        for jump in found[found["times"] > params.max_jump].to_dict("records")
    ]
    if too_wide:
        raise InputError(
            f"fetch.max_jump must be at least the widest distance between two neighbours of {symbol}, or "
            f"its prices mean two things; received {params.max_jump}, while they jump {some_of(too_wide)}."
        )


def some_of(found: list[str], n_shown: int = N_SHOWN) -> str:
    """The first `n_shown` of what an error lists, and how many more there are."""
    more = f" and {len(found) - n_shown:,} more" if len(found) > n_shown else ""
    return f"{', '.join(found[:n_shown])}{more}"


def listed(table: pd.DataFrame, rules: pd.DataFrame) -> list[dict[str, str]]:
    """The rows that break a rule, and the first one that each breaks."""
    broken = rules.any(axis=1)
    found, first = table[broken], rules.columns[rules[broken].to_numpy().argmax(axis=1)]
    return [
        {"open_time": time.isoformat(), "rule": rule, "row": row}
        for time, rule, row in zip(found["open_time"], first, in_words(found), strict=True)
    ]


def check_few(table: pd.DataFrame, rules: pd.DataFrame, symbol: str) -> None:
    """Raise InputError where more than MOST_BROKEN of the rows break a rule."""
    broken = table[rules.any(axis=1)]
    if len(broken) > MOST_BROKEN * len(table):
        raise InputError(
            f"fetch.symbols: {symbol} must have {1 - MOST_BROKEN:.0%} sound rows or more; received "
            f"{len(broken):,} broken ones of {len(table):,}, the first {in_words(broken[:1])[0]} "
            f"at {broken['open_time'].iloc[0]}: {rules.loc[broken.index[0]].idxmax()}."
        )


def check_gaps(open_time: pd.Series, symbol: str, params: FetchParams) -> None:
    """Raise InputError where a gap is longer than fetch.max_gap_bars.

    The one before the first candle may be: a market may be younger than the window.
    """
    found = gaps(open_time, params)
    too_long = [
        f"{gap['n_bars']:,} bars from {gap['start'].isoformat()}"
        for gap in found[found["n_bars"] > params.max_gap_bars].to_dict("records")
        if gap["start"] > open_time.iloc[0]
    ]
    if too_long:
        raise InputError(
            f"fetch.max_gap_bars must be at least the longest gap of {symbol} from its first candle to "
            f"fetch.end, {params.end}; received {params.max_gap_bars}, while it lacks "
            f"{some_of(too_long)}."
        )

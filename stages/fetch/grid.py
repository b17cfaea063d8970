"""When bars open: a timeframe's grid, how much later a market's own bars do, and gaps between candles."""

import math

import pandas as pd

from stages.common.bars import MONDAY
from stages.common.errors import InputError
from stages.fetch.params import FetchParams

EPOCH = pd.Timestamp(0, tz="UTC")
WEEK = pd.Timedelta("7D")
MILLISECOND = pd.Timedelta("1ms")
NIL = pd.Timedelta(0)
# Clocks of places differ from UTC by whole quarter hours, and no session opens between two.
QUARTER_HOUR = pd.Timedelta("15min")
TIME_TO_PUBLISH = pd.Timedelta("1min")  # that an exchange has for a candle that has closed


def grid(bar: pd.Timedelta) -> pd.Timedelta:
    """The time between the moments at which a bar usually opens, counted from Monday, 00:00 UTC.

    So bars of up to a day start at midnight. Exchanges differ on those that don't divide the week, such
    as 3d, which may start on any day.
    """
    return greatest_common(bar, WEEK)


def possible_grid(bar: pd.Timedelta) -> pd.Timedelta:
    """The time between the moments at which a bar may open, whatever its market's phase."""
    return greatest_common(bar, QUARTER_HOUR)


def greatest_common(one: pd.Timedelta, other: pd.Timedelta) -> pd.Timedelta:
    """The longest time of which both are multiples."""
    return math.gcd(one // MILLISECOND, other // MILLISECOND) * MILLISECOND


def phase_of(open_time: pd.Series, bar: pd.Timedelta) -> pd.Timedelta:
    """How much later than usual most bars open, if that is a number of quarter hours; else nil.

    As weeks from Thursday, days from 16:00 UTC, hours from half past. `open_time`: one or more.
    """
    phase = int(ms_after(open_time, grid(bar)).mode().iloc[0]) * MILLISECOND
    return phase if phase % QUARTER_HOUR == NIL else NIL


def off_grid(open_time: pd.Series, bar: pd.Timedelta) -> pd.Series:
    """Whether no bar may open at a time in the market whose bars these are; shape (n_rows,).

    Nor one that isn't whole bars away from most others: 3d bars open on any day, but not on one after two.
    """
    astray = ms_after(open_time, grid(bar)) != phase_of(open_time, bar) // MILLISECOND
    in_step = ms_after(open_time, bar)
    return astray | ~in_step.isin(in_step[~astray].mode()[:1])


def off_any_grid(open_time: pd.Series, bar: pd.Timedelta) -> pd.Series:
    """Whether no bar may open at a time, whatever its market's phase; shape (n_rows,)."""
    return ms_after(open_time, possible_grid(bar)) != 0


def ms_after(open_time: pd.Series, between: pd.Timedelta) -> pd.Series:
    """How long after a moment of a grid each time lies, in ms; shape (n_rows,)."""
    return (open_time - MONDAY) // MILLISECOND % (between // MILLISECOND)


class UnfinishedError(InputError):
    """The window holds a candle that is still forming."""


def check_closed(open_time: pd.Series, params: FetchParams, now: pd.Timestamp) -> None:
    """Raise UnfinishedError unless the candles that open then have all closed, and so will never change."""
    last_close = open_time.max() + params.bar
    if last_close + TIME_TO_PUBLISH > now:
        raise UnfinishedError(
            "fetch.end must leave closed candles only, or the same setting means other candles tomorrow; "
            f"received {params.end}, and the candle before it closes at {last_close:%Y-%m-%dT%H:%M}."
        )


def check_past(times: pd.Series, place: str, now: pd.Timestamp) -> None:
    """Raise InputError where a time can't be a candle's: it is yet to come, or was never set.

    `times`: the index is each row's place, from 0; `place`: whose they are, as the error says it.
    """
    astray = times[(times > now) | (times <= EPOCH)]
    if len(astray):
        raise InputError(
            f"fetch.symbols: times {place} must lie between 1970 and now; "
            f"received {astray.iloc[0]} in row {astray.index[0] + 1:,}."
        )


def gaps(open_time: pd.Series, params: FetchParams) -> pd.DataFrame:
    """The gaps of the window, in time's order: when the first missing candle would open, and how many are.

    Columns start, n_bars. The first gap may be from fetch.start to the first candle, the last from the last
    candle to fetch.end. `open_time`: of the candles there are, in order, of one phase.
    """
    bar, first, last = params.bar, open_time.iloc[0], open_time.iloc[-1]
    # With the last bar before the window and the first one after it, its ends are gaps as others are.
    before = first - ((first - params.start_time) // bar + 1) * bar
    after = last - (last - params.end_time) // bar * bar
    due = pd.concat([pd.Series([before]), open_time], ignore_index=True) + bar
    came = pd.concat([open_time, pd.Series([after])], ignore_index=True)
    n_bars = (came - due) // bar
    return pd.DataFrame({"start": due, "n_bars": n_bars})[n_bars > 0]

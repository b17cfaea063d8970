"""Settings of fetch: which candles, and where they come from."""

import re
from datetime import UTC, datetime
from typing import Any, Literal
from zoneinfo import ZoneInfo

import pandas as pd
from pydantic import Field, ValidationInfo, field_validator

from stages.common.bars import bar_length
from stages.common.errors import printable
from stages.common.params import MOST_BARS, Section, Seed
from stages.common.tables import file_name

NAME = r"[\w.+-]{1,40}"
LONGEST_NAME = 200  # bytes of a file's name: systems allow 255, with what is added to it
OF_WINDOWS = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\.|$)", re.IGNORECASE)  # devices there, no files
TIMEFRAME = re.compile("[1-9][0-9]{0,3}[mhdw]")
SYMBOL = re.compile(f"{NAME}/{NAME}(:{NAME})?")
# Times that two neighbours' ranges lie apart. In five years of hours of three coins it is 1.002 at most.
JUMP = 1.5
LONGEST_BAR = "4w"  # no market is old enough for the warm-up in longer ones
# A time before has no candles, a time after is a slip.
FIRST_TIME, LAST_TIME = pd.Timestamp("1970-01-01", tz="UTC"), pd.Timestamp("2100-01-01", tz="UTC")


class SimulatedParams(Section):
    """The built-in market."""

    seed: Seed
    drift_signal: float = Field(ge=0, lt=1)
    volatility_memory: float = Field(ge=0, le=1)
    distance_effect: float = Field(ge=0, le=1)
    release_effect: float = Field(ge=0, le=1)


class ExchangeParams(Section):
    """Any exchange that ccxt knows."""

    name: str = Field(min_length=1, max_length=50)  # ccxt's longest has 20


class FileParams(Section):
    """Candles dropped into data/import/file/."""

    timezone: str = Field(max_length=50)  # the longest there is has 32

    @field_validator("timezone")
    @classmethod
    def is_timezone(cls, name: str) -> str:
        """A name such as Europe/Berlin, from the IANA time zone database."""
        try:
            ZoneInfo(name)
        except (KeyError, OSError, ValueError):
            raise ValueError("must be a time zone's name, such as UTC or Europe/Berlin") from None
        return name


class FetchParams(Section):
    """Symbols, timeframe and window belong to every source."""

    source: Literal["simulated", "exchange", "file"]
    symbols: list[str] = Field(min_length=1, max_length=1_000)  # most exchanges list fewer
    timeframe: str
    start: str
    end: str
    max_gap_bars: int = Field(ge=0, le=MOST_BARS)
    max_jump: float = Field(le=1e12)  # the widest redenomination: twelve zeros, Zimbabwe 2009
    simulated: SimulatedParams
    exchange: ExchangeParams
    file: FileParams

    @field_validator("symbols")
    @classmethod
    def are_symbols(cls, symbols: list[str]) -> list[str]:
        """Each in ccxt's terms, and with a file of its own."""
        if not all(SYMBOL.fullmatch(symbol) for symbol in symbols):
            raise ValueError("must each be written BASE/QUOTE or BASE/QUOTE:SETTLE, as BTC/USDT")
        names = [file_name(symbol) for symbol in symbols]
        if any(len(name.encode()) > LONGEST_NAME or OF_WINDOWS.match(name) for name in names):
            raise ValueError(f"must each be a file's name everywhere, of {LONGEST_NAME} bytes at most")
        if len({name.lower() for name in names}) < len(names):
            raise ValueError("must each be given once, and have a file name of its own")
        return symbols

    @field_validator("timeframe")
    @classmethod
    def is_timeframe(cls, timeframe: str) -> str:
        """A number of minutes, hours, days or weeks, of LONGEST_BAR at most."""
        if not TIMEFRAME.fullmatch(timeframe):
            raise ValueError("must be a number from 1 to 9999 and one of m, h, d and w, as 1h")
        if bar_length(timeframe) > bar_length(LONGEST_BAR):
            raise ValueError(f"must be {LONGEST_BAR} at most")
        return timeframe

    @field_validator("max_jump")
    @classmethod
    def is_a_jump(cls, times: float) -> float:
        """A lesser one would end the run over what the receipt doesn't call a jump."""
        if times < JUMP:
            raise ValueError(f"must be at least {JUMP}, the least that counts as a jump")
        return times

    @field_validator("start", "end", mode="before")
    @classmethod
    def is_time(cls, value: Any) -> str:
        """A date or date-time as text: YAML makes something else of a date without quotes."""
        try:
            assert isinstance(value, str)
            assert FIRST_TIME <= utc(value) <= LAST_TIME
        except (AssertionError, OverflowError, ValueError):
            raise ValueError(
                'must be an ISO date or date-time from 1970 to 2100, in quotes, as "2022-01-01"'
            ) from None
        return value

    @field_validator("end")
    @classmethod
    def is_after_start(cls, end: str, info: ValidationInfo) -> str:
        """The end lies after the start, and not so long after that no memory holds the bars between."""
        if not {"start", "timeframe"} <= info.data.keys():
            return end
        start, timeframe = info.data["start"], info.data["timeframe"]
        if utc(end) <= utc(start):
            raise ValueError(f"must be later than fetch.start, {printable(start)}")
        n_bars = (utc(end) - utc(start)) // bar_length(timeframe)
        if n_bars > MOST_BARS:
            raise ValueError(
                f"must leave at most {MOST_BARS:,} bars of {timeframe} since fetch.start, not {n_bars:,}"
            )
        return end

    @property
    def bar(self) -> pd.Timedelta:
        """A bar's length."""
        return bar_length(self.timeframe)

    @property
    def start_time(self) -> pd.Timestamp:
        """The window's first moment, UTC."""
        return utc(self.start)

    @property
    def end_time(self) -> pd.Timestamp:
        """The first moment after the window, UTC."""
        return utc(self.end)


def utc(text: str) -> pd.Timestamp:
    """An ISO 8601 date or date-time; it is UTC unless it says otherwise. Raises ValueError if it's none."""
    time = datetime.fromisoformat(text)
    return pd.Timestamp(time.astimezone(UTC) if time.tzinfo else time.replace(tzinfo=UTC)).as_unit("ms")

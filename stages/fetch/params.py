"""Settings of fetch: which candles, and where they come from."""

from typing import Literal

from pydantic import Field

from stages.common.params import Section


class SimulatedParams(Section):
    """The built-in market."""

    seed: int = Field(ge=0)
    drift_signal: float = Field(ge=0, lt=1)


class ExchangeParams(Section):
    """Any exchange that ccxt knows."""

    name: str = Field(min_length=1)


class FileParams(Section):
    """Candles dropped into data/import/file/."""

    timezone: str


class FetchParams(Section):
    """Symbols, timeframe and window belong to every source."""

    source: Literal["simulated", "exchange", "file"]
    symbols: list[str] = Field(min_length=1)
    timeframe: str = Field(pattern="^[1-9][0-9]*[mhdw]$")
    start: str
    end: str
    simulated: SimulatedParams
    exchange: ExchangeParams
    file: FileParams


SECTIONS = {"fetch": FetchParams}

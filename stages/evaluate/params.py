"""Settings of evaluate."""

from pydantic import Field

from stages.common.params import Section, Seed


class EvaluateParams(Section):
    """The bootstrap, and the one strategy that the forecasts are traded by."""

    bootstrap: int = Field(ge=100, le=100_000)  # more change no digit that is shown, and take memory
    seed: Seed
    cost_bps: float = Field(ge=0, le=10_000)  # all that is traded
    target_volatility_pct: float = Field(ge=0.01, le=1_000)  # less trades nothing, more is ruin
    max_position: float = Field(ge=0.001, le=1_000_000)  # less trades nothing; so much caps nothing
    no_trade_band: float = Field(ge=0, lt=1)

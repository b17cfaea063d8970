"""Settings of evaluate."""

from pydantic import Field

from stages.common.params import Section


class EvaluateParams(Section):
    """The bootstrap, and the one strategy that the forecasts are traded by."""

    bootstrap: int = Field(ge=100)
    seed: int = Field(ge=0)
    cost_bps: float = Field(ge=0)
    target_volatility_pct: float = Field(gt=0)
    max_position: float = Field(gt=0)
    no_trade_band: float = Field(ge=0, lt=1)


SECTIONS = {"evaluate": EvaluateParams}

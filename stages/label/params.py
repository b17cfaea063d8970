"""Settings of label: the horizon, each question's target, and the folds."""

from typing import Annotated, Literal

from pydantic import Field, field_validator

from stages.common.params import Bars, Section

# Nearer, every bar touches both barriers; farther, none ever touches one.
Barrier = Annotated[float, Field(ge=0.01, le=100)]


class DirectionParams(Section):
    """The triple barrier."""

    up_atr: Barrier
    down_atr: Barrier
    timeout: Literal["sign", "zero"]


class VolatilityParams(Section):
    """What "how much" means."""

    target: Literal["atr", "true_range"]


class LabelParams(Section):
    """One horizon for all tasks, and a block for each: all must always be there."""

    horizon: int = Field(le=100_000)  # two months of minutes; each bar of it takes a pass over all rows
    direction: DirectionParams
    volatility: VolatilityParams

    @field_validator("horizon")
    @classmethod
    def outlasts_memory(cls, horizon: int) -> int:
        """Wilder's ATR remembers: a bar ahead, the last value alone foretells 99 % of it."""
        if horizon < 4:
            raise ValueError("must be at least 4 bars, or the ATR's own memory is the forecast")
        return horizon

    def of(self, task: str) -> Section:
        """The task's own block."""
        block = getattr(self, task)
        assert isinstance(block, Section)
        return block


class SplitParams(Section):
    """Where rows start, and how they are cut into folds."""

    scheme: Literal["walk_forward", "holdout"]
    folds: int = Field(ge=1, le=1_000)  # each has networks of its own
    test_bars: Bars
    val_bars: Bars
    warmup_bars: Bars
    bridge_bars: int = Field(ge=0, le=10_000)

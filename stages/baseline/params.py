"""Settings of baseline: how often the classical forecasts are refit, and on how much."""

from typing import Annotated

from pydantic import Field, ValidationInfo, field_validator

from stages.common.params import MOST_BARS, Bars, Section

FitBars = Annotated[int, Field(ge=200, le=MOST_BARS)]  # fewer say too little of 168 hours of the week


class BaselineParams(Section):
    """A window that grows from `min_bars` to `window_bars` rows, refit every `refit_bars` candles.

    Forecasts that take long to fit are refit every `slow_refit_bars`.
    """

    refit_bars: Bars
    min_bars: FitBars
    window_bars: FitBars
    slow_refit_bars: Bars

    @field_validator("window_bars")
    @classmethod
    def holds_the_first_fit(cls, window_bars: int, info: ValidationInfo) -> int:
        """A window grows; it can't start longer than it may become."""
        min_bars = info.data.get("min_bars", 0)
        if window_bars < min_bars:
            raise ValueError(f"must be at least baseline.min_bars, {min_bars}")
        return window_bars

    def slow(self) -> "BaselineParams":
        """The same window, for what is refit every `slow_refit_bars`."""
        return self.model_copy(update={"refit_bars": self.slow_refit_bars})

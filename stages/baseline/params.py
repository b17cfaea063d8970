"""Settings of baseline: how often the classical forecasts are refit, and on how much."""

from pydantic import Field

from stages.common.params import Section


class BaselineParams(Section):
    """A window that grows from `min_bars` to `window_bars` rows, refit every `refit_bars` rows."""

    refit_bars: int = Field(ge=1)
    min_bars: int = Field(ge=200)
    window_bars: int = Field(ge=200)


SECTIONS = {"baseline": BaselineParams}

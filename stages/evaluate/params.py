"""Settings of evaluate."""

from pydantic import Field

from stages.common.params import Section


class EvaluateParams(Section):
    """The bootstrap behind the intervals."""

    bootstrap: int = Field(ge=100)
    seed: int = Field(ge=0)


SECTIONS = {"evaluate": EvaluateParams}

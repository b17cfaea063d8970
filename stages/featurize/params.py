"""Settings of featurize: which groups of columns, and how far they look back."""

from typing import Literal

from pydantic import Field

from stages.common.params import Section

Group = Literal["returns", "ranges", "momentum", "volume", "clock"]


class FeaturizeParams(Section):
    """Groups that are switched on, and the windows that they look back over, in bars."""

    groups: list[Group] = Field(min_length=1)
    windows: list[int] = Field(min_length=1)


SECTIONS = {"featurize": FeaturizeParams}

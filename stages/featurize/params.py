"""Settings of featurize: which groups of columns, and how far they look back."""

from itertools import pairwise
from typing import Literal

from pydantic import Field, field_validator

from stages.common.params import Bars, Section

Group = Literal["returns", "ranges", "momentum", "volume", "clock", "distance", "freed", "events"]


class FeaturizeParams(Section):
    """Groups that are switched on, and the windows that they look back over, in bars.

    `events`: what is known in advance to move the market; baselines use it, too.
    """

    events: Literal["us_releases", "none"]
    groups: list[Group] = Field(min_length=1)
    windows: list[Bars] = Field(min_length=2, max_length=50)  # each makes columns in most groups

    @field_validator("groups")
    @classmethod
    def once_each(cls, groups: list[Group]) -> list[Group]:
        """A group named twice would give two columns of one name."""
        if len(set(groups)) < len(groups):
            raise ValueError("must name each group once")
        return groups

    @field_validator("windows")
    @classmethod
    def rising(cls, windows: list[int]) -> list[int]:
        """The last window is the longest, the yardstick of the others."""
        if any(later <= earlier for earlier, later in pairwise(windows)):
            raise ValueError("must rise")
        return windows

    @property
    def lookback_bars(self) -> int:
        """Candles of a stretch that go by before a row whose columns are all finite."""
        longest = self.windows[-1]
        needed: dict[Group, int] = {
            "returns": longest,  # a return needs the close before it
            "ranges": max(longest - 1, 14),  # ATR(14)
            "momentum": 33,  # MACD of 26 bars, its signal of 9
            "volume": longest - 1,
            "clock": 0,
            "distance": longest - 1,
            "freed": max(longest - 1, 14),  # ATR(14)
            "events": 0,
        }
        return max(needed[group] for group in self.groups)

"""What sections of params.yaml are made of. Each stage declares its own; stages/params.py reads them.

No stage lists this file as a dependency, for it changes no output.
"""

from difflib import get_close_matches
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

# Nineteen years of minutes: more bars than any market has had, and a number that no arithmetic overflows.
MOST_BARS = 10_000_000
Bars = Annotated[int, Field(ge=1, le=MOST_BARS)]
Seed = Annotated[int, Field(ge=0, lt=2**32)]  # what every generator of random numbers takes


class Section(BaseModel):
    """A block of params.yaml: frozen, no key missing, no key unknown, no type guessed."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


def nearest(key: str, block: str, known: list[str]) -> str:
    """The known key that looks most like this one, as the end of a sentence."""
    matches = get_close_matches(key, known, n=1)
    return f"; the nearest one is {block}{matches[0]}" if matches else ""

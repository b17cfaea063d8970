"""Settings of train: the network, what it corrects, and how it is fitted."""

from typing import Annotated, Literal

from pydantic import Field, field_validator

from stages.common.params import Section


class TrainParams(Section):
    """One network a fold and seed. `class_weights` concerns the task direction alone."""

    network: Literal["lstm", "gru", "dense"]
    units: int = Field(ge=1)
    window: int = Field(ge=1)
    dropout: float = Field(ge=0, lt=1)
    offset: Literal["baseline", "none"]
    class_weights: Literal["none", "balanced"]
    uniqueness: bool
    batch: int = Field(ge=1)
    epochs: int = Field(ge=1)
    patience: int = Field(ge=1)
    learning_rate: float = Field(gt=0)
    seeds: list[Annotated[int, Field(ge=0, lt=2**32)]] = Field(min_length=1)

    @field_validator("seeds")
    @classmethod
    def seeds_differ(cls, seeds: list[int]) -> list[int]:
        """Raise ValueError for a repeated seed: its network would be the same one twice."""
        if len(set(seeds)) < len(seeds):
            raise ValueError("should hold every seed once")
        return seeds


SECTIONS = {"train": TrainParams}

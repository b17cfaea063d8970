"""Settings of train: the network, what it corrects, and how it is fitted."""

from typing import Literal

from pydantic import Field

from stages.common.params import Section


class TrainParams(Section):
    """One network a fold and seed."""

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
    seeds: list[int] = Field(min_length=1)


SECTIONS = {"train": TrainParams}

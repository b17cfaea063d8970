"""Settings of train: the network, what it corrects, and how it is fitted."""

from typing import Literal

from pydantic import Field, field_validator

from stages.common.params import Bars, Section, Seed


class TrainParams(Section):
    """One network a fold and seed. `class_weights` concerns tasks of two classes alone."""

    network: Literal["lstm", "gru", "dense"]
    units: int = Field(ge=1, le=2_048)  # an LSTM's weights grow with the square: 70 MB then, times four
    window: int = Field(ge=1, le=5_000)  # a batch of windows is in memory at once
    dropout: float = Field(ge=0, le=0.95)  # beyond, hardly a unit is left to learn
    offset: Literal["baseline", "none"]
    error_half_lives: list[Bars] = Field(max_length=20)  # of the baseline's last errors, a feature each
    trees: int = Field(ge=0, le=10_000)  # of gradient boosting beside the network
    class_weights: Literal["none", "balanced"]
    uniqueness: bool
    batch: int = Field(ge=1, le=65_536)  # in memory at once, window by window
    epochs: int = Field(ge=1, le=10_000)  # far beyond what `patience` allows
    keep_epoch: Literal["best", "last"]  # best: of the lowest val loss
    refit_epochs: int = Field(ge=0, le=10_000)  # on train and val, before the test
    patience: int = Field(ge=1, le=10_000)
    learning_rate: float = Field(ge=1e-8, le=1)  # Adam moves each weight by about that much a batch
    seeds: list[Seed] = Field(min_length=1, max_length=100)  # a network a fold for each

    @field_validator("error_half_lives", "seeds")
    @classmethod
    def each_once(cls, values: list[int]) -> list[int]:
        """Raise ValueError for one that is repeated: it would be the same column, or network, twice."""
        if len(set(values)) < len(values):
            raise ValueError("should hold each once")
        return values

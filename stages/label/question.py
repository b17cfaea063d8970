"""What a task's module in this folder declares: how it labels."""

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import pandas as pd

from stages.common.arrays import Ints


@dataclass(frozen=True)
class Question:
    """`make_targets(bars, rows, horizon, settings)` labels the bars at these positions.

    `bars`: candles with `true_range` and `atr`; `settings`: the block `label.<task>`. Each position has
    `horizon` more bars after it, without a gap, and at least `split.warmup_bars` of its stretch before it.
    It gives a row each: `y`; `end`, where the bar is that tells y.
    """

    make_targets: Callable[[pd.DataFrame, Ints, int, Any], pd.DataFrame]


def question_of(task: str) -> Question:
    """The task's QUESTION."""
    question = import_module(f"stages.label.{task}").QUESTION
    assert isinstance(question, Question)
    return question

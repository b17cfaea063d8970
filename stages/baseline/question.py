"""What a task's module in this folder declares: the classical forecasts of its y."""

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module

from stages.baseline.refit import Forecaster


@dataclass(frozen=True)
class Question:
    """`baselines(**settings)`, of the block `label.<task>`: forecasters by column, `benchmark` first.

    A forecaster sees what `rows.make_rows` gives; what isn't among its columns has to be added there.
    """

    baselines: Callable[..., dict[str, Forecaster]]


def question_of(task: str) -> Question:
    """The task's QUESTION."""
    question = import_module(f"stages.baseline.{task}").QUESTION
    assert isinstance(question, Question)
    return question

"""What a task's module in this folder declares: how its forecasts are judged, traded and shown."""

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module

import pandas as pd

from stages.common.arrays import Bools, Floats
from stages.evaluate.figures import Figure


@dataclass(frozen=True)
class Words:
    """What pictures call a forecast, what came of it, the same on the link's scale, and the calls."""

    unit: str
    outcome: str
    delta: str
    surprise: str
    calls: str


@dataclass(frozen=True, kw_only=True)
class Question:
    """A task, as far as evaluate has to know; rows are those of `rows.join`, shapes (n_rows,).

    event: whether what `auc` and `hit_rate` rank above the rest came: of classes that y is 1, of amounts
    that y is above the benchmark. surprise: what came, which `ic` ranks; of amounts less the benchmark.
    calls: columns `actual` and `predicted`, the kind of each row as text. side: of the market, 1, -1 or 0.
    spread: forecast of the spread of the next bar's return, by which a position is sized; it takes
    `horizon_bars`, too. log_density: of y under a score, in nats. nonconformity: how badly y fits its
    forecast; `bounds` gives the lowest and highest in a set, of past ones in rising order and the share
    that may miss, and `width` the size of each row's set between bounds; `gamma` is how far a miss moves
    the next sets. outcomes: least and greatest y in the set of a forecast, between bounds; NaN if it is
    empty. block: the task's own figures, of test rows and bars a year; figures: what these are. tails:
    whether losses are held against their value at risk, too, up to label_end, which is the horizon. scale:
    of a forecast, for reading. What kinds of questions share is in `amount.question` and `chance.question`.
    """

    event: Callable[[pd.DataFrame], Bools]
    surprise: Callable[[pd.DataFrame], Floats]
    calls: Callable[[pd.DataFrame], pd.DataFrame]
    side: Callable[[pd.DataFrame], Floats]
    spread: Callable[[pd.DataFrame, int], Floats]
    log_density: Callable[[pd.DataFrame, Floats], Floats]
    nonconformity: Callable[[pd.DataFrame], Floats]
    bounds: Callable[[list[float], float], tuple[float, float]]
    width: Callable[[pd.DataFrame, Floats, Floats], Floats]
    gamma: float
    outcomes: Callable[[Floats, Floats, Floats], tuple[Floats, Floats]]
    block: Callable[[pd.DataFrame, float], dict[str, float]]
    figures: dict[str, Figure]
    scale: float
    tails: bool
    words: Words


def question_of(task: str) -> Question:
    """The task's QUESTION."""
    question = import_module(f"stages.evaluate.{task}").QUESTION
    assert isinstance(question, Question)
    return question

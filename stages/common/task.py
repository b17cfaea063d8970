"""A task is a question as forecasting sees it: a link, a loss, and the baseline that a network corrects.

Forecasts travel as scores, on the link's scale, where the correction is added. What else is a task's own
stands in the module of its name in the folders of label, baseline and evaluate.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from stages.common.arrays import Floats


@dataclass(frozen=True)
class Task:
    """What the stages need to know of a question.

    `link` maps a forecast in its own unit to a score, `inverse` back. `loss(y, score)` is the loss of
    each row, lower is better; `loss_name` is what the field calls it. `keras_loss(ops, y, score)` is its
    twin for tensors, (n, 1) to (n,), by `keras.ops`: only train imports Keras. `residual(y, score)` is what
    the score missed of each row's y. `offset` names the baseline that the network corrects. `classes`: y is
    0 or 1, so that there are classes to balance, and an AUC.
    """

    link: Callable[[Floats], Floats]
    inverse: Callable[[Floats], Floats]
    loss: Callable[[Floats, Floats], Floats]
    loss_name: str
    keras_loss: Callable[[Any, Any, Any], Any]
    residual: Callable[[Floats, Floats], Floats]
    offset: str
    classes: bool


def log_loss(y: Floats, score: Floats) -> Floats:
    """Negative log-likelihood of y in {0, 1} under p = 1 / (1 + exp(-score)), in nats; shape (n,)."""
    return np.logaddexp(0.0, score) - y * score


def qlike(y: Floats, score: Floats) -> Floats:
    """QLIKE of y > 0 under f = exp(score): y/f - ln(y/f) - 1, nil where f = y; shape (n,).

    Its expectation is least at f = E[y]. Source: Patton (2011), Journal of Econometrics 160(1).
    """
    log_ratio = np.log(y) - score
    return np.expm1(log_ratio) - log_ratio


def keras_log_loss(ops: Any, y: Any, score: Any) -> Any:
    """`log_loss` of tensors.

    Not Keras' own: its gradient takes a reciprocal, which processors of Intel and AMD approximate
    differently.
    """
    return ops.mean(ops.softplus(score) - y * score, axis=-1)


def keras_qlike(ops: Any, y: Any, score: Any) -> Any:
    """`qlike` of tensors."""
    log_ratio = ops.log(y) - score
    return ops.mean(ops.expm1(log_ratio) - log_ratio, axis=-1)


def logit(p: Floats) -> Floats:
    """ln(p / (1 - p)); shape (n,)."""
    from scipy.special import logit as of_scipy  # noqa: PLC0415  (takes longer than what most stages do)

    return of_scipy(p)


def expit(score: Floats) -> Floats:
    """The probability of a score, 1 / (1 + exp(-score)); shape (n,)."""
    from scipy.special import expit as of_scipy  # noqa: PLC0415

    return of_scipy(score)


def probability_residual(y: Floats, score: Floats) -> Floats:
    """What p misses: y in {0, 1} less p = 1 / (1 + exp(-score)); shape (n,)."""
    return y - expit(score)


def log_residual(y: Floats, score: Floats) -> Floats:
    """What the score misses: ln y less the score; shape (n,)."""
    return np.log(y) - score


DIRECTION = Task(
    link=logit,
    inverse=expit,
    loss=log_loss,
    loss_name="log loss",
    keras_loss=keras_log_loss,
    residual=probability_residual,
    offset="benchmark",
    classes=True,
)
AMOUNT = Task(  # of anything above 0
    link=np.log,
    inverse=np.exp,
    loss=qlike,
    loss_name="QLIKE",
    keras_loss=keras_qlike,
    residual=log_residual,
    offset="har_hour_of_week",
    classes=False,
)
TASKS = {
    "direction": DIRECTION,
    "volatility": replace(AMOUNT, offset="har_x"),
}

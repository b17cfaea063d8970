"""A task is a link, its inverse and a loss.

Forecasts travel as scores, on the link's scale, where a network's correction is added to a baseline.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.special import expit, logit

from stages.common.bars import Floats


@dataclass(frozen=True)
class Task:
    """What the stages need to know of a question.

    `link` maps a forecast in its own unit to a score, `inverse` back. `loss(y, score)` is the loss of
    each row, lower is better. `offset` names the baseline that the network corrects.
    """

    link: Callable[[Floats], Floats]
    inverse: Callable[[Floats], Floats]
    loss: Callable[[Floats, Floats], Floats]
    offset: str


def log_loss(y: Floats, score: Floats) -> Floats:
    """Negative log-likelihood of y in {0, 1} under p = 1 / (1 + exp(-score)), in nats; shape (n,)."""
    return np.logaddexp(0.0, score) - y * score


def qlike(y: Floats, score: Floats) -> Floats:
    """QLIKE of y > 0 under f = exp(score): y/f - ln(y/f) - 1, nil where f = y; shape (n,).

    Its expectation is least at f = E[y]. Source: Patton (2011), Journal of Econometrics 160(1).
    """
    log_ratio = np.log(y) - score
    return np.expm1(log_ratio) - log_ratio


TASKS: dict[str, Task] = {
    "direction": Task(link=logit, inverse=expit, loss=log_loss, offset="naive"),
    "volatility": Task(link=np.log, inverse=np.exp, loss=qlike, offset="har_hour_of_week"),
}

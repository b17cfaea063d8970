"""Does a forecast mean what it says? Slope 1 and intercept 0 if so."""

from collections.abc import Callable

import numpy as np
from scipy.optimize import minimize

from stages.common.arrays import Floats

Loss = Callable[[Floats, Floats], Floats]


def slope(y: Floats, score: Floats, benchmark: Floats, loss: Loss) -> float:
    """Slope b of benchmark + a + b (score - benchmark), as fits best; 0 where that difference never varies.

    1: the departures from the benchmark are as large as they should be; below 1: exaggerated;
    0: worthless. Scores, shape (n,), on the link scale. The log loss makes it a logistic regression,
    QLIKE a gamma regression with log link. Source: Cox (1958), Biometrika 45(3/4).
    """
    delta = score - benchmark
    spread = delta.std()
    # Below this the spread is the rounding of scores, not a forecast.
    if spread < 1e-9:
        return 0.0
    design = np.column_stack([np.ones_like(delta), (delta - delta.mean()) / spread])
    return float(fit(y, benchmark, design, loss)[1] / spread)


def intercept(y: Floats, score: Floats, loss: Loss) -> float:
    """What would have to be added to every score; above 0 where the forecasts are too low on the whole."""
    return float(fit(y, score, np.ones((len(y), 1)), loss)[0])


def fit(y: Floats, offset: Floats, design: Floats, loss: Loss) -> Floats:
    """Coefficients c, shape (n_columns,), that make the mean of loss(y, offset + design c) least."""

    def mean_loss(coefficients: Floats) -> float:
        return float(loss(y, offset + design @ coefficients).mean())

    # A step tried too far overflows to a loss of infinity, which the search turns away from.
    with np.errstate(over="ignore", invalid="ignore"):
        start = np.zeros(design.shape[1])
        return minimize(mean_loss, start, jac="3-point", options={"gtol": 1e-8}).x

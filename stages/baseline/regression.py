"""Linear regression on logs of ranges, plain and with an effect for each hour of the week."""

from typing import NamedTuple

import numpy as np

from stages.baseline.rows import HOURS
from stages.common.arrays import Floats, Ints

# Of one made-up row an hour of the week, against 52 real ones in a full year: enough to tell 168 columns
# that add up to one apart, too little to matter else. On BTC/USDT .1 to 3 move QLIKE by .4 %.
PENALTY = 1.0


class Line(NamedTuple):
    """ln f = level + slopes · (x - centre) + hour_effects[hour of the week]."""

    level: float
    slopes: Floats
    centre: Floats
    hour_effects: Floats

    def at(self, X: Floats, hour: Ints) -> Floats:
        """Fitted values; `X` has shape (n_rows, n_columns), the result (n_rows,)."""
        # einsum, here and below, for it adds in one order however many threads BLAS would take.
        return self.level + np.einsum("ij,j->i", X - self.centre, self.slopes) + self.hour_effects[hour]


def ols(X: Floats, y: Floats, _hour: Ints) -> Line:
    """Least squares of y on X and an intercept; `X` has shape (n_rows, n_columns), `y` (n_rows,).

    Of all best fits the one with the smallest slopes, where columns are alike.
    """
    level, centre = y.mean(), X.mean(axis=0)
    X = X - centre
    slopes = np.linalg.lstsq(np.einsum("ij,ik->jk", X, X), np.einsum("ij,i->j", X, y - level))[0]
    return Line(level, slopes, centre, np.zeros(HOURS))


def decayed_ridge(X: Floats, y: Floats, _hour: Ints) -> Line:
    """Ridge regression of y on the columns of X, centred, in which later rows weigh more.

    A row weighs half as much as one that comes half of all rows later. Minimises the sum of
    weight (y - level - slopes · x)² + PENALTY · slopes².
    """
    weight = 0.5 ** (np.arange(len(X))[::-1] / (len(X) / 2))
    share = weight / weight.sum()
    level, centre = float(np.einsum("i,i->", share, y)), np.einsum("i,ij->j", share, X)
    X = X - centre
    weighted = X * weight[:, None]
    moments = np.einsum("ij,ik->jk", weighted, X) + PENALTY * np.eye(X.shape[1])
    slopes = np.linalg.solve(moments, np.einsum("ij,i->j", weighted, y - level))
    return Line(level, slopes, centre, np.zeros(HOURS))


def ridge_by_hour(X: Floats, y: Floats, hour: Ints) -> Line:
    """Ridge regression of y on the columns of X and 168 dummies, all centred.

    Minimises the sum of (y - level - slopes · x - effect[hour])² + PENALTY · (slopes² + effects²), with a
    free level. The dummies' block of the normal equations is diagonal, so it is eliminated by hand, which
    leaves a small system in level and slopes. `hour` has shape (n_rows,), values from 0 to 167.
    """
    mean, centre = y.mean(), X.mean(axis=0)
    Z = np.column_stack([np.ones(len(X)), X - centre, y - mean])
    sums = np.stack([np.bincount(hour, column, HOURS) for column in Z.T], axis=1)
    shrunk = sums / (sums[:, :1] + PENALTY)
    moments = np.einsum("ij,ik->jk", Z, Z) - np.einsum("gj,gk->jk", sums, shrunk)
    moments[range(1, Z.shape[1] - 1), range(1, Z.shape[1] - 1)] += PENALTY
    solution = np.linalg.solve(moments[:-1, :-1], moments[:-1, -1])
    effects = shrunk[:, -1] - np.einsum("gj,j->g", shrunk[:, :-1], solution)
    return Line(mean + solution[0], solution[1:], centre, effects)

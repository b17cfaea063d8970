"""Ratios that columns are made of: scale-free, and finite where nothing moved or traded."""

import numpy as np
import pandas as pd

from stages.common.arrays import Ints
from stages.featurize.stretch import rolling

# A quiet bar may have no range at all, and ln 0 is no number. A hundredth of the usual lies below nearly
# every bar that trades, yet not so far that one quiet bar dwarfs all others once a column is standardised.
FLOOR = 0.01

# A hundredth of a basis point: the range, over price, of a market that stands still.
STILL = 1e-6


def share(part: pd.Series, whole: pd.Series) -> pd.Series:
    """A part of a whole, and 0 where the whole is 0; shape (n_bars,), no unit."""
    a, b = part.to_numpy(np.float64), whole.to_numpy(np.float64)
    nothing = np.where(np.isnan(a) | np.isnan(b), np.nan, 0.0)
    return pd.Series(np.divide(a, b, out=nothing, where=b > 0))


def log_ratio(value: pd.Series, usual: pd.Series) -> pd.Series:
    """ln(value / usual), the ratio taken as at least `FLOOR`; shape (n_bars,)."""
    return np.log(share(value, usual).clip(lower=FLOOR))


def log_means(name: str, values: pd.Series, start: Ints, windows: list[int]) -> dict[str, pd.Series]:
    """Mean over each window but the longest, as its log ratio to the mean over the longest.

    `values`: shape (n_bars,), never negative, any unit. Row t uses the rows (t - longest, t]
    of its stretch, which begins at row `start[t]`.
    """
    *shorter, longest = windows
    usual = rolling(values, start, longest).mean()
    return {f"{name}_{w}": log_ratio(rolling(values, start, w).mean(), usual) for w in shorter}

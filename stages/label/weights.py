"""How much a label counts among others that share its bars."""

import numpy as np

from stages.common.arrays import Floats, Ints


def average_uniqueness(start: Ints, end: Ints, n_bars: int) -> Floats:
    """Mean of 1/c over the bars (start, end] of each label, where c labels cover a bar; in (0, 1].

    `start`, `end`: positions among `n_bars` bars, shape (n,), start < end. A label depends on no bar
    after its own end, but for which of the rows up to then are labels at all.
    Source: López de Prado (2018), Advances in Financial Machine Learning, ch. 4.
    """
    begins, stops = (np.bincount(bars + 1, minlength=n_bars + 1) for bars in (start, end))
    uniqueness = 1 / np.maximum(np.cumsum(begins - stops), 1)
    # Sums over [start + 1, end + 1), and, skipped, those from there to the next label. Differences of one
    # cumulative sum would carry its round-off and could exceed 1.
    sums = np.add.reduceat(uniqueness, np.column_stack([start, end]).ravel() + 1)[::2]
    return sums / (end - start)

"""Which of all the forecasts may be the best one: the model confidence set."""

import numpy as np
import pandas as pd

from stages.common.arrays import Ints

BINS_A_BLOCK = 28  # days of four weeks


def mcs_p(losses: pd.DataFrame, time: Ints, block: int, replicates: int, seed: int) -> dict[str, float]:
    """P-value of "no forecast is better than this one" for every column of `losses`.

    `losses`: a row a time and symbol, a column a forecast, lower is better; `time` numbers the rows'
    times from 0. The losses of a time's symbols are averaged. Those with a p of .1 or more make the 90 %
    confidence set, in which the best one is with that probability. Forecasts of the same losses share
    their p; it is 1 for all where they all do, or where the test is no longer than a `block`.
    """
    binned, bins = in_bins(losses.groupby(time).mean(), block)
    twins = first_twins(binned)
    distinct = binned[sorted(set(twins.values()))]
    if distinct.shape[1] == 1 or bins >= len(binned):
        return dict.fromkeys(twins, 1.0)
    p = confidence_set(distinct, bins, replicates, seed)
    return {name: p[first] for name, first in twins.items()}


def in_bins(by_time: pd.DataFrame, block: int) -> tuple[pd.DataFrame, int]:
    """Losses added over the 28th part of a block, and the bins of a block.

    Blocks that start at any bar say hardly more, for many times the rows and the memory.
    """
    bin_bars = max(1, block // BINS_A_BLOCK)
    return by_time.groupby(np.arange(len(by_time)) // bin_bars).sum(), -(-block // bin_bars)


def first_twins(losses: pd.DataFrame) -> dict[str, str]:
    """The first column that equals each one but for rounding; itself where there is no other."""
    twins: dict[str, str] = {}
    for name, column in losses.items():
        same = (first for first in twins.values() if np.allclose(losses[first], column, rtol=1e-9, atol=0))
        twins[str(name)] = next(same, str(name))
    return twins


def confidence_set(losses: pd.DataFrame, block: int, replicates: int, seed: int) -> dict[str, float]:
    """P-value of each column, no two of which are equal, by the range statistic T_R.

    T_R compares pair by pair. T_max compares with the mean of all, so that one forecast far better than
    several that are alike leaves them in the set. Of ten equal forecasts over 20 blocks, each is out of
    the 90 % set in 3-7 % of samples by T_R, and some one of them in 21-39 % (over 48 blocks in 13-20 %).
    Source: Hansen, Lunde and Nason (2011), Econometrica 79(2), 453-497.
    """
    from arch.bootstrap import MCS  # noqa: PLC0415  (takes two seconds)

    mcs = MCS(losses, 0.1, replicates, block, "R", "circular", seed=seed)
    mcs.compute()
    return {str(name): float(p) for name, p in mcs.pvalues["Pvalue"].items()}

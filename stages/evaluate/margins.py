"""90 % intervals of means over the test, for the report: by the bootstrap of blocks."""

import numpy as np
import pandas as pd

from stages.common.arrays import Floats
from stages.evaluate.significance import Sample, resampled_sums, sums

Margins = dict[str, tuple[float, float]]  # lower and upper end, by key of metrics.json


def margins(info: Floats, covered: Floats, returns: pd.DataFrame, sample: Sample) -> Margins:
    """Of the information gained, of coverage and of utility.

    `info`, `covered`: of each row of the test, in nats and 0 or 1, shape (n_rows,), as `sample` numbers
    them. `returns`: of `trading.returns_by_time`.
    """
    n, n_times = sums(np.ones(len(info)), sample.time), np.ones(len(returns))
    utility = returns["network_utility"].to_numpy(np.float64)
    means = {
        "info_gain_mnats": (1000 * sums(info, sample.time), n),
        "coverage_90_pct": (100 * sums(covered, sample.time), n),
        "utility_bps": (utility, n_times),
    }
    return {key: interval(total, number, sample) for key, (total, number) in means.items()}


def interval(total: Floats, number: Floats, sample: Sample) -> tuple[float, float]:
    """Of the ratio of two sums over times; each of shape (n_times,)."""
    replicates = resampled_sums(total, sample.starts, sample.block) / resampled_sums(
        number, sample.starts, sample.block
    )
    lo, hi = np.quantile(replicates, [0.05, 0.95])
    return float(lo), float(hi)

"""90 % intervals of means over the test, for the report."""

import numpy as np
import pandas as pd

from stages.common.arrays import Floats, Ints
from stages.evaluate.significance import margin, standard_error, sums

Margins = dict[str, tuple[float, float]]  # lower and upper end, by key of metrics.json


def margins(info: Floats, covered: Floats, returns: pd.DataFrame, time: Ints) -> Margins:
    """Of the information gained, of coverage and of utility.

    `info`, `covered`: of each row of the test, in nats and 0 or 1, shape (n_rows,); `time` numbers the
    rows' times from 0. `returns`: of `trading.returns_by_time`.
    """
    n, n_times = sums(np.ones(len(info)), time), np.ones(len(returns))
    utility = returns["network_utility"].to_numpy(np.float64)
    means = {
        "info_gain_mnats": (1000 * sums(info, time), n),
        "coverage_90_pct": (100 * sums(covered, time), n),
        "utility_bps": (utility, n_times),
    }
    return {key: interval(total, number) for key, (total, number) in means.items()}


def interval(total: Floats, number: Floats) -> tuple[float, float]:
    """Of the ratio of two sums over times, each of shape (n_times,), by the delta method.

    Not by a bootstrap of blocks: where errors last for weeks, blocks of four weeks make it too narrow.
    Source: van der Vaart (1998), Asymptotic Statistics, ch. 3.
    """
    ratio = float(total.sum() / number.sum())
    half = margin(standard_error((total - ratio * number) / number.mean()), len(total))
    return ratio - half, ratio + half

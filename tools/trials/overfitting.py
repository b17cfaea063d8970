"""What a best result is worth once many were tried: Holm, the deflated Sharpe ratio, CSCV."""

from itertools import combinations

import numpy as np
from scipy.stats import kurtosis, norm, skew

from stages.common.arrays import Floats
from stages.evaluate.trading import sharpe_of_sums

N_PARTS = 16  # of the test, half of which choose the best trial: 12,870 ways


def holm(p: Floats, n_unknown: int = 0) -> Floats:
    """Holm-adjusted p-values: if all trials are worthless, any is below .05 with a chance of at most 5 %.

    The k-th smallest is multiplied by the number of those not smaller, and is never below the one before
    it. Shape (n_trials,). `n_unknown`: number of p-values that aren't known; they count as larger than the
    others.
    Source: Holm (1979), Scandinavian Journal of Statistics 6(2), 65-70.
    """
    order = np.argsort(p, kind="stable")
    stepped = np.maximum.accumulate(p[order] * (np.arange(len(p), 0, -1) + n_unknown))
    adjusted = np.empty(len(p))
    adjusted[order] = np.minimum(stepped, 1.0)
    return adjusted


def power_sums(returns: Floats) -> Floats:
    """Number, sum and sum of squares of each column of `returns`; shape (3, n_trials)."""
    return np.array([np.ones(returns.shape), returns, returns**2]).sum(axis=1)


def sharpe(sums: Floats) -> Floats:
    """Mean over standard deviation of returns, a bar; 0 of returns that never change.

    `sums`: `power_sums` of them, shape (3, ...); those of several stretches may be added up.
    """
    count, total, squares = sums
    return sharpe_of_sums(total, squares, count, bars_a_year=1)


def expected_best(sharpes: Floats) -> float:
    """Sharpe ratio that the best of as many trials would show if none were worth anything.

    sd (1 - g) Phi^-1(1 - 1/N) + sd g Phi^-1(1 - 1/(N e)), with g Euler's constant and sd the spread of
    the N trials' Sharpe ratios; 0 of a single trial.
    Source: Bailey and López de Prado (2014), Journal of Portfolio Management 40(5), 94-107.
    """
    n_trials = len(sharpes)
    if n_trials < 2:
        return 0.0
    quantiles = norm.ppf([1 - 1 / n_trials, 1 - 1 / (n_trials * np.e)])
    return float(sharpes.std(ddof=1) * np.dot([1 - np.euler_gamma, np.euler_gamma], quantiles))


def deflated_sharpe(returns: Floats) -> float:
    """Probability that the best trial's Sharpe ratio is above what the luckiest of so many would show.

    `returns`: shape (n_times, n_trials), of the same times. Phi((SR - SR0) sqrt(T - 1) / sqrt(1 - s SR +
    (k - 1)/4 SR^2)), SR of the best trial a bar, s and k its returns' skewness and kurtosis, SR0 that of
    `expected_best`; ½ where the best earns nothing, as when it never trades. Source: as there.
    """
    sharpes = sharpe(power_sums(returns))
    best, bar = returns[:, np.argmax(sharpes)], float(sharpes.max())
    if bar == 0:
        return 0.5
    spread = np.sqrt(1 - skew(best) * bar + (kurtosis(best, fisher=False) - 1) / 4 * bar**2)
    return float(norm.cdf((bar - expected_best(sharpes)) * np.sqrt(len(best) - 1) / spread))


def overfitting_probability(returns: Floats) -> float:
    """How often the best trial on half of the test is below the median of the other half.

    `returns`: shape (n_times, n_trials), n_trials at least 2. The test is cut into 16 parts in order of
    time; each way takes 8 of them to choose the trial of the highest Sharpe ratio, and ranks it among
    all on the other 8; ties share their ranks. ½ is luck.
    Source: Bailey, Borwein, López de Prado and Zhu (2017), Journal of Computational Finance 20(4), 39-69.
    """
    parts = np.array([power_sums(part) for part in np.array_split(returns, N_PARTS)])
    halves = np.array(list(combinations(range(N_PARTS), N_PARTS // 2)))
    ways = np.zeros((len(halves), N_PARTS))
    np.put_along_axis(ways, halves, 1.0, axis=1)
    inside, outside = (sharpe(np.einsum("wp,pmn->mwn", half, parts)) for half in (ways, 1 - ways))
    chosen = np.take_along_axis(outside, inside.argmax(axis=1)[:, None], axis=1)
    n_lower = (outside < chosen).sum(axis=1) + ((outside == chosen).sum(axis=1) - 1) / 2
    return float(np.mean(np.sign((returns.shape[1] - 1) / 2 - n_lower) + 1) / 2)

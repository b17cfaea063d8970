"""Tests by betting: figures that may be looked at at any time, and as often as you like.

A gambler bets, before each outcome, against what is claimed. If the claim is true, no way of betting makes
money in expectation. So his wealth, which starts at 1, ever reaches 20 with a chance of 1 in 20 at most
(Ville 1939), however long one watches, and whenever one stops. Source: Shafer (2021), JRSS A 184(2),
407-431; Waudby-Smith and Ramdas (2024), JRSS B 86(1), 1-27, for means of what is bounded.

Wealth is the mean over several gamblers, each of whom always bets the same share: nothing has to be chosen
after the fact. Outcomes must not overlap, or a bet would be placed on what is half known.
"""

import numpy as np

from stages.common.arrays import Bools, Floats

REJECTED = 20.0  # wealth at which the claim fails at 5 %

# Of the most that may be bet without the risk of losing all; both ways where both are wrong.
SHARES = np.array([0.02, 0.05, 0.1, 0.2, 0.5])


def coverage_wealth(missed: Bools, promised: float) -> Floats:
    """Wealth after each outcome, against "a share `promised` is missed, whatever came before"; (n,).

    Half of the gamblers bet on more misses, half on fewer.
    """
    surprise = np.asarray(missed, np.float64) - promised
    most = np.concatenate([SHARES / promised, -SHARES / (1 - promised)])
    return wealth(surprise, most)


def gain_wealth(loss: Floats, opponent: Floats) -> Floats:
    """Wealth after each outcome, against "it saves no larger a share than it loses"; shape (n,).

    What is claimed: (opponent - loss) / (opponent + loss), what is saved of both losses together, has a
    mean of at most 0, whatever came before. It lies between -1 and 1, so that one wild hour doesn't decide:
    of losses without a bound no bet is safe. So a forecast that is seldom, but then badly, wrong may refute
    the claim and have no skill. Source: Choe and Ramdas (2024), Operations Research 72(4), for forecasts
    compared by betting.
    """
    both = np.asarray(opponent) + np.asarray(loss)
    saved = np.divide(np.asarray(opponent) - loss, both, out=np.zeros(len(both)), where=both > 0)
    return wealth(saved, SHARES)


def wealth(surprise: Floats, bets: Floats) -> Floats:
    """Mean wealth of gamblers who always bet the same on a `surprise` of mean 0; shape (n,)."""
    paths = np.cumprod(1 + surprise[:, None] * bets, axis=0)
    return np.asarray(paths.mean(axis=1), np.float64)

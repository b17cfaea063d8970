from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tools.trials.overfitting import (
    deflated_sharpe,
    expected_best,
    holm,
    overfitting_probability,
    power_sums,
    sharpe,
)

ps = st.lists(st.floats(0, 1), min_size=1, max_size=20).map(np.array)


def test_holm_by_hand():
    """The least of three is tripled, the next doubled, the last stays; the order of the trials is kept."""
    np.testing.assert_allclose(holm(np.array([0.04, 0.01, 0.3])), [0.08, 0.03, 0.3])


def test_holm_never_falls_below_a_smaller_one():
    """.02 doubled stays above .021, which then counts as much as the one before it."""
    np.testing.assert_allclose(holm(np.array([0.02, 0.021])), [0.04, 0.04])


@given(ps)
def test_holm_lies_between_the_p_value_and_bonferroni(p):
    """Many tries never make a p-value smaller, nor larger than their number times it."""
    adjusted = holm(p)

    assert (adjusted >= p - 1e-15).all()
    assert (adjusted <= np.minimum(1, len(p) * p) + 1e-15).all()


@given(ps)
def test_holm_keeps_the_order(p):
    """A smaller p-value is never adjusted to a larger one."""
    adjusted = holm(p)

    assert (np.diff(adjusted[np.argsort(p, kind="stable")]) >= 0).all()


def test_holm_rejects_noise_seldom():
    """Of 20 trials of nothing, any passes .05 in about 5 % of cases, where unadjusted 64 % do."""
    p = np.random.default_rng(1).random((2000, 20))

    assert np.mean([holm(trials).min() < 0.05 for trials in p]) == pytest.approx(0.05, abs=0.015)


def test_sharpe_is_mean_over_standard_deviation():
    """Of each column, and of stretches laid together as of the whole."""
    returns = 1e-4 + 1e-3 * np.random.default_rng(1).standard_normal((500, 3))

    expected = returns.mean(axis=0) / returns.std(axis=0)
    np.testing.assert_allclose(sharpe(power_sums(returns)), expected)
    np.testing.assert_allclose(sharpe(power_sums(returns[:70]) + power_sums(returns[70:])), expected)


@given(st.floats(1e-9, 1e3))
def test_sharpe_knows_no_unit(scale):
    """Returns in percent have the Sharpe ratio of returns in parts, however small."""
    returns = scale * np.column_stack([np.arange(10.0), np.ones(10)])

    np.testing.assert_allclose(sharpe(power_sums(returns)), [4.5 / np.arange(10.0).std(), 0])


def test_sharpe_of_a_flat_strategy_is_nil():
    """Who never trades earns nothing, and divides by nothing; nor does one return for ever say anything."""
    returns = np.column_stack([np.zeros(1000), np.full(1000, 0.1), np.full(1000, -1e-5)])

    np.testing.assert_array_equal(sharpe(power_sums(returns)), 0)


def test_expected_best_is_what_the_luckiest_shows():
    """The mean of the largest of 50 normal draws, whatever their spread."""
    draws = 0.02 * np.random.default_rng(1).standard_normal((4000, 50))

    assert np.mean([expected_best(row) for row in draws]) == pytest.approx(
        draws.max(axis=1).mean(), rel=0.03
    )
    assert expected_best(draws[0, :1]) == 0


def test_deflated_sharpe_of_worthless_trials_is_no_discovery():
    """The best of 50 coins passes .95 in at most about 5 % of cases, where undeflated most would."""
    rng = np.random.default_rng(2)
    best = [deflated_sharpe(rng.standard_normal((500, 50))) for _ in range(100)]

    assert np.mean(np.array(best) > 0.95) <= 0.1


def test_deflated_sharpe_finds_the_one_that_is_worth_something():
    """A trial with a real Sharpe ratio stands out among 100 coins."""
    rng = np.random.default_rng(3)
    coins, skilled = rng.standard_normal((5000, 100)), 0.1 + rng.standard_normal((5000, 1))

    assert deflated_sharpe(np.hstack([coins, skilled])) > 0.99
    assert deflated_sharpe(coins) < 0.9


def test_deflated_sharpe_without_rivals_is_that_of_one_trial():
    """A single normal trial: Phi(SR sqrt(T - 1) / sqrt(1 + SR^2 / 2)), about."""
    returns = 0.05 + np.random.default_rng(4).standard_normal((5000, 1))

    assert 0.99 < deflated_sharpe(returns) < 1


def test_deflated_sharpe_of_a_strategy_that_never_trades_is_a_half():
    """Alone, or as the best of strategies that lose: nothing was found, and nothing was refuted."""
    losing = -1 + np.random.default_rng(10).standard_normal((100, 1))

    assert deflated_sharpe(np.zeros((100, 1))) == 0.5
    assert deflated_sharpe(np.full((100, 1), 0.1)) == 0.5
    assert deflated_sharpe(np.hstack([losing, np.zeros((100, 1))])) == 0.5


def test_overfitting_probability_of_coins_is_a_half():
    """Whichever coin was best on one half is as often below as above the median on the other."""
    rng = np.random.default_rng(5)
    shares = [overfitting_probability(rng.standard_normal((320, 10))) for _ in range(12)]

    assert np.mean(shares) == pytest.approx(0.5, abs=0.12)


def test_overfitting_probability_of_one_that_is_always_best_is_nil():
    """What is best everywhere is chosen everywhere, and is best on the other half too."""
    returns = np.random.default_rng(6).standard_normal((320, 5))
    returns[:, 2] += 1

    assert overfitting_probability(returns) == 0


def test_overfitting_probability_of_trials_that_fit_one_half_is_high():
    """Trials that earn on a sixteenth and lose it elsewhere are chosen for it, and fail."""
    noise = 0.1 * np.random.default_rng(7).standard_normal((320, 16))
    part = np.arange(320) // 20

    assert overfitting_probability(noise + np.where(part[:, None] == np.arange(16), 15, -1)) > 0.9


def test_overfitting_probability_equals_the_textbook_loop(monkeypatch):
    """Sums of parts give what slicing the returns and ranking the trials does."""
    monkeypatch.setattr("tools.trials.overfitting.N_PARTS", 6)
    returns = 0.1 * np.arange(4) + np.random.default_rng(8).standard_normal((60, 4))
    below = []
    for way in combinations(range(6), 3):
        inside = np.isin(np.arange(60) // 10, way)
        chosen = np.argmax(returns[inside].mean(axis=0) / returns[inside].std(axis=0))
        outside = returns[~inside].mean(axis=0) / returns[~inside].std(axis=0)
        below.append((outside.argsort().argsort()[chosen] + 1) / 5 < 0.5)

    assert overfitting_probability(returns) == np.mean(below)


def test_overfitting_probability_of_twins_is_a_half():
    """Trials that are all alike can't be told apart: luck."""
    twins = np.repeat(np.random.default_rng(9).standard_normal((320, 1)), 3, axis=1)

    assert overfitting_probability(twins) == 0.5

import numpy as np
import pytest

from tools.track.betting import REJECTED, SHARES, coverage_wealth, gain_wealth

N_LOOKS = 10_000


def false_alarms(ever: list[float]) -> tuple[int, int]:
    """How many of the histories ever reached the wealth that rejects, of how many."""
    return sum(most >= REJECTED for most in ever), len(ever)


@pytest.mark.slow
def test_coverage_as_promised_is_seldom_called_off_however_often_one_looks():
    """Ten thousand looks at each of a thousand histories: at most 5 % ever raise a false alarm."""
    rng = np.random.default_rng(1)
    alarms, n = false_alarms([coverage_wealth(rng.random(N_LOOKS) < 0.1, 0.1).max() for _ in range(1000)])
    assert alarms / n <= 0.05


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["equal", "worse", "heavy", "lasting"])
def test_a_forecast_no_better_is_seldom_called_better_however_often_one_looks(kind):
    """Whether losses are alike, or worse, have heavy tails, or errors that last: at most 5 %."""
    rng, ever = np.random.default_rng(2), []
    for _ in range(1000):
        loss, opponent = rng.exponential(size=(2, N_LOOKS))
        if kind == "worse":
            loss *= 1.1
        if kind == "heavy":
            loss, opponent = rng.pareto(1.1, (2, N_LOOKS))
        if kind == "lasting":  # which of the two errs more lasts, but not which way it will turn
            level = np.exp(np.cumsum(rng.standard_normal(N_LOOKS)) / 20)
            loss, opponent = loss * level, opponent * level
        ever.append(gain_wealth(loss, opponent).max())
    alarms, n = false_alarms(ever)
    assert alarms / n <= 0.05


def test_wealth_is_what_its_gamblers_have():
    """By hand: two outcomes, each gambler's share of the most that may be bet."""
    found = coverage_wealth(np.array([True, False]), 0.1)
    more, fewer = 1 + 0.9 * SHARES / 0.1, 1 - 0.9 * SHARES / 0.9
    assert found[0] == pytest.approx(np.mean([*more, *fewer]))
    more, fewer = more * (1 - 0.1 * SHARES / 0.1), fewer * (1 + 0.1 * SHARES / 0.9)
    assert found[1] == pytest.approx(np.mean([*more, *fewer]))
    saved = gain_wealth(np.array([1.0, 1.0]), np.array([3.0, 0.0]))
    assert saved[0] == pytest.approx(np.mean(1 + 0.5 * SHARES))
    assert saved[1] == pytest.approx(np.mean((1 + 0.5 * SHARES) * (1 - SHARES)))


@pytest.mark.parametrize("missed", [0.0, 1.0])
def test_nobody_loses_all(missed):
    """However long one kind of outcome lasts, wealth stays above 0, and finite while it rises."""
    found = coverage_wealth(np.full(400, bool(missed)), 0.1)
    assert (found > 0).all()
    assert np.isfinite(found).all()
    assert (gain_wealth(np.ones(400), np.zeros(400)) > 0).all()


@pytest.mark.parametrize("share", [0.2, 0.04])
def test_wrong_coverage_is_found(share):
    """Twice as many misses as promised, or less than half as many, within 3,000 outcomes."""
    rng = np.random.default_rng(3)
    found = [coverage_wealth(rng.random(3000) < share, 0.1).max() >= REJECTED for _ in range(100)]
    assert np.mean(found) > 0.95


def test_a_better_forecast_is_found():
    """One that saves a tenth of its opponent's loss, within 3,000 outcomes."""
    rng = np.random.default_rng(4)
    found = []
    for _ in range(100):
        level = rng.exponential(size=3000)
        loss, opponent = 0.9 * level, level * np.exp(0.5 * rng.standard_normal(3000))
        found.append(gain_wealth(loss, opponent).max() >= REJECTED)
    assert np.mean(found) > 0.95


def test_what_is_refuted_is_of_single_outcomes():
    """A forecast that loses a tenth less in 98 of 100 hours, and twenty times as much in two, has no skill.

    It refutes the claim all the same, as the docstring says: shares of both losses are what is bet on.
    """
    rng = np.random.default_rng(6)
    opponent = np.ones(600)
    loss = np.where(rng.random(600) < 0.02, 20.0, 0.9)
    assert loss.sum() > opponent.sum()
    assert gain_wealth(loss, opponent).max() >= REJECTED


def test_wealth_knows_no_later_outcome():
    """What comes after leaves it as it was."""
    missed = np.random.default_rng(5).random(100) < 0.1
    np.testing.assert_array_equal(
        coverage_wealth(missed, 0.1)[:50], coverage_wealth(np.append(missed[:50], ~missed[50:]), 0.1)[:50]
    )


def test_nothing_is_no_evidence():
    """Before the first outcome, and where both always lose the same or nothing."""
    assert coverage_wealth(np.zeros(0, np.bool_), 0.1).tolist() == []
    assert gain_wealth(np.zeros(3), np.zeros(3)).tolist() == [1.0, 1.0, 1.0]
    assert gain_wealth(np.ones(3), np.ones(3)).tolist() == [1.0, 1.0, 1.0]

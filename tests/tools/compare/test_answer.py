"""The four answers, of runs of which the truth is known."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from stages.evaluate.significance import N_COSINES, long_run_covariance
from tools.compare.answer import LEVEL, answer, judged
from tools.compare.scored import Scored

ENOUGH = 20 * 28 * 24  # hours that make twenty blocks
N_PAIRS = 300


def asked(a: Scored, b: Scored, *, same_task: bool = True, worth: float = 1.0):
    """The answer of b against a."""
    return answer(a, b, same_task=same_task, worth=worth)


def test_a_great_gain_is_better_and_its_mirror_worse(runs):
    """And what is saved of the one's loss has its sign from which of them is judged."""
    bad, good = runs(ENOUGH, [0.3, 0.1])

    found, mirrored = asked(bad, good), asked(good, bad)

    assert (found.verdict, mirrored.verdict) == ("better", "worse")
    assert 0 < found.lo < found.gain < found.hi
    assert mirrored.lo < mirrored.gain < mirrored.hi < 0
    assert found.p == pytest.approx(mirrored.p)
    assert (found.n_rows, found.n_hours, found.n_blocks) == (ENOUGH, ENOUGH, 20)


def test_the_same_forecasts_are_no_difference_however_short_the_test(runs):
    """Nothing is left to chance where both lose the same on each row."""
    (one,) = runs(500, [0.2])

    found = asked(one, one)

    assert found.verdict == "no difference worth having"
    assert found.identical
    assert found.gain is found.p is None
    assert all(each.difference == 0 for each in found.ranges.values())


def test_a_difference_too_small_to_be_worth_it_is_named_so_even_where_it_is_sure(runs):
    """The whole interval within the bounds counts, not whether nil lies in it."""
    (one,) = runs(ENOUGH, [0.2])
    other = one._replace(rows=one.rows.assign(network=0.995 * one.rows["network"]))

    assert asked(one, other).p < 0.001
    assert asked(one, other).gain == pytest.approx(0.5)
    assert asked(one, other).verdict == "no difference worth having"
    assert asked(one, other, worth=0.4).verdict == "better"
    assert asked(other, one, worth=0.4).verdict == "worse"


def test_luck_that_might_matter_cannot_be_told(runs):
    """Equal errors of another draw: neither shown to be different, nor shown to be the same."""
    found = asked(*runs(ENOUGH, [0.2, 0.2]))

    assert found.verdict == "can't tell"
    assert found.p >= LEVEL
    assert found.lo < 0 < found.hi


def test_a_short_test_cannot_be_told_however_great_the_gain(runs):
    """Fewer than twenty blocks say nothing of how blocks differ."""
    found = asked(*runs(ENOUGH - 1, [0.4, 0.1]))

    assert found.verdict == "can't tell"
    assert found.gain > 10
    assert found.n_blocks < 20


@pytest.mark.parametrize(
    ("lo", "hi", "p", "verdict"),
    [
        (-0.9, 0.9, 0.8, "no difference worth having"),
        (0.2, 0.9, 0.01, "no difference worth having"),
        (-1.0, 0.5, 0.4, "can't tell"),
        (0.1, 1.5, 0.049, "better"),
        (-0.1, 1.5, 0.05, "can't tell"),
        (-3.0, -1.5, 0.001, "worse"),
        (-0.1, 3.0, 0.001, "can't tell"),
    ],
)
def test_an_interval_and_p_have_one_name(lo, hi, p, verdict):
    """The bounds themselves are worth having; a p of .05 is not below it."""
    assert judged(lo, hi, p, worth=1.0) == verdict


def test_only_rows_that_both_scored_count(runs):
    """Windows that overlap in part: what either had alone moves nothing."""
    bad, good = runs(ENOUGH + 1000, [0.3, 0.1])
    late = good._replace(rows=good.rows[1000:])
    early = bad._replace(rows=bad.rows[:-500])
    both = bad._replace(rows=bad.rows[1000:-500]), good._replace(rows=good.rows[1000:-500])

    assert asked(early, late) == asked(*both)
    assert asked(early, late).n_rows == ENOUGH - 500


def test_rows_of_other_hours_are_not_compared(runs):
    """It says why, in place of a number."""
    (one,) = runs(500, [0.2])
    later = one._replace(rows=one.rows.assign(close_time=one.rows["close_time"] + pd.Timedelta(days=900)))

    found = asked(one, later)

    assert (found.verdict, found.why) == ("can't tell", "no test row was scored by both")


def test_other_candles_are_not_compared(runs):
    """Hours against half hours."""
    (one,) = runs(500, [0.2])

    assert asked(one, one._replace(bar=pd.Timedelta(minutes=30))).why == "their candles aren't equally long"


def test_other_outcomes_are_compared_by_skill(runs):
    """Two questions, or another horizon: percent of one loss are no percent of the other."""
    bad, good = runs(ENOUGH, [0.4, 0.1])
    other = good._replace(rows=good.rows.assign(y=2 * good.rows["y"]))

    for found in (asked(bad, good, same_task=False), asked(bad, other)):
        skills = [
            100 * (1 - run.rows["network"].sum() / run.rows["benchmark"].sum()) for run in (bad, good)
        ]
        assert found.unit == "points of skill"
        assert found.gain == pytest.approx(skills[1] - skills[0])
        assert found.verdict == "better"
        assert 0 < found.lo < found.gain < found.hi
        assert found.p < 0.001


def test_the_same_forecast_of_two_questions_is_no_difference(runs):
    """An interval of no width, and a p of 1."""
    (one,) = runs(ENOUGH, [0.2])

    found = asked(one, one, same_task=False)

    assert (found.gain, found.lo, found.hi, found.p) == (0, 0, 0, 1)
    assert found.verdict == "no difference worth having"


def test_the_longer_horizon_makes_the_blocks(runs):
    """A label of four weeks needs blocks of eight."""
    one, other = runs(ENOUGH, [0.3, 0.1])

    assert asked(one, other._replace(horizon_bars=28 * 24)).n_blocks == 10


def test_symbols_of_an_hour_share_its_luck(runs):
    """A second symbol with the same losses adds rows and no certainty."""
    one, other = runs(ENOUGH, [0.25, 0.2])
    doubled = [
        run._replace(rows=pd.concat([run.rows, run.rows.assign(symbol="ETH")], ignore_index=True))
        for run in (one, other)
    ]

    alone, together = asked(one, other), asked(*doubled)

    assert together.n_rows == 2 * alone.n_rows
    assert together.n_hours == alone.n_hours
    assert together.p == pytest.approx(alone.p)
    assert (together.lo, together.hi) == pytest.approx((alone.lo, alone.hi))


def test_symbols_that_one_has_alone_leave_money_out(runs):
    """What was traded isn't the same, so that its difference says nothing of the forecasts."""
    one, other = runs(ENOUGH, [0.25, 0.2])
    more = other._replace(rows=pd.concat([other.rows, other.rows.assign(symbol="ETH")], ignore_index=True))

    found = asked(one, more)

    assert found.n_rows == ENOUGH
    assert {"net_sharpe", "utility_bps"}.isdisjoint(found.ranges)
    assert found.p == pytest.approx(asked(one, other).p)


def test_outcomes_that_differ_by_rounding_are_the_same(runs):
    """As those of another machine may."""
    bad, good = runs(ENOUGH, [0.3, 0.1])
    rounded = good._replace(rows=good.rows.assign(y=np.nextafter(good.rows["y"], 1)))

    assert asked(bad, rounded).unit == "% of the loss"


def test_a_few_equal_rows_say_nothing_of_the_others(runs):
    """The same forecasts where both have some, and hardly any in common."""
    (one,) = runs(ENOUGH, [0.2])
    early, late = (one._replace(rows=rows) for rows in (one.rows[:-500], one.rows[500:]))

    assert asked(early, late).identical
    assert asked(early, late).verdict == "can't tell"


def test_order_of_rows_does_not_matter(runs):
    """Time is read from close_time, not from where a row stands."""
    one, other = runs(ENOUGH, [0.25, 0.2])
    mixed = other._replace(rows=other.rows.sample(frac=1, random_state=1))

    assert asked(one, mixed).p == pytest.approx(asked(one, other).p, rel=1e-6)


def test_figures_of_the_common_rows_are_those_of_metrics_json(runs):
    """Each is worked out as its definition says, and its interval holds the difference."""
    one, other = runs(ENOUGH, [0.25, 0.2])

    ranges = asked(one, other).ranges

    assert ranges["coverage_90_pct"].a == pytest.approx(100 * one.rows["covered"].mean())
    assert ranges["info_gain_mnats"].b == pytest.approx(1000 * other.rows["info"].mean())
    assert ranges["edge_pct"].b == pytest.approx(
        100 * (1 - other.rows["network"].sum() / other.rows["best"].sum())
    )
    assert ranges["net_sharpe"].a == pytest.approx(
        one.money["net"].mean() / one.money["net"].std(ddof=0) * np.sqrt(365.25 * 24), rel=1e-3
    )
    assert all(each.lo <= each.difference <= each.hi for each in ranges.values())


def test_intervals_of_figures_are_those_of_the_test(runs):
    """Of a mean the delta method is the plain interval, and of percent of a loss nearly Fieller's."""
    one, other = runs(ENOUGH, [0.25, 0.2])
    ranges = asked(one, other).ranges
    gained = (other.rows["info"] - one.rows["info"]).to_numpy()

    spread = np.sqrt(long_run_covariance(gained[:, None], N_COSINES)[0, 0])
    half = stats.t.isf(0.05, N_COSINES) * spread / np.sqrt(ENOUGH)
    info = ranges["info_gain_mnats"]
    assert info.hi - info.difference == pytest.approx(1000 * half, rel=1e-6)
    flat = [run._replace(rows=run.rows.assign(benchmark=1.0)) for run in (one, other)]
    skill = asked(*flat).ranges["skill_pct"]
    assert (skill.lo > 0) == (skill.p < 0.1)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("lasting", "same_task"), [(0.99, True), (0.99, False), (0.9985, True), (0.9985, False)]
)
def test_equal_models_are_called_different_in_one_pair_of_twenty(runs, lasting, same_task):
    """Two forecasts of the same worth, on market after market: better or worse in 5 %, within error.

    Whether half of an error is gone after three days or three weeks, and by either way to compare. With
    errors that last for weeks the test of eight cosines is off by a little, as the pipeline's own is.
    """
    pairs = [
        asked(*runs(ENOUGH, [0.2, 0.2], seed, lasting), same_task=same_task) for seed in range(N_PAIRS)
    ]

    n_different = sum(each.verdict in ("better", "worse") for each in pairs)

    assert stats.binomtest(n_different, N_PAIRS, LEVEL, alternative="greater").pvalue > 0.01
    # The interval is one of 90 %: it leaves out the truth, which is nil, in a tenth of the pairs.
    n_outside = sum(not each.lo <= 0 <= each.hi for each in pairs)
    assert stats.binomtest(n_outside, N_PAIRS, 0.1, alternative="greater").pvalue > 0.01


@pytest.mark.slow
def test_a_known_gain_is_found_as_often_as_its_power_says(runs):
    """The power follows from how much the difference varies from market to market."""
    pairs = [runs(ENOUGH, [0.2, 0.18], seed) for seed in range(N_PAIRS)]
    differences = [float(np.mean(a.rows["network"] - b.rows["network"])) for a, b in pairs]
    shift = np.mean(differences) / np.std(differences)
    critical = stats.t.isf(LEVEL / 2, N_COSINES)
    power = float(stats.nct.sf(critical, N_COSINES, shift) + stats.nct.cdf(-critical, N_COSINES, shift))

    n_better = sum(asked(a, b, worth=0.0).verdict == "better" for a, b in pairs)

    assert 0.2 < power < 0.9  # else nothing would be tested
    assert stats.binomtest(n_better, N_PAIRS, power).pvalue > 0.01

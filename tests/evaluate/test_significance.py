import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import stats

from stages.common.task import qlike
from stages.evaluate.significance import (
    Comparison,
    Sample,
    better,
    block_bars,
    block_starts,
    compare,
    dm_p,
    fold_gains,
    gain_interval,
    gain_pct,
    long_run_covariance,
    resampled_sums,
    sample_of,
    too_short,
)

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

HOUR = pd.Timedelta(hours=1)


def autocorrelated(n: int, memory: float, rng: np.random.Generator) -> Floats:
    """An AR(1) of unit innovations, warmed up."""
    values = np.zeros(n + 500)
    shocks = rng.standard_normal(n + 500)
    for t in range(1, n + 500):
        values[t] = memory * values[t - 1] + shocks[t]
    return values[500:]


def compared(loss: Floats, reference: Floats) -> Comparison:
    """`compare` of one symbol's losses, in four folds of equal length."""
    n = len(loss)
    starts = block_starts(n, 20, 200, np.random.default_rng(0))
    return compare(loss, reference, four_folds(np.arange(n), starts))


def four_folds(hour: Ints, starts: Ints, *, short: bool = False) -> Sample:
    """A sample of rows at these hours, in four folds of equal length and blocks of 20."""
    return Sample(hour, hour * 4 // (hour.max() + 1), starts, 20, short)


def test_gain_is_the_share_of_the_reference_loss_that_is_saved():
    """Half the loss is 50 %, double the loss is -100 %, and nothing to lose is nothing to gain."""
    np.testing.assert_array_equal(
        gain_pct(np.array([1.0, 4.0, 0.0, 3.0]), np.array([2.0, 2.0, 0.0, 0.0])), [50, -100, 0, 0]
    )


def test_fold_gains_are_each_folds_own():
    """A fold's losses are summed before they are compared."""
    gains = fold_gains(np.array([1.0, 2.0, 3.0]), np.array([2.0, 4.0, 2.0]), np.array([0, 0, 1]))

    np.testing.assert_allclose(gains, [50, -50])


def test_a_block_is_four_weeks_or_two_horizons():
    """Blocks must outlast both the market's memory and the labels' overlap."""
    assert block_bars(20 * 672, 14, HOUR) == block_bars(99_999, 14, HOUR) == 672
    assert block_bars(99_999, 500, HOUR) == 1000


def test_a_short_test_has_shorter_blocks():
    """Twenty of them, so that its interval has a width; but two horizons are the least."""
    assert block_bars(4000, 14, HOUR) == 200
    assert block_bars(300, 14, HOUR) == 28


@pytest.mark.parametrize(("hours", "block"), [(0.25, 2688), (4, 168), (24, 28)])
def test_a_block_lasts_four_weeks_at_any_timeframe(hours, block):
    """What lasts is the market's memory, not a number of bars."""
    assert block_bars(99_999, 14, hours * HOUR) == block
    assert too_short(20 * block - 1, 14, hours * HOUR)
    assert not too_short(20 * block, 14, hours * HOUR)


def test_fewer_than_twenty_blocks_are_too_short():
    """Full blocks, that is; the limit itself is long enough."""
    assert too_short(20 * 672 - 1, 14, HOUR)
    assert not too_short(20 * 672, 14, HOUR)
    assert too_short(19_999, 500, HOUR)


@given(
    n=st.integers(1, 60), block=st.integers(1, 80), replicates=st.integers(1, 5), seed=st.integers(0, 99)
)
@settings(deadline=None, max_examples=60)
def test_resampled_sums_equal_sums_over_written_out_rows(n, block, replicates, seed):
    """The running sums give what picking each replicate's rows one by one gives."""
    rng = np.random.default_rng(seed)
    values = rng.standard_normal(n)
    starts = block_starts(n, block, replicates, rng)

    expected = []
    for replicate in starts:
        picked = [(start + step) % n for start in replicate for step in range(block)][:n]
        expected.append(sum(values[row] for row in picked))

    np.testing.assert_allclose(resampled_sums(values, starts, block), expected, atol=1e-9)


def test_blocks_start_anywhere_and_cover_the_series():
    """As many blocks as it takes, each row as likely as the next to be a start."""
    starts = block_starts(50, 8, 4000, np.random.default_rng(1))

    assert starts.shape == (4000, 7)
    counts = np.bincount(starts.ravel(), minlength=50)
    assert len(counts) == 50
    assert counts.min() > 0.8 * counts.mean()


def lasting_losses(n: int, memory: float, rng: np.random.Generator) -> Floats:
    """QLIKE of log errors of spread .2, an AR(1): as lopsided as real losses, and as uncertain a level."""
    return qlike(np.ones(n), 0.2 * np.sqrt(1 - memory**2) * autocorrelated(n, memory, rng))


def test_interval_is_what_the_test_does_not_reject():
    """At each end the Diebold-Mariano test of the ratio found there is at 5 %, on its own side."""
    rng = np.random.default_rng(2)
    loss, reference = lasting_losses(2000, 0.9, rng), lasting_losses(2000, 0.9, rng)
    lo, hi = gain_interval(loss, reference)

    assert dm_p((1 - lo / 100) * reference - loss) == pytest.approx(0.05, abs=1e-9)
    assert dm_p((1 - hi / 100) * reference - loss) == pytest.approx(0.95, abs=1e-9)
    assert lo < 100 * (1 - loss.mean() / reference.mean()) < hi


def test_losses_that_last_widen_the_interval():
    """Hours that say the same count once: far wider where an hour's error lasts for fifty."""
    rng = np.random.default_rng(3)
    lasting = 1 + 0.01 * autocorrelated(6000, 0.98, rng)
    shuffled = rng.permutation(lasting)
    widths = [np.ptp(gain_interval(loss, np.ones(6000))) for loss in (lasting, shuffled)]

    assert widths[0] > 4 * widths[1]


@pytest.mark.parametrize("memory", [0.9, 0.99])
def test_each_end_of_the_interval_errs_one_time_in_twenty(memory):
    """Of forecasts that truly gain nothing; the second's errors last a hundred of 2,500 hours."""
    rng = np.random.default_rng(9)
    ends = np.array(
        [gain_interval(*(lasting_losses(2500, memory, rng) for _ in range(2))) for _ in range(600)]
    )

    assert 0.02 < np.mean(ends[:, 0] > 0) < 0.085
    assert 0.02 < np.mean(ends[:, 1] < 0) < 0.085


@given(st.integers(0, 10_000))
@settings(deadline=None, max_examples=60)
def test_interval_and_test_agree(seed):
    """The lower end is above nil just where p is below .05, however uncertain the reference's level."""
    rng = np.random.default_rng(seed)
    n, memory = int(rng.integers(2, 80)), rng.random()
    loss, reference = (lasting_losses(n, memory, rng) for _ in range(2))
    lo, hi = gain_interval(loss, reference)
    p = dm_p(reference - loss)

    assert np.isfinite([lo, hi]).all()
    assert lo <= gain_pct(loss.sum(), reference.sum()) <= hi
    assert (lo > 0) == (p < 0.05)
    assert (hi < 0) == (p > 0.95)


def test_interval_is_paired():
    """A loss that is always 90 % of the reference's is known to the digit, however much both swing."""
    reference = np.exp(np.random.default_rng(4).standard_normal(500))

    np.testing.assert_allclose(gain_interval(0.9 * reference, reference), [10, 10])


@pytest.mark.parametrize("n", [1, 2, 50])
def test_interval_is_never_nan(n):
    """A single hour, or a reference that loses nothing, has a point for an interval."""
    assert gain_interval(np.ones(n), np.zeros(n)) == (0, 0)
    assert gain_interval(np.full(n, 0.5), np.ones(n)) == pytest.approx((50, 50))


def variance_of(values: Floats) -> float:
    """Long-run variance of one series, by sixteen cosines."""
    return float(long_run_covariance(values[:, None], 16)[0, 0])


def test_long_run_variance_equals_its_written_formula():
    """The matrix product gives what the paper's sums give."""
    values = np.random.default_rng(5).standard_normal(50) + 0.3
    n, n_cosines = 50, 6

    total = 0.0
    for j in range(1, n_cosines + 1):
        projection = 0.0
        for t in range(1, n + 1):
            projection += values[t - 1] * np.cos(np.pi * j * (t - 0.5) / n)
        total += (np.sqrt(2 / n) * projection) ** 2

    assert long_run_covariance(values[:, None], n_cosines)[0, 0] == pytest.approx(
        total / n_cosines, rel=1e-12
    )


def test_long_run_variance_of_noise_is_its_variance_and_ignores_the_mean():
    """Without memory there is nothing to correct for; a constant is no variance."""
    values = np.random.default_rng(6).standard_normal((300, 400))
    estimates = [variance_of(row) for row in values]

    assert np.mean(estimates) == pytest.approx(1, abs=0.07)
    assert variance_of(values[0] + 5) == pytest.approx(estimates[0], rel=1e-9)


def test_long_run_variance_sees_memory():
    """An AR(1)'s long-run variance is 1 / (1 - memory)^2, far above its variance."""
    rng = np.random.default_rng(7)
    estimates = [variance_of(autocorrelated(4000, 0.8, rng)) for _ in range(60)]

    assert np.mean(estimates) == pytest.approx(25, rel=0.15)


def test_long_run_covariance_is_of_each_pair():
    """Of a sum it is the sum over all pairs; it is symmetric, and each column's own on the diagonal."""
    values = np.random.default_rng(16).standard_normal((300, 3))
    covariance = long_run_covariance(values, 16)

    np.testing.assert_allclose(covariance, covariance.T)
    np.testing.assert_allclose(np.diag(covariance), [variance_of(column) for column in values.T])
    assert covariance.sum() == pytest.approx(variance_of(values.sum(axis=1)))


def test_dm_p_is_the_t_tests_tail():
    """The statistic's upper tail under a t distribution of 8 degrees."""
    difference = np.random.default_rng(8).standard_normal(300) + 0.05
    statistic = difference.mean() / np.sqrt(long_run_covariance(difference[:, None], 8)[0, 0] / 300)

    assert dm_p(difference) == pytest.approx(stats.t.sf(statistic, 8), rel=1e-9)


def test_dm_rejects_equal_forecasts_at_its_nominal_rate_though_errors_last():
    """With errors that last fifty hours it rejects one in twenty, not one in three."""
    rng = np.random.default_rng(9)
    shocks = rng.standard_normal((2600, 500))
    values = np.zeros_like(shocks)
    for t in range(1, len(shocks)):
        values[t] = 0.98 * values[t - 1] + shocks[t]

    rejected = np.mean([dm_p(column) < 0.05 for column in values[600:].T])

    assert 0.02 < rejected < 0.09


def test_dm_p_of_the_swapped_comparison_is_the_rest():
    """What speaks for one forecast speaks against the other."""
    difference = np.random.default_rng(10).standard_normal(200) + 0.1

    assert dm_p(-difference) == pytest.approx(1 - dm_p(difference), abs=1e-12)


@pytest.mark.parametrize(
    ("difference", "expected"),
    [([0.0] * 50, 1.0), ([0.0], 1.0), ([2.0], 1.0), ([1.0] * 64, 0.0), ([-1.0] * 64, 1.0)],
)
def test_dm_p_is_never_nan(difference, expected):
    """No difference, one hour, or the same difference every hour have a plain answer too."""
    assert dm_p(np.array(difference)) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize(
    ("lo", "p", "gains", "expected"),
    [
        (0.1, 0.01, [1, 1, 1, -1], True),
        (0.0, 0.01, [1, 1, 1, 1], False),
        (0.1, 0.05, [1, 1, 1, 1], False),
        (0.1, 0.01, [1, 1, -1, -1], False),
        (0.1, 0.01, [1, 1, -1], True),
        (0.1, 0.01, [1, 0, 0, 0], False),
        (0.1, 0.01, [1, 1, 0, 0], True),
        (0.1, 0.01, [1], False),
    ],
)
def test_better_needs_interval_test_and_folds(lo, p, gains, expected):
    """All three must hold; tied folds don't vote, and one fold alone decides nothing."""
    assert better(lo, p, np.array(gains, dtype=float)) is expected


@given(gap=st.floats(-0.3, 0.3), seed=st.integers(0, 999))
@settings(deadline=None, max_examples=60)
def test_swapping_the_two_forecasts_flips_the_verdict(gap, seed):
    """Verdict 1 for one is verdict -1 for the other; undecided stays undecided."""
    rng = np.random.default_rng(seed)
    reference = 1 + 0.3 * rng.random(600)
    loss = reference - gap * rng.random(600)

    assert compared(loss, reference).verdict == -compared(reference, loss).verdict


@pytest.mark.parametrize(("gap", "verdict"), [(0.2, 1), (-0.2, -1)])
def test_a_plain_difference_has_a_verdict(gap, verdict):
    """A tenth of the loss saved in nearly every hour is a signal, and lost, its mirror."""
    rng = np.random.default_rng(11)
    reference = 1 + 0.3 * rng.random(600)
    loss = reference - gap * rng.random(600)

    result = compared(loss, reference)

    assert result.verdict == verdict
    assert result.lo < result.pct < result.hi


def test_one_good_fold_is_no_verdict():
    """A gain that one fold alone made isn't called, even with a good interval and p-value."""
    fold = np.repeat([0, 1, 2, 3], [540, 20, 20, 20])
    rng, reference = np.random.default_rng(1), np.ones(600)
    loss = np.where(fold == 0, 0.5, 1.01) + 0.01 * rng.standard_normal(600)
    sample = Sample(np.arange(600), fold, block_starts(600, 20, 100, rng), 20, short=False)

    result = compare(loss, reference, sample)

    assert result.pct > 15
    assert (result.lo > 0, result.dm_p < 0.05) == (True, True)
    assert result.verdict == 0


def test_equal_losses_are_nil_in_every_respect():
    """0, [0, 0], p = 1 and no verdict where both lose the same on every row."""
    loss = np.random.default_rng(12).random(600)

    assert compared(loss, loss.copy()) == (0, 0, 0, 1, 0)


def test_an_hours_symbols_count_as_one():
    """Three symbols that share their luck are no more evidence than one."""
    rng = np.random.default_rng(13)
    reference = np.ones(600)
    loss = reference - 0.02 + 0.3 * rng.standard_normal(600)
    alone = compared(loss, reference)
    hour = np.repeat(np.arange(600), 3)
    starts = block_starts(600, 20, 200, np.random.default_rng(0))

    together = compare(np.repeat(loss, 3), np.ones(1800), four_folds(hour, starts))

    np.testing.assert_allclose(together, alone, rtol=1e-9)


def test_the_test_averages_an_hours_symbols_and_the_gain_adds_them():
    """An hour in which a second symbol traded is one observation of the test, and two losses of the sum."""
    rng = np.random.default_rng(14)
    hour = np.sort(np.concatenate([np.arange(200), np.arange(0, 200, 3)]))
    reference, loss = 1 + rng.random(len(hour)), 1 + rng.random(len(hour))
    starts = block_starts(200, 20, 100, rng)

    result = compare(loss, reference, four_folds(hour, starts))

    means = [np.mean((reference - loss)[hour == one]) for one in range(200)]
    assert result.dm_p == pytest.approx(dm_p(np.array(means)), rel=1e-9)
    assert result.pct == pytest.approx(100 * (1 - loss.sum() / reference.sum()))


def test_a_short_test_has_no_verdict():
    """However clear its figures are."""
    reference, rng = np.ones(600), np.random.default_rng(15)
    loss = 0.5 + 0.01 * rng.standard_normal(600)
    starts = block_starts(600, 20, 100, rng)
    verdicts = [
        compare(loss, reference, four_folds(np.arange(600), starts, short=short)).verdict
        for short in (False, True)
    ]

    assert verdicts == [1, 0]


def test_a_single_fold_has_no_verdict():
    """However long it is: nothing says that another stretch of time would agree."""
    times = pd.date_range("2020-01-01", periods=20 * 672, freq="h", tz="UTC")
    rows = pd.DataFrame({"close_time": times, "fold": np.repeat(["1", "2"], 10 * 672)})
    samples = [
        sample_of(table, 14, HOUR, 1, np.random.default_rng(1)) for table in (rows, rows.assign(fold="1"))
    ]

    assert [sample.short for sample in samples] == [False, True]


def test_a_sample_counts_times_and_folds():
    """Two symbols' rows of one hour share its number, whatever the rows' order; folds are numbered."""
    times = pd.date_range("2024-01-01", periods=3, freq="h", tz="UTC")
    rows = pd.DataFrame({"close_time": [*times[::-1], *times], "fold": ["2", "1", "1"] * 2})

    sample = sample_of(rows, 14, HOUR, 7, np.random.default_rng(1))

    np.testing.assert_array_equal(sample.time, [2, 1, 0, 0, 1, 2])
    np.testing.assert_array_equal(sample.fold == sample.fold[0], [True, False, False] * 2)
    assert sample.short
    assert sample.starts.shape == (7, -(-3 // sample.block))

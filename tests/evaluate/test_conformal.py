from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from pandas.testing import assert_frame_equal
from scipy.special import expit

from stages.common.task import TASKS
from stages.evaluate import amount, chance, volatility
from stages.evaluate.conformal import coverage_block, intervals, walk
from stages.evaluate.question import question_of

Floats = NDArray[np.float64]

HOUR = pd.Timedelta(hours=1)
HORIZON = 14 * HOUR
QUARTER = np.timedelta64(90, "D")
N_VAL, N_TEST = 1000, 3000


def table(
    task: str,
    known: Floats,
    chance: Floats,
    *,
    horizon: int = 14,
    fold: str = "1",
    symbol: str = "BTC-USDT",
) -> pd.DataFrame:
    """Hourly rows, a thousand of val and then test; ln y is known + chance, or P(up) has logit known."""
    times = pd.Series(pd.date_range("2022-01-03 01:00", periods=len(known), freq="h", tz="UTC", unit="ms"))
    rows = pd.DataFrame({"symbol": symbol, "close_time": times, "fold": fold, "score": known})
    y = (chance < expit(known)).astype(np.float64) if TASKS[task].classes else np.exp(known + chance)
    role = np.where(np.arange(len(known)) < N_VAL, "val", "test")
    forecast = TASKS[task].inverse(known)
    ends = times + horizon * HOUR
    return rows.assign(role=role, y=y, forecast=forecast, label_end=ends)


def honest(task: str, n_rows: int = N_VAL + N_TEST, seed: int = 1, **about: Any) -> pd.DataFrame:
    """Rows of a forecast that is as good as it says, whose errors are independent."""
    rng = np.random.default_rng(seed)
    known = (1.0 if TASKS[task].classes else 0.4) * rng.standard_normal(n_rows)
    chance = rng.random(n_rows) if TASKS[task].classes else 0.3 * rng.standard_normal(n_rows)
    return table(task, known, chance, **about)


def found(rows: pd.DataFrame, task: str) -> pd.DataFrame:
    """The test rows' intervals, by the task's own functions."""
    question = question_of(task)
    return intervals(rows, question, HORIZON)


def block(rows: pd.DataFrame, task: str) -> dict[str, float]:
    """The three figures of these rows."""
    return coverage_block(rows, found(rows, task), HOUR)


def textbook(rows: pd.DataFrame, task: str) -> pd.DataFrame:
    """`covered` and `width` of one fold and symbol, every set from its definition, row by row."""
    rows = rows.sort_values("close_time")
    close, end = rows["close_time"].tolist(), (rows["close_time"] + HORIZON).tolist()
    p, residual = rows["forecast"].to_numpy(), (np.log(rows["y"] + 1e-300) - rows["score"]).to_numpy()
    classes = TASKS[task].classes
    misfit = np.where(rows["y"] == 1, 1 - p, p) if classes else residual
    had_set, covered, width = [False] * len(rows), [False] * len(rows), [0.0] * len(rows)
    alpha, gamma, heard = 0.1, question_of(task).gamma, set()
    for t in range(len(rows)):
        news = [i for i in range(t) if end[i] <= close[t] and i not in heard]
        for i in sorted(news, key=lambda i: (end[i], close[i])):
            heard.add(i)
            if had_set[i]:
                alpha += gamma * (0.1 - (0 if covered[i] else 1))
        since = close[t] - pd.Timedelta(days=90)
        past = sorted(misfit[i] for i in range(t) if end[i] <= close[t] and close[i] > since)
        n, had_set[t] = len(past), len(past) > 0
        if not classes and past and alpha < 1:
            lower, upper = np.floor((n + 1) * alpha / 2), np.ceil((n + 1) * (1 - alpha / 2))
            lo, hi = past[max(int(lower), 1) - 1], past[min(int(upper), n) - 1]
            covered[t], width[t] = lo <= misfit[t] <= hi, hi - lo
        elif not classes:
            covered[t] = alpha < 1 and misfit[t] == 0
        else:
            rank = int(np.ceil((n + 1) * (1 - alpha)))
            highest = -1.0 if alpha >= 1 else 2.0 if rank > n else past[rank - 1]
            covered[t], width[t] = misfit[t] <= highest, int(1 - p[t] <= highest) + int(p[t] <= highest)
    result = pd.DataFrame({"covered": covered, "width": np.array(width, dtype=float)}, index=rows.index)
    return result[rows["role"] == "test"]


@pytest.mark.parametrize("task", TASKS)
def test_nine_of_ten_are_covered_where_errors_are_exchangeable(task):
    """Within three binomial errors, and with the width that the noise has."""
    rows = honest(task)
    figures = block(rows, task)

    assert figures["coverage_90_pct"] == pytest.approx(90, abs=300 * np.sqrt(0.09 / N_TEST))
    assert 84 < figures["worst_30d_pct"] < figures["coverage_90_pct"]
    if TASKS[task].classes:
        assert 1 < figures["width"] < 2
    else:
        assert figures["width"] == pytest.approx(2 * 1.645 * 0.3, rel=0.05)


@pytest.mark.parametrize("shift", [4.0, 0.25])
def test_coverage_recovers_from_a_shift_of_variance(shift):
    """After errors get four times the variance, or a quarter; fixed split conformal is off for months."""
    rng = np.random.default_rng(2)
    chance = 0.3 * rng.standard_normal(N_VAL + N_TEST)
    chance[N_VAL + 1500 :] *= np.sqrt(shift)
    rows = table("volatility", np.zeros(len(chance)), chance)

    adaptive, late = block(rows, "volatility"), found(rows, "volatility")["covered"].iloc[-1000:].mean()
    unmoved = replace(volatility.QUESTION, gamma=0.0)
    fixed = coverage_block(rows, intervals(rows, unmoved, HORIZON), HOUR)

    assert adaptive["coverage_90_pct"] == pytest.approx(90, abs=1.5)
    assert late == pytest.approx(0.9, abs=0.015)
    assert abs(fixed["coverage_90_pct"] - 90) > 2
    if shift > 1:
        assert adaptive["worst_30d_pct"] > fixed["worst_30d_pct"] + 5


@pytest.mark.parametrize("task", TASKS)
def test_sets_equal_the_textbooks_loop(task):
    """With labels that end early, missing hours, few rows and more than ninety days of them."""
    rng = np.random.default_rng(3)
    rows = honest(task, n_rows=1500, seed=3)
    rows["close_time"] += pd.to_timedelta(np.cumsum(rng.integers(0, 4, len(rows))), unit="h")
    rows["label_end"] = rows["close_time"] + pd.to_timedelta(rng.integers(1, 15, len(rows)), unit="h")
    rows["role"] = np.where(np.arange(len(rows)) < 30, "val", "test")

    assert rows["close_time"].iloc[-1] - rows["close_time"].iloc[0] > pd.Timedelta(days=140)
    assert_frame_equal(found(rows, task)[["covered", "width"]], textbook(rows, task))


def test_feedback_and_ranks_enter_when_a_label_ends_and_leave_after_ninety_days():
    """By hand: the rows ranked, and the share that may miss, at each of seven closes."""
    start = np.datetime64("2022-01-03T00:00:00.000")
    hours = np.array([0, 1, 2, 3, 4, 90 * 24, 90 * 24 + 1]) * np.timedelta64(1, "h")
    lasts = np.array([3, 1, 2, 9, 9, 9, 9]) * np.timedelta64(1, "h")
    misfit = np.array([5.0, 1.0, 9.0, 7.0, 3.0, 0.0, 0.0])
    calls: list[tuple[list[float], float]] = []

    def bounds(ranked: list[float], share: float) -> tuple[float, float]:
        calls.append((list(ranked), share))
        return 0.0, 4.0  # so that the rows of 9 and 7 miss and that of 3 does not

    walk(misfit, start + hours, start + hours + lasts, bounds, gamma=0.02, memory=QUARTER)

    assert [ranked for ranked, _ in calls] == [
        [],
        [],
        [1.0],  # the second row ended at 2 h, and had no ranks: nothing is learnt of misses
        [1.0, 5.0],
        [1.0, 5.0, 9.0],  # the third ended at 4 h, and missed
        [1.0, 3.0, 7.0, 9.0],  # the first is 90 days old: out; the fourth missed, the fifth did not
        [3.0, 7.0, 9.0],
    ]
    hit, miss = 0.1 * 0.02, -0.9 * 0.02
    moves = [0, 0, 0, 0, miss, 2 * miss + hit, 2 * miss + hit]
    np.testing.assert_allclose([share for _, share in calls], 0.1 + np.array(moves))


def test_a_label_as_long_as_the_memory_is_never_ranked():
    """It ends when its row has left: of daily rows the ranks hold the short labels of ninety days."""
    days = np.arange(300)
    close = np.datetime64("2022-01-03T00:00:00.000") + days * np.timedelta64(1, "D")
    lasts = np.where(days % 3 == 0, 90 + days % 2, 2)
    ranks: list[list[float]] = []

    def bounds(ranked: list[float], _share: float) -> tuple[float, float]:
        ranks.append(list(ranked))
        return -np.inf, np.inf

    end = close + lasts * np.timedelta64(1, "D")
    walk(days.astype(np.float64), close, end, bounds, gamma=0.01, memory=QUARTER)

    assert ranks == [[i for i in range(max(0, t - 89), t - 1) if i % 3] for t in range(300)]


@pytest.mark.parametrize("task", TASKS)
def test_sets_ignore_labels_that_have_not_ended(task):
    """What comes of rows whose label ends after t leaves the sets up to t as they were."""
    rows = honest(task)
    now = rows["close_time"].iloc[2500]
    later = rows["label_end"] > now
    other = rows.copy()
    other.loc[later, "y"] = 1 - rows["y"] if TASKS[task].classes else np.exp(2) * rows["y"] ** -3

    first, second = found(rows, task), found(other, task)
    up_to_now, ended = rows["close_time"] <= now, ~later
    at = first.index

    assert up_to_now[at].sum() == 1501
    assert_frame_equal(first[up_to_now[at]][["width"]], second[up_to_now[at]][["width"]], check_exact=True)
    assert_frame_equal(first[ended[at]], second[ended[at]], check_exact=True)
    assert (first["width"] != second["width"])[~up_to_now[at]].any()


@pytest.mark.parametrize("task", TASKS)
def test_a_label_that_is_told_early_waits_for_its_horizon(task):
    """Whether there is a row at all depends on all bars up to the horizon: a gap would take it away."""
    rows = honest(task, n_rows=600)
    early = rows.assign(label_end=rows["close_time"] + HOUR)

    assert_frame_equal(found(early, task), found(rows, task))


@pytest.mark.parametrize("task", TASKS)
def test_folds_and_symbols_are_walked_on_their_own(task):
    """Beside others each has what it has alone, whatever the order of rows, and train rows have no part."""
    parts = [honest(task, 1400, seed, fold=fold, symbol=symbol) for seed, fold, symbol in (
        (1, "1", "BTC-USDT"), (2, "1", "ETH-USDT"), (3, "10", "BTC-USDT"),
    )]  # fmt: skip
    train = honest(task, 500, seed=4).assign(role="train", close_time=parts[0]["close_time"][:500])
    rows = pd.concat([*parts, train], ignore_index=True)
    shuffled = rows.iloc[np.random.default_rng(5).permutation(len(rows))]

    together = found(rows, task)
    alone = pd.concat([found(part, task) for part in parts])

    assert_frame_equal(together.reset_index(drop=True), alone.reset_index(drop=True), check_exact=True)
    assert together.index.tolist() == rows.index[rows["role"] == "test"].tolist()
    assert_frame_equal(found(shuffled, task).sort_index(), together, check_exact=True)
    assert found(shuffled, task).index.tolist() == shuffled.index[shuffled["role"] == "test"].tolist()


@pytest.mark.parametrize("task", TASKS)
def test_ranks_go_back_twenty_horizons_where_those_are_longer(task):
    """Labels of 91 days, none of which ever ends within 90, are ranked: 1,820 days count."""
    rows = honest(task, n_rows=4000, seed=7)
    rows["close_time"] = rows["close_time"].iloc[0] + pd.to_timedelta(np.arange(4000), unit="D")
    rows["label_end"] = rows["close_time"] + pd.Timedelta(days=91)
    question = question_of(task)

    sets = intervals(rows, question, pd.Timedelta(days=91))

    assert sets["covered"].mean() == pytest.approx(0.9, abs=0.03)


@pytest.mark.parametrize("p", [0.5, 0.53, 0.9])
def test_a_constant_probability_is_covered_by_both_outcomes_most_of_the_time(p):
    """It can't tell which to leave out: nearly two outcomes a set unless one is rare, nine of ten hold."""
    rng = np.random.default_rng(6)
    n_rows = N_VAL + N_TEST
    rows = table("direction", np.full(n_rows, np.log(p / (1 - p))), rng.random(n_rows))

    figures = block(rows, "direction")

    assert figures["coverage_90_pct"] == pytest.approx(90, abs=2)
    assert figures["width"] == pytest.approx(1.8 if p < 0.9 else 1.1, abs=0.15)


def test_a_perfect_forecast_needs_no_width():
    """Its intervals are points, empty one time in ten at most: more would be covered than nine of ten."""
    rows = table("volatility", np.sin(np.arange(N_VAL + N_TEST) / 50), np.zeros(N_VAL + N_TEST))

    figures = block(rows, "volatility")

    assert figures["width"] == pytest.approx(0, abs=1e-12)  # ln of what was exp, rounded
    assert figures["coverage_90_pct"] == pytest.approx(90, abs=1)


@pytest.mark.parametrize("task", TASKS)
def test_a_better_forecast_has_narrower_sets_not_more_coverage(task):
    """The share of hits is forced on any forecast; the width tells them apart."""
    rows = honest(task)
    worse = rows.assign(score=0.0, forecast=TASKS[task].inverse(np.zeros(len(rows))))

    good, bad = block(rows, task), block(worse, task)

    assert good["coverage_90_pct"] == pytest.approx(bad["coverage_90_pct"], abs=1.5)
    assert good["width"] < 0.95 * bad["width"]


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize(("n_val", "horizon"), [(0, 14), (5, 14), (30, 24 * 91)])
def test_figures_are_finite_where_val_is_short(task, n_val, horizon):
    """Before any label has ended: both of two outcomes, or of amounts the forecast alone."""
    rows = honest(task, n_rows=400, horizon=horizon)
    rows["role"] = np.where(np.arange(len(rows)) < n_val, "val", "test")

    sets = intervals(rows, question_of(task), horizon * HOUR)

    assert sets.index.tolist() == list(range(n_val, 400))
    unheard = sets.iloc[: horizon - n_val]
    assert (unheard["covered"] == TASKS[task].classes).all()
    assert (unheard["width"] == (2 if TASKS[task].classes else 0)).all()
    assert np.isfinite(list(coverage_block(rows, sets, HOUR).values())).all()


@pytest.mark.parametrize("task", TASKS)
def test_a_set_holds_what_lies_between_its_ends(task):
    """Least and greatest say the same as covered and width, each in its own way."""
    rows = honest(task)

    sets = found(rows, task)

    y = rows.loc[sets.index, "y"]
    inside = (sets["least"] <= y) & (y <= sets["greatest"])
    if TASKS[task].classes:
        assert (inside == sets["covered"]).all()
        assert (sets["width"] == sets["greatest"] - sets["least"] + 1).all()
    else:
        near = np.isclose(y, sets["least"]) | np.isclose(y, sets["greatest"])
        assert ((inside == sets["covered"]) | near).all()
        np.testing.assert_allclose(sets["width"], np.log(sets["greatest"] / sets["least"]))
    assert inside.mean() == pytest.approx(0.9, abs=0.02)


ranked_values = st.lists(st.floats(-5, 5), min_size=1, max_size=40).map(sorted)


@given(ranked_values, st.floats(-0.5, 1.5))
@settings(deadline=None, max_examples=200)
def test_bounds_are_ranks_with_one_row_more(ranked, misses):
    """As few as may miss lie outside; all are inside at 0, none at 1."""
    lo, hi = amount.bounds(ranked, misses)
    below, above = sum(value < lo for value in ranked), sum(value > hi for value in ranked)
    _, highest = chance.bounds(ranked, misses)
    beyond = sum(value > highest for value in ranked)

    if misses >= 1:
        assert (lo, hi, highest) == (np.inf, -np.inf, -np.inf)
    else:
        assert lo <= hi
        assert max(below, above) <= max(0, (len(ranked) + 1) * misses / 2 - 1)
        assert beyond <= max(0, (len(ranked) + 1) * misses - 1)
        assert (misses > 0) or (lo, hi, highest) == (ranked[0], ranked[-1], np.inf)


@given(st.integers(1, 5000))
@settings(deadline=None, max_examples=100)
def test_bounds_hold_for_a_share_just_below_one(n_rows):
    """No rank falls off the end, however close to 1 the share comes."""
    ranked, misses = list(np.arange(n_rows, dtype=float)), float(np.nextafter(1, 0))

    assert chance.bounds(ranked, misses)[1] == 0.0
    lo, hi = amount.bounds(ranked, misses)
    assert lo <= hi


def test_bounds_by_hand():
    """Nineteen rows: the first and the last are what a tenth leaves out, the second last for one tail."""
    ranked = [float(value) for value in range(1, 20)]

    assert amount.bounds(ranked, 0.1) == (1.0, 19.0)
    assert amount.bounds(ranked, 0.2) == (2.0, 18.0)
    assert chance.bounds(ranked, 0.1) == (-np.inf, 18.0)
    assert chance.bounds(ranked, 0.04) == (-np.inf, np.inf)


def covering(covered: list[bool], symbols: int = 1, bar: str = "D") -> tuple[pd.DataFrame, pd.DataFrame]:
    """Rows at the same times for each symbol, and their intervals, given time by time."""
    n_times = len(covered) // symbols
    times = pd.date_range("2022-01-03", periods=n_times, freq=bar, tz="UTC", unit="ms").repeat(symbols)
    rows = pd.DataFrame({"close_time": times[: len(covered)]})
    return rows, pd.DataFrame({"covered": covered, "width": np.arange(len(covered), dtype=float)})


def test_the_worst_month_is_that_of_thirty_days_on_end():
    """A hundred days, three misses on end and two elsewhere: three of thirty."""
    covered = np.ones(100, dtype=bool)
    covered[[0, 49, 50, 51, 99]] = False

    figures = coverage_block(*covering(covered.tolist()), pd.Timedelta(days=1))

    assert figures == pytest.approx({"coverage_90_pct": 95, "worst_30d_pct": 90, "width": 49.5})


def test_the_first_and_the_last_month_count():
    """Misses at either end of the test are in a window too."""
    for misses in (slice(0, 30), slice(70, 100)):
        covered = np.ones(100, dtype=bool)
        covered[misses] = False
        assert coverage_block(*covering(covered.tolist()), pd.Timedelta(days=1))["worst_30d_pct"] == 0


def test_a_window_counts_bars_that_have_rows():
    """Missing weeks neither cover nor miss, and rows in any order have the same worst month."""
    rows, sets = covering([True] * 20 + [False] * 15 + [True] * 45)
    rows.loc[25:, "close_time"] += pd.Timedelta(days=20)
    order = np.random.default_rng(7).permutation(len(rows))

    figures = coverage_block(rows, sets, pd.Timedelta(days=1))

    assert figures["worst_30d_pct"] == pytest.approx(50)
    assert coverage_block(rows.iloc[order], sets.iloc[order], pd.Timedelta(days=1)) == pytest.approx(
        figures
    )


def test_a_short_test_is_its_own_worst_month():
    """Ten days are all there is."""
    figures = coverage_block(*covering([True] * 9 + [False]), pd.Timedelta(days=1))

    assert figures["worst_30d_pct"] == figures["coverage_90_pct"] == pytest.approx(90)


def test_an_hours_symbols_count_as_one_in_the_worst_month():
    """Of 720 hours, 360 in which one of two symbols is missed: three quarters, and more hours no less."""
    covered = np.ones(2 * 1440, dtype=bool)
    covered[0:720:2] = False

    figures = coverage_block(*covering(covered.tolist(), symbols=2, bar="h"), HOUR)

    assert figures["worst_30d_pct"] == pytest.approx(75)
    assert figures["coverage_90_pct"] == pytest.approx(87.5)

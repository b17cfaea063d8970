import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pandas.testing import assert_frame_equal

from stages.common.errors import InputError
from stages.common.task import TASKS
from stages.label.params import SplitParams
from stages.label.rows import LOST, label_candles
from stages.params import check_params
from tests.conftest import random_candles
from tests.questions import QUESTIONS, SHIPPED, other_settings
from tests.settings import shipped
from tools.settings import changed

BAR = pd.Timedelta(hours=1)
HORIZON = 6
WARMUP = 30
SPLIT = SplitParams(
    scheme="walk_forward", folds=2, test_bars=50, val_bars=50, warmup_bars=WARMUP, bridge_bars=3
)
PRICES = ["open", "high", "low", "close"]


def label(candles: pd.DataFrame, question="direction", warmup=WARMUP, others=None):
    """The labels of one symbol and its lost rows, under this file's settings and `others` of `label`."""
    task, settings = QUESTIONS[question]
    split = SPLIT.model_copy(update={"warmup_bars": warmup})
    params = SHIPPED.label.model_copy(update={"horizon": HORIZON, task: settings} | (others or {}))
    return label_candles(candles, task, BAR, params, split)


def row_positions(candles: pd.DataFrame) -> list[int]:
    """Positions, among the candles, of those that got a row."""
    labels, _ = label(candles)
    return np.flatnonzero((candles["open_time"] + BAR).isin(labels["close_time"])).tolist()


def flatten(candles: pd.DataFrame, first: int, last: int) -> pd.DataFrame:
    """The candles, with no price moving in the bars first ... last."""
    flat = candles.copy()
    flat.loc[first:last, PRICES] = candles["close"][first - 1]
    return flat


@pytest.mark.parametrize("question", QUESTIONS)
def test_labels_keep_the_contract_of_their_table(make_candles, question):
    """Columns, types, order and ranges are what later stages rely on, gaps and flat hours included."""
    candles = flatten(make_candles(600, missing=[100, 101, *range(300, 320)]), 450, 480)

    labels, _ = label(candles, question)

    times, numbers = ["close_time", "label_end"], ["y", "weight", "return_to_end", "atr", "return_next"]
    assert list(labels) == ["close_time", "y", "label_end", "weight", "return_to_end", "atr", "return_next"]
    assert (labels.dtypes[times] == "datetime64[ms, UTC]").all()
    assert (labels.dtypes[numbers] == np.float64).all()
    assert labels["close_time"].is_monotonic_increasing
    assert labels["close_time"].is_unique
    assert np.isfinite(labels[numbers]).all(axis=None)
    assert labels["weight"].between(0, 1, inclusive="right").all()
    assert (labels["atr"] > 0).all()
    assert (labels["label_end"] - labels["close_time"]).between(BAR, HORIZON * BAR).all()
    task, _ = QUESTIONS[question]
    assert set(labels["y"]) == {0.0, 1.0} if TASKS[task].classes else (labels["y"] > 0).all()


def test_rows_are_the_same_for_all_questions(make_candles):
    """What is asked changes y, its end and the return until then, never which rows there are."""
    candles = flatten(make_candles(600, missing=[100, 101, *range(300, 320)]), 450, 480)

    (first, lost), *others = (label(candles, question) for question in QUESTIONS)

    for labels, lost_too in others:
        shared = ["close_time", "atr", "return_next"]
        assert_frame_equal(labels[shared], first[shared], check_exact=True)
        assert lost_too == lost


def test_labels_measure_from_the_close_of_their_row(make_candles):
    """atr, return_next and return_to_end equal what a look-up of the two candles gives."""
    candles = make_candles(200)
    close = candles.set_index(candles["open_time"] + BAR)["close"]

    labels, _ = label(candles)

    now, then = close[labels["close_time"]].to_numpy(), close[labels["label_end"]].to_numpy()
    after = close[labels["close_time"] + BAR].to_numpy()
    np.testing.assert_allclose(labels["return_next"], after / now - 1, rtol=1e-12)
    np.testing.assert_allclose(labels["return_to_end"], (then - now) / (labels["atr"] * now), atol=1e-12)


@pytest.mark.parametrize("question", QUESTIONS)
def test_weights_share_out_the_bars_that_labels_last(make_candles, question):
    """Weights times the labels' own lengths add up to the bars that any label covers."""
    labels, _ = label(make_candles(200, missing=range(90, 110)), question)
    bars = (labels["label_end"] - labels["close_time"]) // BAR
    covered = {
        start + ahead * BAR
        for start, length in zip(labels["close_time"], bars, strict=True)
        for ahead in range(1, length + 1)
    }

    np.testing.assert_allclose(np.sum(labels["weight"] * bars), len(covered))


@given(
    seed=st.integers(0, 20),
    cut=st.integers(WARMUP + HORIZON, 140),
    question=st.sampled_from(list(QUESTIONS)),
)
@settings(max_examples=40, deadline=None)
def test_labels_never_reach_past_their_label_end(seed, cut, question):
    """Changing all candles after a label's end changes nothing of it, its weight included."""
    candles = random_candles(150, seed)
    shocked = candles.copy()
    shocked.loc[cut + 1 :, PRICES] *= np.linspace(1.2, 3.0, 149 - cut)[:, None]
    known = candles["open_time"][cut] + BAR

    labels, shocked_labels = (
        table[table["label_end"] <= known]
        for table, _ in (label(candles, question), label(shocked, question))
    )

    assert len(labels) > 0
    assert (labels["close_time"] + BAR <= labels["label_end"]).all()  # so return_next lies within
    assert_frame_equal(shocked_labels, labels, check_exact=True)


def test_rows_start_after_the_warm_up_and_end_before_the_horizon(make_candles):
    """Without a gap, rows are lost at both ends alone."""
    candles = make_candles(200)

    assert row_positions(candles) == list(range(WARMUP, 200 - HORIZON))
    assert label(candles)[1] == {"warm-up": WARMUP, "horizon": HORIZON, "gap": 0, "flat": 0}


def test_a_short_warm_up_waits_for_the_first_atr(make_candles):
    """Rows that have no ATR yet are lost to warm-up, however short that is set."""
    labels, lost = label(make_candles(100), warmup=2)

    assert lost["warm-up"] == 14
    assert labels["atr"].notna().all()


def test_any_gap_breaks_a_horizon(make_candles):
    """One missing candle costs the rows whose horizon it lies in, but no warm-up: it is bridged."""
    candles = make_candles(200, missing=[100])
    lost = range(100 - HORIZON, 100)  # bar 100, in the new count, is the one after the gap

    assert row_positions(candles) == [t for t in range(WARMUP, 199 - HORIZON) if t not in lost]
    assert label(candles)[1] == {"warm-up": WARMUP, "horizon": HORIZON, "gap": HORIZON, "flat": 0}


def test_a_long_gap_costs_another_warm_up(make_candles):
    """More missing candles than are bridged start a stretch that remembers nothing."""
    candles = make_candles(200, missing=range(100, 100 + SPLIT.bridge_bars + 1))
    rows = [*range(WARMUP, 100 - HORIZON), *range(100 + WARMUP, 196 - HORIZON)]

    assert row_positions(candles) == rows
    assert label(candles)[1] == {"warm-up": 2 * WARMUP, "horizon": HORIZON, "gap": HORIZON, "flat": 0}


@pytest.mark.parametrize("question", QUESTIONS)
def test_no_label_looks_back_over_a_long_gap(make_candles, question):
    """Also where the horizon is longer than the warm-up, unless the question's own rule refuses that."""
    task, own = QUESTIONS[question]
    small = {"featurize.groups": ["returns"], "featurize.windows": [1, 4], "train.window": 1}
    asked = {"task": task, f"label.{task}": own.model_dump(), "label.horizon": 60, "split.warmup_bars": 20}
    n_before = 150
    candles = make_candles(400, missing=range(n_before, n_before + SPLIT.bridge_bars + 1))
    shocked = candles.copy()
    shocked.loc[: n_before - 1, PRICES] *= np.where(np.arange(n_before) % 2, 3.0, 0.3)[:, None]

    try:
        params = check_params(changed(shipped(), small | asked))
        labels, shocked_labels = (
            label_candles(market, task, BAR, params.label, params.split)[0] for market in (candles, shocked)
        )
    except InputError as refusal:
        named = ("label.horizon", f"label.{task}", "split.warmup_bars")
        assert any(name in str(refusal) for name in named)  # noqa: PT017
        return

    after, shocked_after = (
        table[table["close_time"] > candles["open_time"][n_before]].reset_index(drop=True)
        for table in (labels, shocked_labels)
    )
    assert len(after) == len(candles) - n_before - 60 - 20
    assert_frame_equal(shocked_after, after, check_exact=True)


def test_flat_hours_have_no_rows(make_candles):
    """A row is lost if no price moves in the 14 bars up to it, or in the horizon after it."""
    candles = flatten(make_candles(200), 100, 120)
    lost = {*range(100 + 13, 121), *range(99, 121 - HORIZON)}

    assert row_positions(candles) == [t for t in range(WARMUP, 200 - HORIZON) if t not in lost]
    assert label(candles)[1]["flat"] == len(lost)


@given(
    n_bars=st.integers(1, 150),
    missing=st.sets(st.integers(0, 149), max_size=20),
    question=st.sampled_from(list(QUESTIONS)),
)
@settings(max_examples=40, deadline=None)
def test_every_candle_is_a_row_or_is_counted_as_lost(n_bars, missing, question):
    """Rows and lost rows add up to the candles, however few and torn these are."""
    candles = random_candles(150, missing=sorted(missing)).head(n_bars)

    labels, lost = label(candles, question)

    assert list(lost) == list(LOST)
    assert len(labels) + sum(lost.values()) == len(candles)


@pytest.mark.parametrize("task", TASKS)
def test_one_tasks_settings_mean_nothing_to_the_others(candles, task):
    """Direction ignores the target of volatility, which ignores what a time-out counts as."""
    others = {
        other: SHIPPED.label.of(other).model_copy(update=other_settings(other))
        for other in TASKS
        if other != task
    }
    assert_frame_equal(label(candles, task)[0], label(candles, task, others=others)[0], check_exact=True)


@pytest.mark.parametrize("task", TASKS)
def test_each_of_a_tasks_own_settings_changes_its_targets(candles, task):
    """Another time-out rule gives another direction, another target another volatility."""
    shipped = SHIPPED.label.of(task)
    expected = label(candles, task)[0]["y"]
    for name, value in other_settings(task).items():
        changed = {task: shipped.model_copy(update={name: value})}
        assert (label(candles, task, others=changed)[0]["y"] != expected).any(), name

from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stages.common.errors import InputError
from stages.label.folds import cut_folds
from stages.label.params import SplitParams

BAR = pd.Timedelta(hours=1)
HORIZON = 5


def split(scheme="walk_forward", folds=3, test_bars=40, val_bars=20) -> SplitParams:
    """Settings of a small split."""
    return SplitParams(
        scheme=scheme, folds=folds, test_bars=test_bars, val_bars=val_bars, warmup_bars=30, bridge_bars=3
    )


def hours(n_times: int, missing: frozenset[int] = frozenset()) -> pd.DatetimeIndex:
    """Hours that begin with the first one, but for those at `missing`."""
    times = pd.date_range("2022-01-03", periods=n_times, freq="h", tz="UTC", unit="ms")
    return times.delete(sorted(missing))


def by_role(times: pd.DatetimeIndex, folds: pd.DataFrame) -> dict[tuple[str, str], pd.DatetimeIndex]:
    """The times of each fold and role."""
    spans = zip(folds["fold"], folds["role"], folds["first"], folds["last"], strict=True)
    return {(fold, role): times[times.slice_indexer(first, last)] for fold, role, first, last in spans}


def in_hours(folds: pd.DataFrame, start: pd.Timestamp) -> list[tuple[str, str, int, int]]:
    """The folds as (fold, role, first, last), in hours since `start`."""
    first, last = ((folds[name] - start) // BAR for name in ("first", "last"))
    return list(zip(folds["fold"], folds["role"], first, last, strict=True))


@st.composite
def markets(draw: st.DrawFn) -> tuple[pd.DatetimeIndex, SplitParams]:
    """Times with gaps, and a split that fits them."""
    scheme = draw(st.sampled_from(["walk_forward", "holdout"]))
    folds, test_bars = draw(st.integers(1, 4)), draw(st.integers(1, 20))
    val_bars = draw(st.integers(HORIZON + 1, 20))
    needed = max(folds * test_bars + val_bars + HORIZON + 1, 40)
    n_times = needed + draw(st.integers(0, 60))
    missing = draw(st.frozensets(st.integers(0, n_times + 29), min_size=30, max_size=30))
    return hours(n_times + 30, missing), split(scheme, folds, test_bars, val_bars)


@given(market=markets())
@settings(max_examples=150, deadline=None)
def test_labels_end_before_the_next_role_begins(market):
    """However late a label ends, train knows nothing of val, and neither knows anything of test."""
    times, params = market

    parts = by_role(times, cut_folds(times, params, HORIZON, BAR))

    for fold in {fold for fold, _ in parts}:
        roles = [parts[fold, role] for role in ("train", "val", "test") if (fold, role) in parts]
        for earlier, later in pairwise(roles):
            assert earlier.max() + HORIZON * BAR < later.min()


@given(market=markets())
@settings(max_examples=150, deadline=None)
def test_purge_takes_no_more_than_it_must(market):
    """Each row before the test that is in no role has a label that could reach the next one."""
    times, params = market

    parts = by_role(times, cut_folds(times, params, HORIZON, BAR))

    for fold in {fold for fold, _ in parts}:
        starts = [parts[fold, role][0] for role in ("val", "test") if (fold, role) in parts]
        used = np.concatenate([part for (name, _), part in parts.items() if name == fold])
        for time in times[(times < starts[-1]) & ~times.isin(used)]:
            following = min(start for start in starts if start > time)
            assert time + HORIZON * BAR >= following


@given(market=markets())
@settings(max_examples=150, deadline=None)
def test_tests_are_blocks_that_end_with_the_last_row(market):
    """Tests follow each other without a gap or an overlap, each of test_bars distinct times."""
    times, params = market
    if params.scheme == "holdout":
        params = params.model_copy(update={"scheme": "walk_forward"})

    parts = by_role(times, cut_folds(times, params, HORIZON, BAR))

    tests = [parts[str(number), "test"] for number in range(1, params.folds + 1)]
    assert all(len(test) == params.test_bars for test in tests)
    np.testing.assert_array_equal(np.concatenate(tests), times[-params.folds * params.test_bars :])


@pytest.mark.parametrize("scheme", ["walk_forward", "holdout"])
def test_live_has_train_and_val_up_to_the_end_and_no_test(scheme):
    """The fold that is shipped ends with the last row, unpurged."""
    times = hours(400)

    live = cut_folds(times, split(scheme), HORIZON, BAR).set_index("fold").loc["live"]

    assert live["role"].tolist() == ["train", "val"]
    assert live["last"].iloc[-1] == times[-1]
    val_bars = 20 if scheme == "walk_forward" else 60
    assert live["first"].tolist() == [times[0], times[-val_bars]]


def test_walk_forward_worked_by_hand():
    """Two tests of 30 hours, each after 10 of val and an ever longer train, 5 rows purged between."""
    times = hours(100)

    folds = cut_folds(times, split(folds=2, test_bars=30, val_bars=10), HORIZON, BAR)

    assert in_hours(folds, times[0]) == [
        ("1", "train", 0, 24),
        ("1", "val", 30, 34),
        ("1", "test", 40, 69),
        ("2", "train", 0, 54),
        ("2", "val", 60, 64),
        ("2", "test", 70, 99),
        ("live", "train", 0, 84),
        ("live", "val", 90, 99),
    ]


def test_holdout_cuts_seventy_fifteen_fifteen():
    """4,773 rows, the original run's, are 3,341, 716 and 716 before the purge."""
    times = hours(4773)

    folds = cut_folds(times, split("holdout"), 14, BAR)

    assert in_hours(folds, times[0]) == [
        ("1", "train", 0, 3341 - 15),
        ("1", "val", 3341, 3341 + 716 - 15),
        ("1", "test", 3341 + 716, 4772),
        ("live", "train", 0, 4773 - 716 - 15),
        ("live", "val", 4773 - 716, 4772),
    ]


def test_purge_goes_by_the_clock():
    """Hours without rows before val count as time that passes: fewer rows have to leave."""
    before_val = frozenset({87, 88})

    folds = cut_folds(hours(102, before_val), split(folds=1, test_bars=5, val_bars=7), HORIZON, BAR)

    (*_, train), (*_, val), *_ = in_hours(folds, hours(1)[0])
    assert (train, val) == (84, 91)


def test_folds_keep_the_contract_of_their_table():
    """Columns and types are what later stages rely on."""
    folds = cut_folds(hours(400), split(), HORIZON, BAR)

    assert list(folds) == ["fold", "role", "first", "last"]
    assert folds["fold"].unique().tolist() == ["1", "2", "3", "live"]
    assert (folds.dtypes[["first", "last"]] == "datetime64[ms, UTC]").all()


@pytest.mark.parametrize(
    ("n_times", "params", "settings_named", "arrived"),
    [
        (
            145,
            split(),
            ["split.folds", "split.test_bars", "split.val_bars"],
            "= 146 in all; received 145 rows",
        ),
        (36, split("holdout"), ["split.scheme", "label.horizon"], "received 36 rows"),
        (0, split(), ["split.folds"], "received 0 rows"),
    ],
)
def test_too_few_rows_are_refused(n_times, params, settings_named, arrived):
    """The error names the settings, the rule and the number of rows that there are."""
    with pytest.raises(InputError) as caught:
        cut_folds(hours(n_times), params, HORIZON, BAR)

    assert all(name in str(caught.value) for name in settings_named)
    assert arrived in str(caught.value)


@pytest.mark.parametrize(("n_times", "params"), [(146, split()), (37, split("holdout"))])
def test_just_enough_rows_fill_every_role(n_times, params):
    """At the least number of rows that is accepted, no role is empty."""
    folds = cut_folds(hours(n_times), params, HORIZON, BAR)

    roles = folds.groupby("fold")["role"].agg(list).to_dict()
    assert roles.pop("live") == ["train", "val"]
    assert set(map(tuple, roles.values())) == {("train", "val", "test")}

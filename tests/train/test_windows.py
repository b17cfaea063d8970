from collections.abc import Iterable

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stages.common.errors import InputError
from stages.train.windows import feature_moments, feature_range, stack_features, window_ends

HOUR = pd.Timedelta(hours=1)
TIMES = pd.Series(pd.date_range("2022-01-03", periods=30, freq="h", tz="UTC", unit="ms"))


def drop(times: pd.Series, missing: Iterable[int]) -> pd.Series:
    """The times without those at these positions."""
    return times.drop(index=list(missing)).reset_index(drop=True)


def test_a_window_ends_with_the_row_of_its_own_moment():
    """A window's last row is known at the moment itself; the first rows have too few before them."""
    ends = window_ends(TIMES, TIMES, 4, HOUR, 3)
    assert ends.tolist() == [-1, -1, -1, *range(3, 30)]


def test_moments_are_looked_up_by_time():
    """Features may start before the labels, and lack a row that they have."""
    known = drop(TIMES, [12])
    ends = window_ends(known, TIMES[10:14], 4, HOUR, 3)
    assert ends.tolist() == [10, 11, -1, 12]


def test_a_bridged_gap_stays_within_a_window():
    """Three missing candles break no window if three are bridged."""
    known = drop(TIMES, [10, 11, 12])
    ends = window_ends(known, known, 4, HOUR, 3)
    assert ends.tolist() == [-1, -1, -1, *range(3, 27)]


def test_no_window_crosses_a_break():
    """After four missing candles the first three rows have no window of four; the fourth has one."""
    known = drop(TIMES, [10, 11, 12, 13])
    ends = window_ends(known, known, 4, HOUR, 3)
    assert ends.tolist() == [-1, -1, -1, *range(3, 10), -1, -1, -1, *range(13, 26)]


def test_fewer_rows_than_a_window_have_none():
    """A symbol with fewer rows than a window has no window, and no error either."""
    assert window_ends(TIMES[:3], TIMES[:3], 4, HOUR, 3).tolist() == [-1, -1, -1]


@settings(deadline=None, max_examples=60)
@given(
    missing=st.sets(st.integers(0, 29), max_size=25),
    window=st.integers(1, 6),
    bridge_bars=st.integers(0, 4),
)
def test_ends_equal_a_walk_back_row_by_row(missing, window, bridge_bars):
    """The vectorised look-up gives what walking back from each row gives."""
    known = drop(TIMES, missing)
    expected = []
    for moment in TIMES:
        row = int((known <= moment).sum()) - 1
        steps = [known[k] - known[k - 1] for k in range(row, row - window + 1, -1) if k > 0]
        whole = row >= window - 1 and all(step <= (bridge_bars + 1) * HOUR for step in steps)
        expected.append(row if whole and known[row] == moment else -1)
    assert window_ends(known, TIMES, window, HOUR, bridge_bars).tolist() == expected


def test_moments_count_each_row_of_the_windows_once():
    """Mean and variance are over the union of the windows' rows, as a loop collects them."""
    table = np.random.default_rng(1).standard_normal((30, 2)).astype(np.float32)
    ends = np.array([5, 6, 20])
    held = sorted({row for end in ends for row in range(end - 3, end + 1)})
    mean, variance = feature_moments(table, ends, 4)
    np.testing.assert_allclose(mean, table[held].astype(np.float64).mean(axis=0), rtol=1e-12)
    np.testing.assert_allclose(variance, table[held].astype(np.float64).var(axis=0), rtol=1e-12)


def test_moments_see_no_row_outside_the_windows():
    """Rows after the last window's end, or between windows, leave mean and variance untouched."""
    table = np.random.default_rng(1).standard_normal((30, 2)).astype(np.float32)
    shocked = table.copy()
    shocked[7:17] *= 100
    shocked[21:] *= 100
    ends = np.array([5, 6, 20])
    np.testing.assert_array_equal(feature_moments(table, ends, 4), feature_moments(shocked, ends, 4))


def test_ranges_are_of_the_windows_rows_alone():
    """Least and greatest of each feature, whatever stands outside the windows."""
    table = np.random.default_rng(1).standard_normal((30, 2)).astype(np.float32)
    ends = np.array([5, 6, 20])
    held = sorted({row for end in ends for row in range(end - 3, end + 1)})
    table[7:17] *= 100
    least, greatest = feature_range(table, ends, 4)
    np.testing.assert_array_equal(least, table[held].min(axis=0))
    np.testing.assert_array_equal(greatest, table[held].max(axis=0))


def test_a_constant_feature_gets_a_variance_to_divide_by():
    """A feature that never changes is normalised to nought, not blown up by rounding."""
    table = np.full((30, 1), 0.1, dtype=np.float32)
    mean, variance = feature_moments(table, np.arange(3, 30), 4)
    assert np.float32(mean[0]) == np.float32(0.1)
    assert variance.tolist() == [1.0]


def test_symbols_are_stacked_in_order():
    """The stacked table has one symbol's rows after the other's, and no times."""
    first = pd.DataFrame({"close_time": TIMES[:2], "a": [1.0, 2.0], "b": [3.0, 4.0]})
    second = pd.DataFrame({"close_time": TIMES[:1], "a": [5.0], "b": [6.0]})
    names, table = stack_features([first, second])
    assert names == ["a", "b"]
    assert table.dtype == np.float32
    assert table.tolist() == [[1.0, 3.0], [2.0, 4.0], [5.0, 6.0]]


def test_symbols_with_other_features_are_refused():
    """Columns that differ between symbols can't be one network's input."""
    first = pd.DataFrame({"close_time": TIMES[:1], "a": [1.0], "b": [2.0]})
    with pytest.raises(InputError, match="same columns for every symbol"):
        stack_features([first, first[["close_time", "b", "a"]]])

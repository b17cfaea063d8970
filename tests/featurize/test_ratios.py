import numpy as np
import pandas as pd
from hypothesis import given, settings
from hypothesis import strategies as st

from stages.featurize.ratios import FLOOR, log_means, log_ratio, share


def test_a_share_of_nothing_is_nil():
    """0 / 0 is 0, for where nothing moved neither side did; what is not known stays so."""
    part, whole = pd.Series([1.0, 0.0, np.nan, np.nan, 0.5]), pd.Series([4.0, 0.0, 0.0, 2.0, np.nan])
    np.testing.assert_array_equal(share(part, whole), [0.25, 0, np.nan, np.nan, np.nan])


def test_a_log_ratio_has_a_floor():
    """ln(value / usual), from ln(FLOOR) upwards: nil has a logarithm here."""
    value, usual = pd.Series([1.0, 8.0, 1e-9, 0.0, 0.0]), pd.Series([1.0, 2.0, 1.0, 1.0, 0.0])
    np.testing.assert_allclose(log_ratio(value, usual), [0, np.log(4), *[np.log(FLOOR)] * 3])


def test_log_means_by_hand():
    """Each window but the longest is compared with the longest."""
    columns = log_means("x", pd.Series([1.0, 2.0, 3.0, 6.0]), np.zeros(4, dtype=np.int64), [1, 2, 4])

    assert list(columns) == ["x_1", "x_2"]
    assert columns["x_1"].isna().tolist() == [True, True, True, False]
    np.testing.assert_allclose(columns["x_1"].iloc[-1], np.log(6 / 3))
    np.testing.assert_allclose(columns["x_2"].iloc[-1], np.log(4.5 / 3))


@settings(deadline=None, max_examples=50)
@given(st.lists(st.floats(0, 1e6), min_size=5, max_size=30))
def test_log_means_are_bounded(values):
    """A mean over part of the window is between the floor and the ratio of the lengths."""
    one_stretch = np.zeros(len(values), dtype=np.int64)
    column = log_means("x", pd.Series(values), one_stretch, [1, 5])["x_1"].dropna()
    assert column.between(np.log(FLOOR), np.log(5) + 1e-9).all()

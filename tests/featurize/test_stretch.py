import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stages.featurize.stretch import rolling, span


@settings(deadline=None, max_examples=50)
@given(
    lengths=st.lists(st.integers(1, 60), min_size=1, max_size=6),
    bars=st.integers(1, 30),
    seed=st.integers(0, 1000),
)
@pytest.mark.parametrize("statistic", ["mean", "sum"])
def test_rolling_equals_pandas_over_each_stretch(statistic, lengths, bars, seed):
    """To the bit, whatever size the values of the stretch before had; also where a value is missing."""
    rng = np.random.default_rng(seed)
    parts = [pd.Series(rng.standard_normal(n) * 10.0 ** rng.integers(-9, 9, n)) for n in lengths]
    parts[0].iloc[0] = np.nan
    expected = [getattr(part.rolling(bars), statistic)() for part in parts]

    values = pd.concat(parts, ignore_index=True)
    start = np.repeat(np.cumsum([0, *lengths[:-1]]), lengths)
    actual = getattr(rolling(values, start, bars), statistic)()
    np.testing.assert_array_equal(actual, np.concatenate(expected))


@settings(deadline=None, max_examples=50)
@given(
    lengths=st.lists(st.integers(1, 60), min_size=1, max_size=6),
    bars=st.integers(2, 30),
    seed=st.integers(0, 1000),
)
def test_span_equals_pandas_over_each_stretch(lengths, bars, seed):
    """Highest high less lowest low, of as many bars of the same stretch and of no others."""
    rng = np.random.default_rng(seed)
    n = sum(lengths)
    low, start = pd.Series(rng.standard_normal(n)), np.repeat(np.cumsum([0, *lengths[:-1]]), lengths)
    high = low + rng.random(n)

    actual = span(high, low, start, bars)

    windows = [each.groupby(start).rolling(bars) for each in (high, low)]
    expected = windows[0].max().to_numpy() - windows[1].min().to_numpy()
    np.testing.assert_array_equal(actual, expected)

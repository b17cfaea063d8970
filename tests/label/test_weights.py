import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from stages.common.arrays import Ints
from stages.label.weights import average_uniqueness

# Of each label: bars since the previous one's start, and its own length.
LABELS = st.lists(st.tuples(st.integers(1, 8), st.integers(1, 8)), min_size=1, max_size=40)


def spans(labels: list[tuple[int, int]]) -> tuple[Ints, Ints, int]:
    """Start and end of each label, and a number of bars that just holds them all."""
    steps, lengths = np.array(labels, dtype=np.int64).T
    start = np.cumsum(steps) - 1
    return start, start + lengths, int(max(start + lengths)) + 1


@given(labels=LABELS)
@settings(max_examples=100, deadline=None)
def test_weights_equal_the_textbook_loop(labels):
    """The mean over a label's bars of one over the number of labels there, counted one by one."""
    start, end, n_bars = spans(labels)
    expected = []
    for s, e in zip(start, end, strict=True):
        shares = [
            1 / sum(a < bar <= b for a, b in zip(start, end, strict=True)) for bar in range(s + 1, e + 1)
        ]
        expected.append(sum(shares) / len(shares))

    actual = average_uniqueness(start, end, n_bars)

    np.testing.assert_allclose(actual, expected, rtol=1e-12)
    assert actual.min() > 0
    assert actual.max() <= 1


@given(labels=LABELS)
@settings(max_examples=100, deadline=None)
def test_weights_share_out_each_covered_bar_once(labels):
    """Weights times lengths add up to the number of bars that any label covers."""
    start, end, n_bars = spans(labels)
    covered = {bar for s, e in zip(start, end, strict=True) for bar in range(s + 1, e + 1)}

    shared_out = np.sum(average_uniqueness(start, end, n_bars) * (end - start))

    np.testing.assert_allclose(shared_out, len(covered))


def test_labels_that_share_no_bar_weigh_one():
    """A label that starts at the close of the bar where another one ended is as unique as can be."""
    start = np.arange(0, 3000, 3)

    np.testing.assert_array_equal(average_uniqueness(start, start + 3, 3001), 1.0)


def test_no_labels_have_no_weights():
    """No labels are an empty answer, not an error."""
    none = np.array([], dtype=np.int64)

    assert average_uniqueness(none, none, 10).shape == (0,)

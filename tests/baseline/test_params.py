import pytest
from pydantic import ValidationError

from stages.baseline.params import BaselineParams


def test_window_holds_the_first_fit():
    """A window shorter than the first fit is refused, by a line that says the rule."""
    with pytest.raises(ValidationError, match=r"must be at least baseline.min_bars, 1000"):
        BaselineParams(refit_bars=168, min_bars=1000, window_bars=999)


def test_window_may_equal_the_first_fit():
    """A window that never grows is allowed."""
    assert BaselineParams(refit_bars=168, min_bars=1000, window_bars=1000).window_bars == 1000

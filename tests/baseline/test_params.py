import pytest
from pydantic import ValidationError

from stages.baseline.params import BaselineParams


def test_window_holds_the_first_fit():
    """A window shorter than the first fit is refused, by a line that says the rule."""
    with pytest.raises(ValidationError, match=r"must be at least baseline.min_bars, 1000"):
        BaselineParams(refit_bars=168, min_bars=1000, window_bars=999, slow_refit_bars=720)


def test_window_may_equal_the_first_fit():
    """A window that never grows is allowed."""
    params = BaselineParams(refit_bars=168, min_bars=1000, window_bars=1000, slow_refit_bars=720)

    assert params.window_bars == 1000


def test_slow_refits_have_the_same_window():
    """What takes long is refit less often, on as many rows."""
    params = BaselineParams(refit_bars=168, min_bars=1000, window_bars=2000, slow_refit_bars=720)

    assert params.slow().model_dump() == params.model_dump() | {"refit_bars": 720}


def test_slow_refits_need_a_bar():
    """A refit every 0 candles is refused."""
    with pytest.raises(ValidationError, match=r"slow_refit_bars"):
        BaselineParams(refit_bars=168, min_bars=1000, window_bars=2000, slow_refit_bars=0)

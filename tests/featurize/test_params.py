import pytest
from pydantic import ValidationError

from stages.featurize.params import FeaturizeParams

GOOD = {"groups": ["returns", "clock"], "windows": [1, 4, 24], "events": "none"}


@pytest.mark.parametrize("windows", [[], [24], [4, 4], [24, 4], [0, 4], [-1, 4], [1, 4.0], [True, 4], 24])
def test_windows_must_rise(windows):
    """Windows are two or more whole numbers of bars, each longer than the one before."""
    with pytest.raises(ValidationError, match="windows"):
        FeaturizeParams.model_validate(GOOD | {"windows": windows})


@pytest.mark.parametrize("groups", [[], ["return"], ["clock", "clock"], "clock"])
def test_groups_are_known_and_named_once(groups):
    """Groups are one or more of the five, none twice."""
    with pytest.raises(ValidationError, match="groups"):
        FeaturizeParams.model_validate(GOOD | {"groups": groups})


@pytest.mark.parametrize(
    ("groups", "windows", "lookback_bars"),
    [
        (["returns", "ranges", "momentum", "volume", "clock"], [1, 4, 24, 168, 720], 720),
        (["ranges", "volume"], [1, 4, 24, 168, 720], 719),
        (["returns", "ranges", "momentum", "volume", "clock"], [1, 4, 24], 33),
        (["returns"], [1, 4, 24], 24),
        (["ranges"], [1, 4], 14),
        (["clock"], [1, 4], 0),
    ],
)
def test_the_look_back_is_that_of_the_neediest_group(groups, windows, lookback_bars):
    """Only groups that are switched on count; the windows matter to those that use them."""
    params = FeaturizeParams.model_validate({"groups": groups, "windows": windows, "events": "none"})
    assert params.lookback_bars == lookback_bars

import pytest

from stages.common.errors import InputError
from stages.params import check_params
from tests.questions import SHIPPED
from tests.settings import shipped

BARRIERS = {"up_atr": 1.5, "down_atr": 1.5, "timeout": "sign"}
LABEL = SHIPPED.label.model_dump()
SPLIT = {
    "scheme": "walk_forward",
    "folds": 4,
    "test_bars": 3400,
    "val_bars": 2160,
    "warmup_bars": 800,
    "bridge_bars": 3,
}


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"horizon": 3}, "label.horizon must be at least 4 bars"),
        ({"horizon": 14.0}, "label.horizon"),
        ({"direction": BARRIERS | {"up_atr": 0}}, "label.direction.up_atr"),
        ({"direction": BARRIERS | {"timeout": "one"}}, "label.direction.timeout"),
        ({"volatility": {"target": "var"}}, "label.volatility.target"),
        ({"volatility": {}}, "label.volatility.target is missing"),
    ],
)
def test_bad_label_settings_are_refused_by_name(change, named):
    """Each setting outside its rule stops everything, whichever the task."""
    with pytest.raises(InputError, match=named):
        check_params(shipped() | {"label": LABEL | change})


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("scheme", "random"),
        ("folds", 0),
        ("test_bars", 0),
        ("val_bars", 0),
        ("warmup_bars", 0),
        ("bridge_bars", -1),
    ],
)
def test_bad_split_settings_are_refused_by_name(setting, value):
    """Each setting outside its rule stops everything."""
    with pytest.raises(InputError, match=f"split.{setting} .*received {value!r}"):
        check_params(shipped() | {"split": SPLIT | {setting: value}})


def test_shipped_kinds_of_settings_are_accepted():
    """A horizon of four bars is the shortest that is asked about."""
    check_params(shipped() | {"label": LABEL | {"horizon": 4}, "split": SPLIT | {"scheme": "holdout"}})

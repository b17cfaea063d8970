import json

import numpy as np
import pandas as pd
import pytest

from stages.common.task import TASKS
from stages.evaluate.metrics import as_json, baseline_losses, make_metrics, rounded
from stages.evaluate.params import EvaluateParams

HOUR = pd.Timedelta(hours=1)
PARAMS = EvaluateParams(bootstrap=100, seed=1)


@pytest.fixture
def direction_run(compared, make_inputs):
    """Rows and losses of a direction run."""
    return compared(make_inputs("direction"), "direction")


def test_each_split_is_of_its_own_rows(direction_run):
    """Test has the whole block; val and train the same four figures, each from its own rows."""
    rows, losses = direction_run
    losses.loc[rows["role"] == "train", "model"] = 0.5 * losses["naive"]
    losses.loc[rows["role"] == "val", "model"] = 0.6 * losses["naive"]
    losses.loc[rows["role"] == "test", "model"] = 0.9 * losses["naive"]

    metrics = make_metrics(rows, losses, TASKS["direction"].loss, horizon_bars=14, bar=HOUR, params=PARAMS)

    skills = [metrics[split]["skill_pct"] for split in ("train", "val", "test")]
    assert skills == pytest.approx([50, 40, 10])
    assert metrics["overfit_gap_pct"] == pytest.approx(40)
    assert list(metrics["val"]) == list(metrics["train"]) == ["skill_pct", "edge_pct", "auc", "hit_rate"]
    assert set(metrics["val"]) < set(metrics["test"])


def test_baselines_are_charged_on_test_alone(direction_run):
    """Each one's mean test loss, in thousandths; a coin's log loss is 693.147."""
    rows, losses = direction_run
    losses.loc[rows["role"] != "test", "base_rate_90d"] = 9.0

    found = baseline_losses(rows, losses)

    assert found["naive"] == pytest.approx(1000 * np.log(2))
    assert found["base_rate_90d"] < found["naive"]
    assert list(found) == ["naive", "base_rate_90d"]


def test_rounding_keeps_six_digits_and_whole_numbers():
    """Noise in the fifteenth digit is no difference between two runs; counts stay counts."""
    metrics = {"a": {"x": 0.1 + 0.2, "y": -0.0, "z": 123456.789, "p": 1.23456789e-9}, "n": 13_600_123}

    assert as_json(rounded(metrics)) == (
        '{\n  "a": {\n    "x": 0.3,\n    "y": 0.0,\n    "z": 123457.0,\n    "p": 1.23457e-09\n  },\n'
        '  "n": 13600123\n}\n'
    )


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_what_is_not_finite_is_never_written(value):
    """JSON has no NaN, and neither do the metrics."""
    with pytest.raises(ValueError, match="not JSON compliant"):
        as_json({"test": {"ic": value}})


def test_all_figures_are_plain_numbers(direction_run):
    """Nothing of numpy's is left after rounding, so that JSON takes it as it is."""
    rows, losses = direction_run
    metrics = rounded(
        make_metrics(rows, losses, TASKS["direction"].loss, horizon_bars=14, bar=HOUR, params=PARAMS)
    )

    assert json.loads(as_json(metrics)) == metrics
    assert {type(value) for value in metrics["test"].values()} == {int, float}

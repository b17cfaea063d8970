import json
from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from stages.common.task import TASKS
from stages.evaluate.losses import best_baselines
from stages.evaluate.metrics import as_json, baseline_losses, make_metrics, rounded
from stages.evaluate.question import question_of
from stages.evaluate.stage import Findings, judge
from stages.params import check_params
from tests.settings import shipped

SHARED = [
    "signal", "too_short", "skill_pct", "skill_lo", "skill_hi", "dm_p",
    "edge", "edge_pct", "edge_lo", "edge_hi", "edge_dm_p", "is_baseline", "edge_min_pct", "fold_win_rate",
    "auc", "auc_ref", "ic", "ic_ref", "hit_rate", "cal_slope", "cal_intercept", "mcs_p",
    "info_gain_mnats", "edge_gain_mnats", "coverage_90_pct", "worst_30d_pct", "width",
    "net_sharpe", "ref_sharpe", "constant_sharpe", "delta_sharpe", "delta_sharpe_lo", "delta_sharpe_hi",
    "turnover", "max_drawdown_pct", "utility_bps", "ref_utility_bps", "constant_utility_bps",
    "n_rows", "n_eff",
]  # fmt: skip

Judge = Callable[[pd.DataFrame, pd.DataFrame, str], Findings]


@pytest.fixture
def judged(params) -> Judge:
    """`judged(rows, losses, task)` gives all that the test rows say, of hourly bars, 14 ahead."""

    def run(rows: pd.DataFrame, losses: pd.DataFrame, task: str) -> Findings:
        settings = check_params(shipped() | {"task": task, "evaluate": params.model_dump()})
        best = best_baselines(rows, losses.drop(columns=["network", "best"]))
        return judge(rows, losses, best, settings)

    return run


@pytest.fixture
def direction_run(compared, make_inputs):
    """Rows and losses of a direction run."""
    return compared(make_inputs("direction"), "direction")


@pytest.mark.parametrize("task", TASKS)
def test_all_tasks_have_the_same_keys_and_numbers_in_all(compared, make_inputs, judged, task):
    """`metrics diff` lines them up; not one may be NaN."""
    block = judged(*compared(make_inputs(task), task), task).shared

    assert list(block) == SHARED
    assert np.isfinite(list(block.values())).all()
    assert (block["n_rows"], block["n_eff"]) == (600, 300 / 14)


@pytest.mark.parametrize("task", TASKS)
def test_sides_are_long_short_or_flat(compared, make_inputs, task):
    """How large a position is, is the strategy's to say."""
    rows, _ = compared(make_inputs(task), task)

    assert set(question_of(task).side(rows)) <= {1.0, -1.0, 0.0}


@pytest.mark.parametrize("task", TASKS)
def test_where_the_model_is_the_benchmark_all_is_nil(compared, make_inputs, judged, task):
    """0, [0, 0], p = 1, auc .5, ic 0, slope 0, no information, and never NaN."""
    inputs = make_inputs(task, knowledge=0)
    rows, losses = compared(inputs, task)
    block = judged(rows, losses.assign(best=losses["benchmark"]), task).shared

    nil = ("skill_pct", "skill_lo", "skill_hi", "edge_pct", "ic", "cal_slope", "info_gain_mnats")
    assert {name: block[name] for name in nil} == pytest.approx(dict.fromkeys(nil, 0), abs=1e-9)
    assert (block["dm_p"], block["auc"], block["hit_rate"]) == (1, 0.5, 0.5)
    assert np.isfinite(list(block.values())).all()


def test_the_table_by_time_adds_up_to_the_metrics(compared, make_inputs, judged):
    """What tools.trials compares experiments by: means of an hour's symbols, in order of time."""
    rows, losses = compared(make_inputs("volatility"), "volatility")
    found = judged(rows, losses, "volatility")
    test = rows["role"] == "test"

    assert list(found.by_time) == [
        "close_time", "market_return", "network", "benchmark", "best", "net_return", "ref_net_return",
    ]  # fmt: skip
    assert found.by_time["close_time"].is_monotonic_increasing
    assert found.by_time["network"].mean() == pytest.approx(losses.loc[test, "network"].mean())
    assert found.by_time["market_return"].mean() == pytest.approx(rows.loc[test, "return_next"].mean())
    net = found.by_time["net_return"]
    assert found.shared["net_sharpe"] == pytest.approx(net.mean() / net.std(ddof=0) * np.sqrt(8760))


def test_each_split_is_of_its_own_rows(direction_run, judged):
    """Test has the whole block; val and train the same four figures, each from its own rows."""
    rows, losses = direction_run
    losses.loc[rows["role"] == "train", "network"] = 0.5 * losses["benchmark"]
    losses.loc[rows["role"] == "val", "network"] = 0.6 * losses["benchmark"]
    losses.loc[rows["role"] == "test", "network"] = 0.9 * losses["benchmark"]

    metrics = make_metrics(
        rows, losses, judged(rows, losses, "direction").shared, {"mcc": 0.0}, "direction"
    )

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

    assert found["benchmark"] == pytest.approx(1000 * np.log(2))
    assert found["base_rate_90d"] < found["benchmark"]
    assert list(found) == ["benchmark", "base_rate_90d"]


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


def test_all_figures_are_plain_numbers(direction_run, judged):
    """Nothing of numpy's is left after rounding, so that JSON takes it as it is."""
    rows, losses = direction_run
    test = judged(rows, losses, "direction").shared
    metrics = rounded(make_metrics(rows, losses, test, {"mcc": 0.0}, "direction"))

    assert json.loads(as_json(metrics)) == metrics
    assert {type(value) for value in metrics["test"].values()} == {int, float}

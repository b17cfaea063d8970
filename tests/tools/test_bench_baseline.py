import pytest

from stages.baseline.params import BaselineParams
from stages.label.params import DirectionParams, LabelParams, SplitParams, VolatilityParams
from tools.bench_baseline import REFERENCE, TOGETHER, baseline_rows, market, table, time_task


@pytest.fixture
def times():
    """What a thousand candles take, of either question."""
    label = LabelParams(
        horizon=14,
        direction=DirectionParams(up_atr=1.5, down_atr=1.5, timeout="sign"),
        volatility=VolatilityParams(target="atr"),
    )
    split = SplitParams(
        scheme="walk_forward", folds=1, test_bars=50, val_bars=50, warmup_bars=730, bridge_bars=3
    )
    params = BaselineParams(refit_bars=100, min_bars=200, window_bars=200, slow_refit_bars=100)
    candles = market(1000)
    return {
        task: time_task(
            baseline_rows(candles, task, label, split), task, getattr(label, task).model_dump(), params
        )
        for task in ("volatility", "direction")
    }


def test_every_baseline_is_timed(times):
    """Each column has a time of its own, sizing among them, and so have all of them together."""
    assert {"naive", "har_hour_of_week", "garch", "boosting", "sizing_atr"} < set(times["volatility"])
    assert {"naive", "logistic", "boosting", "return_per_atr"} < set(times["direction"])
    for columns in times.values():
        assert list(columns)[-1] == TOGETHER
        assert all(spent > 0 for spent in columns.values())


def test_the_table_compares_with_the_reference():
    """A row a baseline; the reference's own ratio is 1."""
    task, name = REFERENCE

    lines = table({task: {name: 0.5, "garch": 2.0}}).splitlines()

    assert lines[2:] == [
        "| volatility | har_hour_of_week | 0.50 | 1.0 |",
        "| volatility | garch | 2.00 | 4.0 |",
    ]

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml

from stages.common.tables import write_table
from tools.trials import HOURLY, METRICS, Trial, apart, read_trials, report, same_test, table

TIMES = pd.date_range("2024-01-01", periods=320, freq="h", tz="UTC", unit="ms")


def hourly_table(seed: int, market: int = 0) -> pd.DataFrame:
    """What evaluate writes an hour, of a made-up forecast on a made-up market."""
    returns, market_return = (np.random.default_rng(s).standard_normal(320) for s in (seed, market))
    return pd.DataFrame({"close_time": TIMES, "market_return": market_return, "net_return": returns})


def figures(dm_p: float = 0.5) -> dict[str, Any]:
    """The part of results/metrics.json that the table shows."""
    return {"test": {"skill_pct": 1.0, "dm_p": dm_p, "edge_pct": 0.0, "edge_dm_p": 0.5, "net_sharpe": 0.3}}


class Workspace:
    """A run cache like DVC's, filled by hand."""

    def __init__(self, folder: Path) -> None:
        """Nothing was run yet."""
        self.folder, self.n_runs = folder, 0
        self.repo = SimpleNamespace(
            stage_cache=SimpleNamespace(cache_dir=str(folder / "runs")),
            cache=SimpleNamespace(
                local=SimpleNamespace(oid_to_path=lambda md5: str(folder / "files" / md5))
            ),
        )

    def note(self, cmd: str, deps: dict[str, str], outs: dict[str, str], params: dict[str, Any]) -> None:
        """One run of a stage."""
        self.n_runs += 1
        path = self.folder / f"runs/ab/cd/{self.n_runs}"
        path.parent.mkdir(parents=True, exist_ok=True)
        entries = [[{"path": name, "md5": md5} for name, md5 in paths.items()] for paths in (deps, outs)]
        run = {"cmd": cmd, "deps": entries[0], "outs": entries[1], "params": {"params.yaml": params}}
        path.write_text(yaml.safe_dump(run), encoding="utf-8")

    def score(
        self, name: str, settings: dict[str, Any], seed: int = 1, dm_p: float = 0.5, code: str = "v1"
    ) -> None:
        """A forecast that train made with the settings, and its score."""
        self.note("train", {}, {"data/predictions.parquet": name}, settings)
        metrics, hourly = (f"{name}-{code}-{what}" for what in ("metrics", "hourly"))
        deps = {"data/predictions.parquet": name, "stages/evaluate/__main__.py": code}
        self.note("evaluate", deps, {METRICS: metrics, HOURLY: hourly}, {"evaluate": {"seed": 1}})
        write_table(self.folder / "files" / hourly, hourly_table(seed))
        (self.folder / "files" / metrics).write_text(json.dumps(figures(dm_p)), encoding="utf-8")


@pytest.fixture
def workspace(tmp_path):
    """An empty one."""
    return Workspace(tmp_path)


def test_every_scored_forecast_is_a_trial(workspace):
    """Each with the settings of all stages that led to it."""
    for units in (8, 16):
        workspace.score(f"units {units}", {"task": "direction", "train": {"units": units}})

    trials = read_trials(workspace.repo)

    assert [trial.settings["train.units"] for trial in trials] == [8, 16]
    assert trials[0].settings == {"task": "direction", "train.units": 8, "evaluate.seed": 1}


def test_a_forecast_that_is_scored_again_counts_once(workspace):
    """As it was last scored: other code of evaluate makes no other forecast."""
    workspace.score("one", {"task": "direction"}, dm_p=0.2, code="v1")
    workspace.score("one", {"task": "direction"}, dm_p=0.4, code="v2")

    trials = read_trials(workspace.repo)

    assert [trial.metrics["test"]["dm_p"] for trial in trials] == [0.4]


def test_scores_that_were_collected_as_garbage_are_left_out(workspace):
    """`dvc gc` may have removed an old run's files."""
    workspace.score("one", {"task": "direction"})
    workspace.score("two", {"task": "direction"})
    (workspace.folder / "files/one-v1-hourly").unlink()

    assert len(read_trials(workspace.repo)) == 1


def test_only_the_same_test_counts():
    """Other hours are another test, and so are the same hours of another market."""
    mine, rival = (Trial({}, figures(), hourly_table(seed)) for seed in (1, 2))
    elsewhere = Trial({}, figures(), hourly_table(3, market=1))
    shorter = Trial({}, figures(), hourly_table(4)[:300])

    assert same_test([mine, rival, elsewhere, shorter], hourly_table(1)) == [mine, rival]


def test_names_say_what_sets_a_trial_apart():
    """Settings that all trials of a task share, and those of evaluate, say nothing."""
    settings: list[dict[str, Any]] = [
        {"task": "direction", "train.units": 8, "fetch.timeframe": "1h", "evaluate.seed": 1},
        {"task": "direction", "train.units": 16, "fetch.timeframe": "1h", "evaluate.seed": 2},
        {"task": "volatility", "label.volatility.target": "atr", "fetch.timeframe": "1h"},
    ]

    assert apart(settings) == ["direction, train.units=8", "direction, train.units=16", "volatility"]


def test_table_adjusts_for_the_number_of_trials():
    """Least p first; .03 among two is .06."""
    trials = [
        Trial({"task": "direction", "train.units": n}, figures(p), hourly_table(n))
        for n, p in ((8, 0.9), (16, 0.03))
    ]

    lines = table(trials)

    assert lines[2].startswith("| direction, train.units=16 | 1.00 | 0.030 | 0.060 |")
    assert lines[3].startswith("| direction, train.units=8 | 1.00 | 0.900 | 0.900 |")


def test_report_of_a_single_trial_has_no_overfitting():
    """Nothing was chosen, so that nothing could be overfitted."""
    settings = {"task": "direction"}
    one, two = (
        [Trial(settings, figures(), hourly_table(seed)) for seed in range(1, n + 1)] for n in (1, 2)
    )

    assert "backtest overfitting" not in report(one)
    assert "Deflated Sharpe ratio" in report(one)
    assert "backtest overfitting" in report(two)

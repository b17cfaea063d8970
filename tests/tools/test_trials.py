import json
import os
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml

from stages.common.errors import InputError
from stages.common.tables import write_table
from tools.trials import __main__ as tool
from tools.trials.cache import (
    BY_TIME,
    METRICS,
    Trial,
    md5,
    n_further,
    overlaps,
    read_trials,
    same_test,
)
from tools.trials.table import apart, report, table

TIMES = pd.date_range("2024-01-01", periods=320, freq="h", tz="UTC", unit="ms")
LABELS, PREDICTIONS, BASELINES = "data/labels", "data/predictions.parquet", "data/baselines"
NETWORKS, EVALUATE = "stages/train/networks.py", "stages/evaluate/__main__.py"


def table_by_time(seed: int, market: int = 0) -> pd.DataFrame:
    """What evaluate writes a close_time, of a made-up forecast on a made-up market."""
    returns, market_return = (np.random.default_rng(s).standard_normal(320) for s in (seed, market))
    return pd.DataFrame({"close_time": TIMES, "market_return": market_return, "net_return": returns})


def figures(dm_p: float = 0.5) -> dict[str, float]:
    """The part of results/metrics.json that the table shows."""
    return {"skill_pct": 1.0, "dm_p": dm_p, "edge_pct": 0.0, "edge_dm_p": 0.5, "net_sharpe": 0.3}


def trial(name: str = "one", settings: dict[str, Any] | None = None, **others: Any) -> Trial:
    """A trial of the forecast of that name."""
    settings = {"task": "direction"} | (settings or {})
    return replace(Trial((name, "labels"), settings, {}, {}, figures(), table_by_time(1)), **others)


class Workspace:
    """A working folder, and a run cache like DVC's, filled by hand."""

    def __init__(self, folder: Path) -> None:
        """Nothing was run yet."""
        self.folder, self.n_runs = folder, 0
        self.repo = SimpleNamespace(
            stage_cache=SimpleNamespace(cache_dir=str(folder / "runs")),
            cache=SimpleNamespace(
                local=SimpleNamespace(oid_to_path=lambda md5: str(folder / "files" / md5))
            ),
        )

    def note(self, deps: dict[str, str], outs: dict[str, str], params: dict[str, Any]) -> Path:
        """One run of a stage, an hour after the one before."""
        self.n_runs += 1
        path = self.folder / f"runs/ab/cd/{self.n_runs}"
        path.parent.mkdir(parents=True, exist_ok=True)
        entries = [
            [{"path": name, "md5": md5} for name, md5 in sorted(paths.items())] for paths in (deps, outs)
        ]
        run = {"deps": entries[0], "outs": entries[1], "params": {"params.yaml": params}}
        path.write_text(yaml.safe_dump(run), encoding="utf-8")
        os.utime(path, (3600 * self.n_runs, 3600 * self.n_runs))
        return path

    def train(self, name: str, settings: dict[str, Any] | None = None, code: str = "v1") -> None:
        """A run that made the forecast of that name."""
        self.note({NETWORKS: code}, {PREDICTIONS: name}, {"task": "direction"} | (settings or {}))

    def score(
        self,
        name: str,
        strategy: dict[str, Any] | None = None,
        dm_p: float = 0.5,
        deps: dict[str, str] | None = None,
        by_time: pd.DataFrame | None = None,
    ) -> dict[str, str]:
        """A run that scored it; hashes of what evaluate wrote, which is the workspace's now."""
        write_table(self.folder / BY_TIME, table_by_time(1) if by_time is None else by_time)
        (self.folder / METRICS).write_text(json.dumps({"test": figures(dm_p)}), encoding="utf-8")
        outs = {path: md5(self.folder / path) for path in (BY_TIME, METRICS)}
        (self.folder / "files").mkdir(exist_ok=True)
        for path, hashed in outs.items():
            (self.folder / "files" / hashed).write_bytes((self.folder / path).read_bytes())
        params = {"task": "direction", "evaluate": {"cost_bps": 5.0, "seed": 1} | (strategy or {})}
        self.note({PREDICTIONS: name, LABELS: "labels", EVALUATE: "v1"} | (deps or {}), outs, params)
        return outs


@pytest.fixture
def workspace(tmp_path, monkeypatch):
    """An empty one, to run the command in."""
    made = Workspace(tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(tool, "Repo", lambda _: made.repo)
    monkeypatch.setattr("sys.argv", ["trials"])
    return made


def ps(trials: list[Trial]) -> list[float]:
    """The p-value of each, by which the tests know which score of it was taken."""
    return [trial.figures["dm_p"] for trial in trials]


def test_every_scored_forecast_is_a_trial(workspace):
    """Each with the settings and the code of all stages that led to it."""
    for units in (8, 16):
        workspace.train(f"units {units}", {"train": {"units": units}})
        workspace.score(f"units {units}")

    trials = read_trials(workspace.repo, {})

    assert {trial.settings["train.units"] for trial in trials} == {8, 16}
    assert trials[1].settings == {"task": "direction", "train.units": 8}
    assert trials[1].strategy == {"evaluate.cost_bps": 5.0}
    assert trials[1].code == {NETWORKS: "v1"}


@pytest.mark.parametrize(
    "again",
    [
        {"deps": {EVALUATE: "v2"}},
        {"deps": {BASELINES: "refit more often"}},
        {"deps": {"results/train": "other curves"}},
        {"strategy": {"seed": 2}},
        {"strategy": {"bootstrap": 3000}},
        {"strategy": {"cost_bps": 5}},
    ],
    ids=str,
)
def test_what_is_scored_again_counts_once(workspace, again):
    """Other code, baselines or bootstrap make no other forecast nor strategy; the newest counts."""
    workspace.score("one", dm_p=0.2)
    workspace.score("one", dm_p=0.4, **again)

    assert ps(read_trials(workspace.repo, {})) == [0.4]


@pytest.mark.parametrize("setting", ["cost_bps", "no_trade_band", "max_position", "target_volatility_pct"])
def test_a_forecast_that_is_traded_otherwise_is_another_trial(workspace, setting):
    """Who tunes the strategy tries too; but the forecast is still one."""
    for value in (1.5, 0.5):
        workspace.score("one", {setting: value})

    trials = read_trials(workspace.repo, {})

    assert [trial.strategy[f"evaluate.{setting}"] for trial in trials] == [0.5, 1.5]
    assert trials[0].forecast == trials[1].forecast


def test_the_labels_are_part_of_a_forecast(workspace):
    """The same scores of other questions are two forecasts."""
    for labels in ("labels", "other labels"):
        workspace.score("one", deps={LABELS: labels})

    assert len({trial.forecast for trial in read_trials(workspace.repo, {})}) == 2


def test_the_run_of_the_workspace_is_preferred(workspace):
    """Also where other code scored the same later, for DVC doesn't touch a run that it serves again."""
    here = workspace.score("one", dm_p=0.2)
    workspace.score("one", dm_p=0.4, deps={EVALUATE: "v2"}, by_time=table_by_time(2))
    workspace.score("two", dm_p=0.6)

    assert ps(read_trials(workspace.repo, here)) == [0.2, 0.6]
    assert ps(read_trials(workspace.repo, {})) == [0.6, 0.4]


def test_of_equal_returns_the_metrics_tell_which_run_is_the_workspaces(workspace, capsys):
    """Other code may change figures and no return."""
    workspace.score("one", dm_p=0.2)
    metrics = (workspace.folder / METRICS).read_bytes()
    workspace.score("one", dm_p=0.4, deps={EVALUATE: "v2"})
    (workspace.folder / METRICS).write_bytes(metrics)

    tool.main()

    assert "| direction | 1.00 | 0.200 |" in capsys.readouterr().out


def test_what_led_to_a_forecast_is_one_history(workspace):
    """Of two ways to the same predictions it is the one that shares what evaluate read beside them."""
    for refit_bars in (168, 100):
        baselines = {BASELINES: f"refit {refit_bars}"}
        workspace.note({}, baselines, {"baseline": {"refit_bars": refit_bars}})
        workspace.note(baselines, {PREDICTIONS: "one"}, {"task": "direction"})
    workspace.score("one", deps={BASELINES: "refit 168"})

    assert read_trials(workspace.repo, {})[0].settings["baseline.refit_bars"] == 168


def test_scores_that_were_collected_as_garbage_are_left_out(workspace):
    """`dvc gc` may have removed an old run's files; an older score of the same then counts."""
    workspace.score("one", dm_p=0.2)
    workspace.score("two", dm_p=0.3)
    workspace.score("one", dm_p=0.4, deps={EVALUATE: "v2"})
    gone = workspace.score("two", dm_p=0.6, by_time=table_by_time(2))
    (workspace.folder / "files" / gone[BY_TIME]).unlink()

    assert ps(read_trials(workspace.repo, {})) == [0.4, 0.3]


def test_a_run_that_is_being_noted_is_left_out(workspace):
    """DVC writes beside, under a temporary name, and then renames."""
    workspace.score("one")
    (workspace.folder / "runs/ab/cd/.half.tmp").write_text("cmd: [", encoding="utf-8")

    assert len(read_trials(workspace.repo, {})) == 1


def returning(by_time: pd.DataFrame, market_return: float, n_times: int) -> pd.DataFrame:
    """The table, with that return of the market at its first times."""
    returns = by_time["market_return"].where(np.arange(len(by_time)) >= n_times, market_return)
    return by_time.assign(market_return=returns)


def test_only_the_same_rows_are_compared():
    """Other times are another test, and so are the same times of another market."""
    current = table_by_time(1)

    assert same_test(table_by_time(2), current)
    assert same_test(current.assign(market_return=current["market_return"] + 1e-15), current)
    assert not same_test(table_by_time(2)[:300], current)
    assert not same_test(table_by_time(3, market=1), current)
    assert not same_test(returning(current, 9.0, n_times=1), current)


def test_times_overlap_on_the_same_market_alone():
    """One shared time will do; a market that returned the same now and then is another market."""
    current, other = table_by_time(1), table_by_time(2, market=1)

    assert overlaps(current[:200], current[199:])
    assert not overlaps(current[:200], current[200:])
    assert not overlaps(other, current)
    assert not overlaps(returning(other, 0.0, n_times=100), returning(current, 0.0, n_times=100))
    assert overlaps(returning(current, 9.0, n_times=10), current)


def test_forecasts_of_other_windows_are_told_by_their_number():
    """Each forecast once, however it was traded, and none that is counted already or of another market."""
    current, moved = table_by_time(1), table_by_time(1)[10:]
    counted = [trial("one")]
    others = [
        trial("two", by_time=moved),
        trial("two", strategy={"evaluate.cost_bps": 1.0}, by_time=moved),
        trial("three", by_time=moved),
        trial("one", strategy={"evaluate.cost_bps": 1.0}, by_time=moved),
        trial("four", by_time=table_by_time(1, market=1)),
    ]

    assert n_further([*counted, *others], counted, current) == 2
    assert "aren't counted: 2." in report(counted, 2)


def test_names_say_what_sets_a_trial_apart():
    """The forecast, then how it was traded; settings that all trials of a task share say nothing."""
    trials = [
        trial("one", {"train.units": 8, "fetch.timeframe": "1h"}, strategy={"evaluate.cost_bps": 5.0}),
        trial("one", {"train.units": 8, "fetch.timeframe": "1h"}, strategy={"evaluate.cost_bps": 1.0}),
        trial("two", {"train.units": 16, "fetch.timeframe": "1h"}, strategy={"evaluate.cost_bps": 5.0}),
        trial("three", {"task": "volatility"}, strategy={"evaluate.cost_bps": 5.0}),
    ]

    assert apart(trials[::2]) == ["direction, train.units=8", "direction, train.units=16"]
    assert apart(trials) == [
        "direction, train.units=8, evaluate.cost_bps=5.0",
        "direction, train.units=8, evaluate.cost_bps=1.0",
        "direction, train.units=16, evaluate.cost_bps=5.0",
        "volatility, evaluate.cost_bps=5.0",
    ]


def test_a_forecast_has_one_name():
    """Two settings that gave the same predictions are one forecast, named by its first trial."""
    trials = [
        trial("one", {"train.units": 8}, strategy={"evaluate.cost_bps": 5.0}),
        trial("one", {"train.units": 9}, strategy={"evaluate.cost_bps": 1.0}),
        trial("two", {"train.units": 16}, strategy={"evaluate.cost_bps": 1.0}),
    ]

    assert [name.split(", ")[1] for name in apart(trials)] == [f"train.units={n}" for n in (8, 8, 16)]


def test_names_say_that_code_alone_differs():
    """By a hash of the files that differ; files that nobody changed don't enter it."""

    def names(shared: str) -> list[str]:
        code = [{"a.py": shared, "b.py": version} for version in ("v1", "v2")]
        trials = [trial(version["b.py"], {"train.units": 8}, code=version) for version in code]
        return apart([*trials, trial("three", {"train.units": 16}, code={"b.py": "v3"})])

    first, second, third = names("v1")

    assert first.startswith("direction, train.units=8, code ")
    assert second.startswith("direction, train.units=8, code ")
    assert first != second
    assert third == "direction, train.units=16"
    assert names("v2") == [first, second, third]


def test_code_is_named_however_a_forecast_was_traded():
    """Or one couldn't tell which of the two was traded at the other cost."""
    trials = [trial(version, code={"a.py": version}) for version in ("v1", "v2")]
    other_cost = replace(trials[0], strategy={"evaluate.cost_bps": 1.0})

    first, _, other = (name.split(", ")[1] for name in apart([*trials, other_cost]))

    assert first == other
    assert first.startswith("code ")


def test_names_are_never_the_same():
    """What differs in nothing that was noted, as after an upgrade of a library, has its own hash."""
    code = [{"a.py": version} for version in ("v1", "v1", "v2")]
    names = apart([trial(f"{k}-of-many", code=code[k]) for k in range(3)])

    assert [name.rpartition(", ")[2] for name in names[:2]] == [
        "predictions 0-of-ma",
        "predictions 1-of-ma",
    ]
    assert names[2].startswith("direction, code ")
    assert "predictions" not in names[2]


def test_table_adjusts_for_the_number_of_forecasts():
    """Least p first; .03 among two is .06, however many ways they were traded."""
    at_five, at_one = ({"evaluate.cost_bps": cost} for cost in (5.0, 1.0))
    trials = [
        trial("nine", {"train.units": 8}, strategy=at_five, figures=figures(0.9)),
        trial("three", {"train.units": 16}, strategy=at_five, figures=figures(0.03)),
        trial("three", {"train.units": 16}, strategy=at_one, figures=figures(0.03)),
    ]

    lines = table(trials)

    assert lines[2].startswith(
        "| direction, train.units=16, evaluate.cost_bps=1.0 | 1.00 | 0.030 | 0.060 |"
    )
    assert lines[3].startswith(
        "| direction, train.units=16, evaluate.cost_bps=5.0 | 1.00 | 0.030 | 0.060 |"
    )
    assert lines[4].startswith("| direction, train.units=8, evaluate.cost_bps=5.0 | 1.00 | 0.900 | 0.900 |")


def test_the_first_trial_of_a_forecast_says_its_p():
    """A score by other code gives each its own Sharpe ratio, but the forecast one p-value."""
    first = trial(figures=figures(0.2))
    second = trial(strategy={"evaluate.cost_bps": 1.0}, figures=figures(0.9) | {"net_sharpe": 0.7})

    lines = table([first, second])[2:]

    assert all(" | 1.00 | 0.200 | 0.200 | " in line for line in lines)
    assert sorted(line.split("|")[-2].strip() for line in lines) == ["0.30", "0.70"]


def test_the_order_of_the_table_is_its_own():
    """Whichever run was noted first, for a copied run cache has other times."""
    trials = [trial(name, {"train.units": units}) for name, units in (("a", 8), ("b", 16), ("c", 4))]

    assert table(trials) == table(trials[::-1])


def test_report_of_a_single_trial_has_no_overfitting():
    """Nothing was chosen, so that nothing could be overfitted."""
    one = [trial()]
    two = [*one, trial(strategy={"evaluate.cost_bps": 1.0}, by_time=table_by_time(2))]

    assert "backtest overfitting" not in report(one, 0)
    assert "Deflated Sharpe ratio" in report(one, 0)
    assert "backtest overfitting" in report(two, 0)
    assert "Forecasts on these test rows: 1," in report(two, 0)
    assert "Trials on these test rows: 2," in report(two, 0)


def test_back_to_an_earlier_cost_shows_its_figures(workspace, capsys):
    """Costs of 5, 0 and 1, and 5 again from the run cache: three trials, of one forecast."""
    kept = {}
    for seed, cost in enumerate((5.0, 0.0, 1.0)):
        workspace.score("one", {"cost_bps": cost}, dm_p=cost / 10, by_time=table_by_time(seed))
        kept[cost] = [(workspace.folder / path).read_bytes() for path in (BY_TIME, METRICS)]
    for path, content in zip((BY_TIME, METRICS), kept[5.0], strict=True):
        (workspace.folder / path).write_bytes(content)

    tool.main()

    lines = capsys.readouterr().out.splitlines()
    assert [line.split(" | ")[0] for line in lines[2:5]] == [
        f"| direction, evaluate.cost_bps={cost}" for cost in (0.0, 1.0, 5.0)
    ]
    assert all(" | 0.500 | 0.500 | " in line for line in lines[2:5])
    assert "Forecasts on these test rows: 1," in lines[6]
    assert "Trials on these test rows: 3," in lines[7]


def test_the_workspace_has_to_be_among_the_trials(workspace):
    """Results that came without their run would be compared with others, and not be counted."""
    workspace.score("one")
    write_table(workspace.folder / BY_TIME, table_by_time(2))

    with pytest.raises(InputError, match=r"must hold the run that wrote results/by_time.parquet"):
        tool.main()


def test_missing_results_are_named(workspace):
    """Before the first `dvc repro` there is a clear line."""
    with pytest.raises(InputError, match=r"results/by_time.parquet must exist"):
        tool.main()


def test_a_folder_without_dvc_is_named(tmp_path, monkeypatch):
    """DVC's own words say how far it looked."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.argv", ["trials"])

    with pytest.raises(
        InputError, match=r"clone of the project; received .*not inside of a DVC repository"
    ):
        tool.main()


@pytest.mark.parametrize(
    ("name", "content"),
    [
        (BY_TIME, "no Parquet"),
        ("files/by_time", "no Parquet"),
        ("files/metrics", "{"),
        ("files/metrics", '{"test": {}}'),
        ("runs/ab/cd/1", "cmd: [1,\n b: }"),
        ("runs/ab/cd/1", ""),
        ("runs/ab/cd/1", "deps: 3"),
    ],
)
def test_a_file_that_cannot_be_read_is_named(workspace, name, content):
    """One line says which, and that the rest can do without it."""
    outs = workspace.score("one")
    name = {"files/by_time": f"files/{outs[BY_TIME]}", "files/metrics": f"files/{outs[METRICS]}"}.get(
        name, name
    )
    (workspace.folder / name).write_text(content, encoding="utf-8")

    with pytest.raises(InputError, match=rf"{name} must be as it was written") as caught:
        tool.main()
    assert "\n" not in str(caught.value)


def test_a_table_without_the_returns_is_named(workspace):
    """Parquet of something else is no table by time."""
    workspace.score("one")
    write_table(workspace.folder / BY_TIME, table_by_time(1).drop(columns="net_return"))

    with pytest.raises(InputError, match=r"by_time.parquet must be as it was written.*net_return"):
        tool.main()


@pytest.mark.parametrize(("option", "status"), [("--help", 0), ("--bogus", 2)])
def test_options_are_answered(workspace, monkeypatch, option, status):
    """There are none but --help, and what isn't one is refused before anything is read."""
    monkeypatch.setattr("sys.argv", ["trials", option])

    with pytest.raises(SystemExit) as caught:
        tool.main()
    assert caught.value.code == status

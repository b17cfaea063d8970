import json
import os
import re
import shutil
import subprocess
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml
from dvc.scm import SCM

from stages.common.errors import InputError
from stages.common.tables import write_table
from stages.evaluate.ledger import SCORES, Trial, ledger_folder, market_hashes, md5, write_trial
from tests.project import SOMEBODY
from tools.trials import __main__ as tool
from tools.trials.cache import StageRun, makers_of, read_runs
from tools.trials.known import once, read_known
from tools.trials.names import names_of, read_experiments
from tools.trials.overlap import overlaps, same_test
from tools.trials.table import Beside, apart, report, table

BY_TIME, METRICS = SCORES
TIMES = pd.date_range("2024-01-01", periods=320, freq="h", tz="UTC", unit="ms")
LABELS, PREDICTIONS, BASELINES = "data/labels", "data/predictions.parquet", "data/baselines"
NETWORKS, EVALUATE = "stages/train/networks.py", "stages/evaluate/__main__.py"


def table_by_time(seed: int, market: int = 0) -> pd.DataFrame:
    """What evaluate writes a close_time, of a made-up forecast on a made-up market."""
    returns, market_return = (
        np.random.default_rng(s).standard_normal(320).astype(np.float32) for s in (seed, market)
    )
    return pd.DataFrame({"close_time": TIMES, "market_return": market_return, "net_return": returns})


def figures(dm_p: float = 0.5) -> dict[str, float]:
    """The part of results/metrics.json that the table shows."""
    return {"skill_pct": 1.0, "dm_p": dm_p, "edge_pct": 0.0, "edge_dm_p": 0.5, "net_sharpe": 0.3}


def trial(name: str = "one", settings: dict[str, Any] | None = None, **others: Any) -> Trial:
    """A trial of the forecast of that name; `by_time`: as `table_by_time` gives it."""
    by_time, strategy = others.pop("by_time", table_by_time(1)), others.pop("strategy", {})
    made = Trial(
        forecast=(name, "labels"),
        scores=(f"returns of {name}", "metrics"),
        settings={"task": "direction"} | (settings or {}) | strategy,
        code={},
        figures=figures(),
        market=market_hashes(by_time, by_time.assign(symbol="BTC", return_next=by_time["market_return"])),
        by_time=by_time[["close_time", "net_return"]].reset_index(drop=True),
    )
    return made._replace(**others)


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

    def trials(self, here: dict[str, str] | None = None) -> list[Trial]:
        """All trials that are known."""
        runs = read_runs(self.folder / "runs")
        scorings = [noted for noted in runs if noted.has_scores]
        return once(read_known(self.repo, ledger_folder(), scorings, makers_of(runs), here or {}))

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
        *,
        split: dict[str, Any] | None = None,
    ) -> dict[str, str]:
        """A run that scored it; hashes of what evaluate wrote, which is the workspace's now."""
        write_table(self.folder / BY_TIME, table_by_time(1) if by_time is None else by_time)
        (self.folder / METRICS).write_text(json.dumps({"test": figures(dm_p)}), encoding="utf-8")
        outs = {path: md5(self.folder / path) for path in (BY_TIME, METRICS)}
        (self.folder / "files").mkdir(exist_ok=True)
        for path, hashed in outs.items():
            (self.folder / "files" / hashed).write_bytes((self.folder / path).read_bytes())
        params = {"task": "direction", "evaluate": {"cost_bps": 5.0, "seed": 1} | (strategy or {})}
        params |= {"split": split} if split else {}
        self.note({PREDICTIONS: name, LABELS: "labels", EVALUATE: "v1"} | (deps or {}), outs, params)
        return outs


@pytest.fixture
def workspace(tmp_path, monkeypatch):
    """An empty one, to run the command in."""
    made = Workspace(tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(tool, "open_repo", lambda: nullcontext(made.repo))
    monkeypatch.setattr(tool, "read_experiments", lambda _: {})
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

    trials = workspace.trials()

    assert {trial.settings["train.units"] for trial in trials} == {8, 16}
    assert trials[1].making == {"task": "direction", "train.units": 8}
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

    assert ps(workspace.trials()) == [0.4]


@pytest.mark.parametrize("setting", ["cost_bps", "no_trade_band", "max_position", "target_volatility_pct"])
def test_a_forecast_that_is_traded_otherwise_is_another_trial(workspace, setting):
    """Who tunes the strategy tries too; but the forecast is still one."""
    for value in (1.5, 0.5):
        workspace.score("one", {setting: value})

    trials = workspace.trials()

    assert [trial.strategy[f"evaluate.{setting}"] for trial in trials] == [0.5, 1.5]
    assert trials[0].forecast == trials[1].forecast


def test_the_labels_are_part_of_a_forecast(workspace):
    """The same scores of other questions are two forecasts."""
    for labels in ("labels", "other labels"):
        workspace.score("one", deps={LABELS: labels})

    assert len({trial.forecast for trial in workspace.trials()}) == 2


def test_the_run_of_the_workspace_is_preferred(workspace):
    """Also where other code scored the same later, for DVC doesn't touch a run that it serves again."""
    here = workspace.score("one", dm_p=0.2)
    workspace.score("one", dm_p=0.4, deps={EVALUATE: "v2"}, by_time=table_by_time(2))
    workspace.score("two", dm_p=0.6)

    assert ps(workspace.trials(here)) == [0.2, 0.6]
    assert ps(workspace.trials()) == [0.6, 0.4]


def test_of_equal_returns_the_metrics_tell_which_run_is_the_workspaces(workspace, capsys):
    """Other code may change figures and no return."""
    workspace.score("one", dm_p=0.2)
    metrics = (workspace.folder / METRICS).read_bytes()
    workspace.score("one", dm_p=0.4, deps={EVALUATE: "v2"})
    (workspace.folder / METRICS).write_bytes(metrics)

    tool.main()

    assert "| direction | workspace | 1.00 | 0.200 |" in capsys.readouterr().out


def test_what_led_to_a_forecast_is_one_history(workspace):
    """Of two ways to the same predictions it is the one that shares what evaluate read beside them."""
    for refit_bars in (168, 100):
        baselines = {BASELINES: f"refit {refit_bars}"}
        workspace.note({}, baselines, {"baseline": {"refit_bars": refit_bars}})
        workspace.note(baselines, {PREDICTIONS: "one"}, {"task": "direction"})
    workspace.score("one", deps={BASELINES: "refit 168"})

    assert workspace.trials()[0].settings["baseline.refit_bars"] == 168


def test_scores_that_were_collected_as_garbage_are_left_out(workspace):
    """`dvc gc` may have removed an old run's files; an older score of the same then counts."""
    workspace.score("one", dm_p=0.2)
    workspace.score("two", dm_p=0.3)
    workspace.score("one", dm_p=0.4, deps={EVALUATE: "v2"})
    gone = workspace.score("two", dm_p=0.6, by_time=table_by_time(2))
    (workspace.folder / "files" / gone[BY_TIME]).unlink()

    assert ps(workspace.trials()) == [0.4, 0.3]


def lose_the_cache(workspace: Workspace) -> None:
    """Remove all that DVC has in its caches."""
    for folder in ("runs", "files"):
        shutil.rmtree(workspace.folder / folder)


def test_the_ledger_will_do_without_the_run_cache(workspace):
    """A trial is whole there: settings, figures, returns, and what tells its test from others."""
    entered = trial(
        "one",
        {"train.units": 8},
        strategy={"evaluate.cost_bps": 5.0},
        code={NETWORKS: "v1"},
        experiment="a",
    )
    write_trial(ledger_folder(), entered)

    (found,) = workspace.trials()

    pd.testing.assert_frame_equal(found.by_time, entered.by_time)
    assert found._replace(by_time=entered.by_time) == entered


def test_what_the_run_cache_alone_knows_is_remembered(workspace):
    """In the order in which it was scored, whatever happens to the caches later."""
    for name, strategy in (("one", {"cost_bps": 1.0}), ("one", {}), ("two", {})):
        workspace.train(name)
        workspace.score(name, strategy, by_time=table_by_time(len(name)))
    before = workspace.trials()

    lose_the_cache(workspace)

    after = workspace.trials()
    assert [each.forecast[0] for each in before] == ["two", "one", "one"]
    assert [each.identity for each in after] == [each.identity for each in before]
    assert [each.making for each in after] == [each.making for each in before]


def test_a_ledger_that_cannot_be_written_to_is_told(workspace, capsys):
    """The run cache is read all the same."""
    workspace.score("one")
    (workspace.folder / ".cache").write_text("", encoding="utf-8")

    assert len(workspace.trials()) == 1
    assert "warning: .cache/trials must be a folder that can be written to" in capsys.readouterr().err


def test_what_evaluate_entered_is_not_entered_again(workspace):
    """The same result has one file, whether evaluate or the run cache told of it."""
    outs = workspace.score("one")
    (noted,) = workspace.trials()
    (file,) = ledger_folder().iterdir()
    file.unlink()
    settings = {"task": "direction", "evaluate.cost_bps": 5.0, "evaluate.seed": 1}
    scores = tuple(outs[path] for path in SCORES)

    path = write_trial(ledger_folder(), noted._replace(scores=scores, settings=settings))

    assert path.name == file.name
    assert len(workspace.trials()) == 1
    assert [path.name for path in ledger_folder().iterdir()] == [file.name]


def test_the_workspaces_own_files_will_do(workspace):
    """`dvc gc -w` leaves results/metrics.json, and removes what the cache has of it."""
    here = workspace.score("one", dm_p=0.2)
    shutil.rmtree(workspace.folder / "files")

    assert ps(workspace.trials(here)) == [0.2]
    assert ps(workspace.trials()) == [0.2]  # for it was entered


def test_forecasts_whose_scores_are_gone_are_counted(workspace, capsys):
    """Those of the same labels, cut alike, are on the same rows: Holm adjusts for them; others may be."""
    for name, labels in (("a", "labels"), ("b", "labels"), ("c", "of another horizon")):
        workspace.score(name, deps={LABELS: labels}, by_time=table_by_time(ord(name)))
    workspace.score("d", {}, deps={LABELS: "labels"}, by_time=table_by_time(5), split={"test_bars": 10})
    shutil.rmtree(workspace.folder / "files")
    workspace.score("a", {"cost_bps": 1.0}, dm_p=0.03)

    tool.main()

    out = capsys.readouterr().out
    assert "| direction | workspace | 1.00 | 0.030 | 0.060 |" in out
    assert "scores are gone: 1 on these test rows, for which Holm adjusts, too; 2 on rows" in out


def scored_run(name: str, cost_bps: float = 5.0) -> StageRun:
    """A run of evaluate, as an experiment's dvc.lock has it."""
    return StageRun({PREDICTIONS: name, LABELS: "labels"}, {}, {"evaluate.cost_bps": cost_bps})


def test_trials_have_the_names_of_their_experiments():
    """Several, if they scored the same; a removed one's is remembered, unless another has it now."""
    strategy = {"evaluate.cost_bps": 5.0}
    experiments = {"bold-ant": scored_run("one"), "calm-bee": scored_run("one"), "new": scored_run("two")}
    trials = [
        trial("one", strategy=strategy, experiment="bold-ant"),
        trial("two", strategy=strategy, experiment="removed"),
        trial("three", strategy=strategy, experiment="new"),
        trial("one", strategy={"evaluate.cost_bps": 1.0}),
    ]

    names = names_of(experiments, trials)

    assert [names[each.identity] for each in trials] == [
        ["bold-ant", "calm-bee"],
        ["new", "removed"],
        [],
        [],
    ]


def test_the_committed_run_is_head(workspace, capsys):
    """It is no experiment's, and would have no name at all."""
    outs = [{"path": path, "md5": hashed} for path, hashed in workspace.score("one").items()]
    deps = [{"path": PREDICTIONS, "md5": "one"}, {"path": LABELS, "md5": "labels"}]
    params = {"params.yaml": {"task": "direction", "evaluate": {"cost_bps": 5.0, "seed": 1}}}
    experiment("any", {"deps": deps, "params": params, "outs": outs})
    workspace.score("two")

    tool.main()

    table = capsys.readouterr().out
    assert re.search(r"^\| direction, predictions one \| HEAD \|", table, re.M)
    assert re.search(r"^\| direction, predictions two \| workspace \|", table, re.M)


def test_experiments_without_scores_are_named(workspace, capsys, monkeypatch):
    """One that a colleague pushed counts nowhere, and the report says so."""
    workspace.score("one", {"cost_bps": 5.0})
    experiments = {"here": scored_run("one"), "elsewhere": scored_run("two")}
    monkeypatch.setattr(tool, "read_experiments", lambda _: experiments)

    tool.main()

    out = capsys.readouterr().out
    assert "| direction | workspace, here |" in out
    assert "Experiments whose scores aren't here, and aren't counted: elsewhere." in out


def test_a_run_that_is_being_noted_is_left_out(workspace):
    """DVC writes beside, under a temporary name, and then renames."""
    workspace.score("one")
    (workspace.folder / "runs/ab/cd/.half.tmp").write_text("cmd: [", encoding="utf-8")

    assert len(workspace.trials()) == 1


def returning(by_time: pd.DataFrame, market_return: float, n_times: int) -> pd.DataFrame:
    """The table, with that return of the market at its first times."""
    returns = by_time["market_return"].where(np.arange(len(by_time)) >= n_times, market_return)
    return by_time.assign(market_return=returns)


def same(by_time: pd.DataFrame, current: pd.DataFrame) -> bool:
    """Whether trials of these tables are of the same test."""
    return same_test(trial(by_time=by_time), trial(by_time=current))


def overlapping(by_time: pd.DataFrame, current: pd.DataFrame) -> bool:
    """Whether the tests of these tables overlap."""
    return overlaps(trial(by_time=by_time), trial(by_time=current))


def test_only_the_same_rows_are_compared():
    """Other times are another test, and so are the same times of another market."""
    current = table_by_time(1)

    assert same(table_by_time(2), current)
    assert same(current.assign(market_return=current["market_return"].astype(float) + 1e-15), current)
    assert not same(table_by_time(2)[:300], current)
    assert not same(table_by_time(3, market=1), current)
    assert not same(returning(current, 9.0, n_times=1), current)


def test_markets_that_stand_still_are_told_apart_by_their_times():
    """A day without a move looks like any other."""
    still = table_by_time(1).assign(market_return=0.0)

    assert same(still, still)
    assert not same(still[::2], still[1::2])


def test_times_overlap_on_the_same_market_alone():
    """One shared day will do; a market that returned the same now and then is another market."""
    current, other = table_by_time(1), table_by_time(2, market=1)

    assert overlapping(current[:216], current[192:])
    assert not overlapping(current[:192], current[192:])
    assert not overlapping(other, current)
    assert not overlapping(returning(other, 0.0, n_times=100), returning(current, 0.0, n_times=100))
    assert overlapping(returning(current, 9.0, n_times=10), current)


def test_forecasts_of_other_windows_are_told_by_their_number():
    """Each forecast once, however it was traded, and none that is counted already or of another market."""
    current, moved = trial("one"), table_by_time(1)[10:]
    others = [
        trial("two", by_time=moved),
        trial("two", strategy={"evaluate.cost_bps": 1.0}, by_time=moved),
        trial("three", by_time=moved),
        trial("one", strategy={"evaluate.cost_bps": 1.0}, by_time=moved),
        trial("four", by_time=table_by_time(1, market=1)),
    ]

    assert tool.n_overlapping([current, *others], [current], current) == 2
    assert "aren't counted: 2." in report([current], {}, Beside(n_overlapping=2))


def of_symbols(*markets: int) -> Trial:
    """A trial on several symbols, each of a market of its own."""
    tables = [table_by_time(1, market) for market in markets]
    mean = sum(table["market_return"] for table in tables) / np.float32(len(tables))
    rows = pd.concat(
        [
            table.assign(symbol=f"S{market}", return_next=table["market_return"])
            for market, table in zip(markets, tables, strict=True)
        ]
    )
    by_time = tables[0].assign(market_return=mean)
    return trial(f"symbols {markets}", market=market_hashes(by_time, rows))


def test_a_test_of_more_symbols_overlaps_one_of_fewer():
    """BTC and ETH are tested on rows that BTC alone is, though their mean returns otherwise."""
    btc, both = of_symbols(1), of_symbols(1, 2)

    assert overlaps(both, btc)
    assert overlaps(btc, both)
    assert overlaps(both, of_symbols(2, 3))
    assert not overlaps(both, of_symbols(3))
    assert not same_test(both, btc)


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
    other_cost = trial("v1", code={"a.py": "v1"}, strategy={"evaluate.cost_bps": 1.0})

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

    lines = table(trials, {}).splitlines()

    assert "| skill % | skill p | skill p, Holm | edge % | edge p | edge p, Holm |" in lines[0]
    assert lines[2].startswith(
        "| direction, train.units=16, evaluate.cost_bps=1.0 |  | 1.00 | 0.030 | 0.060 |"
    )
    assert lines[3].startswith(
        "| direction, train.units=16, evaluate.cost_bps=5.0 |  | 1.00 | 0.030 | 0.060 |"
    )
    assert lines[4].startswith(
        "| direction, train.units=8, evaluate.cost_bps=5.0 |  | 1.00 | 0.900 | 0.900 |"
    )


def test_the_first_trial_of_a_forecast_says_its_p():
    """A score by other code gives each its own Sharpe ratio, but the forecast one p-value."""
    first = trial(figures=figures(0.2))
    second = trial(strategy={"evaluate.cost_bps": 1.0}, figures=figures(0.9) | {"net_sharpe": 0.7})

    lines = table([first, second], {}).splitlines()[2:]

    assert all(" | 1.00 | 0.200 | 0.200 | " in line for line in lines)
    assert sorted(line.split("|")[-2].strip() for line in lines) == ["0.30", "0.70"]


def test_the_order_of_the_table_is_its_own():
    """Whichever run was noted first, for a copied run cache has other times."""
    trials = [trial(name, {"train.units": units}) for name, units in (("a", 8), ("b", 16), ("c", 4))]

    assert table(trials, {}) == table(trials[::-1], {})


def test_report_of_a_single_trial_has_no_overfitting():
    """Nothing was chosen, so that nothing could be overfitted."""
    one = [trial()]
    two = [*one, trial(strategy={"evaluate.cost_bps": 1.0}, by_time=table_by_time(2))]

    assert "backtest overfitting" not in report(one, {}, Beside())
    assert "Deflated Sharpe ratio" in report(one, {}, Beside())
    assert "backtest overfitting" in report(two, {}, Beside())
    assert "Forecasts on these test rows: 1," in report(two, {}, Beside())
    assert "Trials on these test rows: 2," in report(two, {}, Beside())


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


def test_a_folder_without_git_is_named(tmp_path, monkeypatch):
    """As an archive of the project unpacks."""
    (tmp_path / ".dvc").mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.argv", ["trials"])

    with pytest.raises(InputError, match=r"clone of the project; received .*not a git repository"):
        tool.main()


@pytest.mark.parametrize(
    ("name", "content"),
    [
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
    outs = workspace.score("one")
    write_table(workspace.folder / "files" / outs[BY_TIME], table_by_time(1).drop(columns="net_return"))

    with pytest.raises(InputError, match=rf"{outs[BY_TIME]} must be as it was written.*net_return"):
        tool.main()


def test_an_entry_that_cannot_be_read_is_named(workspace):
    """It may be deleted; to go on without it in silence would flatter what is left."""
    path = write_trial(ledger_folder(), trial())
    path.write_text("no Parquet", encoding="utf-8")
    workspace.score("one")

    with pytest.raises(InputError, match=rf"{path} must be as it was written"):
        tool.main()


def experiment(name: str, evaluate: Any) -> None:
    """A commit whose dvc.lock says that of its run of evaluate, under the name of an experiment."""
    Path("dvc.lock").write_text(yaml.safe_dump({"stages": {"evaluate": evaluate}}), encoding="utf-8")
    for command in (["init", "-q"], ["add", "dvc.lock"], [*SOMEBODY, "commit", "-q", "-m", name]):
        subprocess.run(["git", *command], check=True)
    subprocess.run(["git", "update-ref", f"refs/exps/12/{'3' * 38}/{name}", "HEAD"], check=True)


DEPS = [{"path": path, "md5": path} for path in (PREDICTIONS, LABELS)]
OUTS = [{"path": path, "md5": path} for path in SCORES]


def test_experiments_of_this_version_are_read(tmp_path, monkeypatch):
    """Those of others have other files, and are left out."""
    monkeypatch.chdir(tmp_path)
    experiment("own", {"deps": DEPS, "outs": OUTS})
    experiment("other-outs", {"deps": DEPS, "outs": OUTS[:1]})
    experiment("other-deps", {"deps": DEPS[:1], "outs": OUTS})

    found = read_experiments(SimpleNamespace(scm=SCM(str(tmp_path))))

    assert [(name, run.forecast) for name, run in found.items()] == [("own", (PREDICTIONS, LABELS))]


@pytest.mark.parametrize("evaluate", [3, {"deps": DEPS}, {"deps": [{"path": "a"}], "outs": OUTS}])
def test_an_experiment_that_cannot_be_read_is_named(tmp_path, monkeypatch, evaluate):
    """And what takes it away."""
    monkeypatch.chdir(tmp_path)
    experiment("odd-one", evaluate)

    with pytest.raises(InputError, match=r"dvc.lock of the experiment odd-one must .*exp remove odd-one`"):
        read_experiments(SimpleNamespace(scm=SCM(str(tmp_path))))


@pytest.mark.parametrize(("option", "status"), [("--help", 0), ("--bogus", 2)])
def test_options_are_answered(workspace, monkeypatch, option, status):
    """There are none but --help, and what isn't one is refused before anything is read."""
    monkeypatch.setattr("sys.argv", ["trials", option])

    with pytest.raises(SystemExit) as caught:
        tool.main()
    assert caught.value.code == status

"""Tries are remembered and laid side by side, driven through the real dvc on a tiny simulated market."""

import csv
import io
import json
import re
import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from stages.evaluate.ledger import FORECAST, SCORES, Trial, read_trial
from tests.project import Project
from tools.experiments import WIDTH

TRIALS = ("python", "-m", "tools.trials")
EXPERIMENTS = ("python", "-m", "tools.experiments")

pytestmark = pytest.mark.slow


@dataclass(frozen=True)
class Tried:
    """A project in which a few things were tried, and what `tools.trials` said of them from the start.

    `of_ledger`, `of_run_cache`: when it had the ledger, and when it had none.
    """

    project: Project
    of_ledger: str
    of_run_cache: str


@pytest.fixture(scope="module")
def tried(reproduced: Project, tmp_path_factory) -> Tried:
    """Experiments in the workspace, beside it and in the queue, of two commits; one failed, one waits."""
    project = reproduced.copy(tmp_path_factory.mktemp("project"))
    project.commit()

    def try_it(*options: str) -> None:
        assert project.try_run("dvc", "exp", "run", "-q", *options).returncode == 0, options

    try_it("--name", "bare", "-S", "train.offset=none")
    try_it("--name", "dear", "--temp", "-S", "evaluate.cost_bps=50.0")
    project.append("README.md", "\nA second commit.\n")
    project.commit()
    try_it("--name", "both", "--temp", "-S", "fetch.symbols=[BTC/USDT,ETH/USDT]")
    try_it("--name", "hasty", "--queue", "-S", "label.horizon=2")
    assert "'hasty'" in project.try_run("dvc", "exp", "run", "-q", "--run-all").stderr
    try_it("--name", "waiting", "--queue", "-S", "train.units=3")

    of_ledger = project.run(*TRIALS)
    ledger, aside = (project.folder / ".cache" / name for name in ("trials", "aside"))
    ledger.rename(aside)
    of_run_cache = project.run(*TRIALS)
    shutil.rmtree(ledger)
    aside.rename(ledger)
    return Tried(project, of_ledger, of_run_cache)


def ledger(project: Project) -> dict[str, Trial]:
    """The trials that evaluate entered, by the names of their experiments."""
    trials = [read_trial(path) for path in (project.folder / ".cache/trials").glob("*.parquet")]
    return {trial.experiment: trial for trial in trials}


def test_the_table_survives_garbage_collection(tried):
    """`dvc gc -w` takes the results of all experiments but the workspace's; the table stays as it was."""
    removed = tried.project.run("dvc", "gc", "-w", "-f")

    assert "Removed" in removed
    for trial in ledger(tried.project).values():
        if trial.experiment != "bare":
            by_time = Path(f".dvc/cache/files/md5/{trial.scores[0][:2]}/{trial.scores[0][2:]}")
            assert not (tried.project.folder / by_time).exists()
    assert tried.project.run(*TRIALS) == tried.of_ledger


def test_the_run_cache_alone_tells_the_same(tried):
    """So that what it alone knows, as of a colleague's runs, stands in the table like all else."""
    assert tried.of_run_cache == tried.of_ledger


def test_what_runs_beside_the_workspace_is_entered_into_its_ledger(tried):
    """`--temp` and workers of the queue run in a folder that DVC deletes afterwards."""
    assert ledger(tried.project).keys() == {"", "bare", "dear", "both"}
    assert not list((tried.project.folder / ".dvc/tmp/exps").rglob("*.parquet"))


def test_trials_have_the_names_of_their_experiments(tried):
    """And settings that set them apart, whether the workspace holds them or not."""
    rows = [line.split(" | ") for line in tried.of_ledger.splitlines() if line.startswith("| direction")]

    names = {row[1]: row[0] for row in rows}
    assert names.keys() == {"", "workspace, HEAD, bare", "dear"}
    assert "train.offset=none" in names["workspace, HEAD, bare"]
    assert "evaluate.cost_bps=50.0" in names["dear"]


def test_each_trial_has_its_own_sharpe_ratio(tried):
    """That of the workspace is the one in results/metrics.json; a higher cost gives another."""
    row = r"^\| direction.* \| (workspace, HEAD, bare|dear) \|.* (\S+) \|$"
    sharpe = dict(re.findall(row, tried.of_ledger, re.M))

    metrics = json.loads((tried.project.folder / "results/metrics.json").read_text(encoding="utf-8"))
    assert sharpe["workspace, HEAD, bare"] == f"{metrics['test']['net_sharpe']:z.2f}" != sharpe["dear"]
    assert "Probability of backtest overfitting" in tried.of_ledger


def test_a_run_on_more_symbols_overlaps(tried):
    """BTC and ETH are another test than BTC, on the same days of the same market."""
    assert "overlapping days and aren't counted: 1." in tried.of_ledger
    assert len(ledger(tried.project)["both"].market) == 3


def test_a_forecast_has_the_hashes_that_dvc_has(tried):
    """Or the ledger and the run cache would count it as two."""
    stages = yaml.safe_load((tried.project.folder / "dvc.lock").read_text(encoding="utf-8"))["stages"]
    hashes = {file["path"]: file["md5"] for kind in ("deps", "outs") for file in stages["evaluate"][kind]}
    trial = ledger(tried.project)["bare"]

    assert trial.forecast == tuple(hashes[path] for path in FORECAST)
    assert trial.scores == tuple(hashes[path] for path in SCORES)


def test_experiments_of_all_commits_are_in_one_table(tried):
    """With the commit that each is of, and those that wait or failed; no line is too long."""
    text = tried.project.run(*EXPERIMENTS)

    lines = {line.split()[0]: line.split() for line in text.splitlines() if not line.startswith(" ")}
    assert lines.keys() == {
        *("experiment", "workspace", "HEAD"),
        *("bare", "dear", "both", "hasty", "waiting"),
    }
    commits = tried.project.run("git", "log", "--format=%h", "--abbrev=7").split()
    assert [lines[name][1] for name in ("bare", "both", "waiting")] == [commits[1], commits[0], commits[0]]
    assert lines["hasty"][3] == "failed"
    assert lines["waiting"][3] == "queued"
    assert lines["bare"][3:5] == lines["HEAD"][2:4] == ["short", "short"]
    assert max(map(len, text.splitlines())) <= WIDTH


def test_figures_and_settings_are_those_of_each_experiment(tried):
    """Unrounded as CSV: of the figures what results/metrics.json has, and of settings those that differ."""
    rows = list(csv.DictReader(io.StringIO(tried.project.run(*EXPERIMENTS, "--csv"))))

    by_name = {row["experiment"]: row for row in rows}
    for name, trial in ledger(tried.project).items():
        if name:
            assert float(by_name[name]["skill_pct"]) == trial.figures["skill_pct"]
            assert float(by_name[name]["net_sharpe"]) == trial.figures["net_sharpe"]
    assert by_name["waiting"]["skill_pct"] == ""
    assert by_name["both"]["fetch.symbols"] == "[BTC/USDT, ETH/USDT]"
    settings = [key for key in rows[0] if "." in key]
    assert settings == ["fetch.symbols", "label.horizon", "train.units", "evaluate.cost_bps"]


def test_results_of_other_settings_are_not_shown(tried):
    """After an edit of params.yaml the workspace's results are of what was there before."""
    params = tried.project.folder / "params.yaml"
    before = params.read_bytes()
    tried.project.set_params({"task": "volatility"})

    text = tried.project.run(*EXPERIMENTS)

    params.write_bytes(before)
    words = {line.split()[0]: line.split()[1:] for line in text.splitlines()}
    assert words["workspace"][:3] == ["volatility", "not", "run"]
    assert words["HEAD"][:2] == ["direction", "short"]


def test_without_experiments_there_are_the_workspace_and_head(tmp_path):
    """Also before anything has run."""
    lines = Project(tmp_path).run(*EXPERIMENTS).splitlines()

    assert [line.split()[:3] for line in lines[1:3]] == [
        ["workspace", "direction", "-"],
        ["HEAD", "direction", "-"],
    ]

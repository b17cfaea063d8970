"""The rerun contract, row by row, driven through the real dvc on a tiny simulated market."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[1]
EVERYTHING = ["fetch", "featurize", "label", "baseline", "train", "evaluate"]
AFTER_LABEL = ["label", "baseline", "train", "evaluate"]
AFTER_FEATURIZE = ["featurize", "train", "evaluate"]
AFTER_BASELINE = ["baseline", "train", "evaluate"]

TINY = {
    "fetch.end": "2022-03-15",
    "featurize.windows": [1, 4, 24],
    "split.scheme": "holdout",
    "split.warmup_bars": 200,
    "baseline.min_bars": 200,
    "baseline.window_bars": 400,
    "train.network": "dense",
    "train.units": 2,
    "train.window": 4,
    "train.epochs": 1,
    "evaluate.bootstrap": 100,
}


class Project:
    """A scratch copy of the project with a tiny market, and the real `dvc` in it."""

    def __init__(self, folder: Path) -> None:
        """Copy what git would hold."""
        self.folder = folder
        folders = ["stages", "tools", "data/import"]
        files = ["dvc.yaml", "params.yaml", ".dvcignore", ".gitignore", "README.md", "Makefile"]
        for name in folders + files:
            source, target = ROOT / name, folder / name
            if source.is_dir():
                shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy(source, target)
        for file in (folder / "data/import").glob("*/*"):
            if file.name != ".gitkeep":
                file.unlink()
        self.set_params(TINY)
        self.run("git", "init", "-q")
        self.run("dvc", "init", "-q")
        self.commit()

    def run(self, *command: str) -> str:
        """The output of a command that must succeed."""
        result = self.try_run(*command)
        assert result.returncode == 0, result.stdout + result.stderr
        return result.stdout

    def try_run(self, *command: str) -> subprocess.CompletedProcess[str]:
        """A command's output and exit status, whatever it is."""
        environment = os.environ | {
            "PATH": str(Path(sys.executable).parent) + os.pathsep + os.environ["PATH"],
            "LOKY_MAX_CPU_COUNT": "1",
            "DVC_NO_ANALYTICS": "1",
        }
        return subprocess.run(
            command, cwd=self.folder, env=environment, capture_output=True, text=True, check=False
        )

    def commit(self) -> None:
        """Commit all that git doesn't ignore."""
        self.run("git", "add", "-A")
        self.run("git", "-c", "user.name=a", "-c", "user.email=a@example.org", "commit", "-qm", "all")

    def make(self, *arguments: str) -> str:
        """What a make target prints, in an environment that counts as installed: this one."""
        for scripts in ("bin", "Scripts"):
            activate = self.folder / ".venv" / scripts / "activate"
            activate.parent.mkdir(parents=True, exist_ok=True)
            activate.touch()
        (self.folder / "requirements.txt").touch()
        (self.folder / ".venv/installed").touch()
        return self.run("make", "--no-print-directory", *arguments)

    def reruns(self) -> list[str]:
        """Reproduce, and name the stages that ran."""
        return re.findall(r"^Running stage '(\w+)'", self.run("dvc", "repro"), re.M)

    def set_params(self, settings: dict[str, object]) -> None:
        """Change settings of params.yaml, named by dotted keys."""
        path = self.folder / "params.yaml"
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
        for key, value in settings.items():
            *blocks, last = key.split(".")
            block = values
            for name in blocks:
                block = block[name]
            assert last in block
            block[last] = value
        path.write_text(yaml.safe_dump(values, sort_keys=False), encoding="utf-8")

    def append(self, name: str, text: str) -> None:
        """Add a line to a file."""
        with (self.folder / name).open("a", encoding="utf-8") as file:
            file.write(text)


@pytest.fixture(scope="module")
def reproduced(tmp_path_factory) -> Project:
    """The tiny project, reproduced once."""
    project = Project(tmp_path_factory.mktemp("project"))
    assert project.reruns() == EVERYTHING
    return project


@pytest.fixture
def project(reproduced: Project) -> Iterator[Project]:
    """The reproduced project; whatever a test changes is undone, and brought back from the run cache."""
    kept = {
        path: path.read_bytes()
        for name in ("stages", "params.yaml", "dvc.yaml", "README.md", "dvc.lock")
        for path in [reproduced.folder / name, *(reproduced.folder / name).rglob("*.py")]
        if path.is_file()
    }
    yield reproduced
    for path, content in kept.items():
        if path.read_bytes() != content:
            path.write_bytes(content)
    reproduced.run("dvc", "checkout", "-q", "--force")


def test_nothing_reruns_when_nothing_changed(project):
    """A second `dvc repro` does nothing."""
    assert project.reruns() == []


@pytest.mark.parametrize(
    ("settings", "stages"),
    [
        ({"label.volatility.target": "true_range"}, []),
        ({"label.direction.up_atr": 2.0}, AFTER_LABEL),
        ({"label.horizon": 10}, AFTER_LABEL),
        ({"split.warmup_bars": 210}, AFTER_LABEL),
        ({"featurize.groups": ["returns", "clock"]}, AFTER_FEATURIZE),
        ({"baseline.refit_bars": 100}, AFTER_BASELINE),
        ({"baseline.slow_refit_bars": 700}, AFTER_BASELINE),
        ({"train.units": 3}, ["train", "evaluate"]),
        ({"evaluate.bootstrap": 101}, ["evaluate"]),
        ({"evaluate.cost_bps": 6.0}, ["evaluate"]),
        ({"fetch.end": "2022-03-16"}, EVERYTHING),
        ({"fetch.exchange.name": "kraken"}, []),
    ],
    ids=lambda value: ",".join(value) if isinstance(value, dict) else None,
)
def test_a_setting_reruns_what_it_affects(project, settings, stages):
    """A changed setting reruns just the stages of its row in the contract."""
    project.set_params(settings)

    assert project.reruns() == stages


def test_the_other_task_and_back(project):
    """Asking the other question reruns four stages; going back and forth afterwards reruns nothing."""
    project.set_params({"label.horizon": 11})  # of no other test, or the run cache would serve it
    assert project.reruns() == AFTER_LABEL
    project.set_params({"task": "volatility"})
    assert project.reruns() == AFTER_LABEL
    lock = (project.folder / "dvc.lock").read_text(encoding="utf-8")

    project.set_params({"label.direction.up_atr": 2.0})
    assert project.reruns() == []

    project.set_params({"task": "direction", "label.direction.up_atr": 1.5})
    assert project.reruns() == []

    project.set_params({"task": "volatility"})
    assert project.reruns() == []
    assert (project.folder / "dvc.lock").read_text(encoding="utf-8") == lock


def test_what_is_no_input_reruns_nothing(project):
    """A comment in params.yaml, the README, bytecode and macOS's folder files count for nothing."""
    project.append("params.yaml", "\n\n# a comment\n")
    project.append("README.md", "\nA line.\n")
    for folder in ("stages/label/__pycache__", "data/import/simulated", "data/candles"):
        (project.folder / folder).mkdir(exist_ok=True)
        (project.folder / folder / ".DS_Store").write_bytes(b"folder view")
    (project.folder / "stages/label/__pycache__/folds.cpython-311.pyc").write_bytes(b"bytecode")

    assert project.reruns() == []


@pytest.mark.parametrize(
    ("module", "stages"),
    [
        ("stages/featurize/clock.py", ["featurize"]),
        ("stages/label/direction.py", ["label"]),
        ("stages/label/volatility.py", []),
        ("stages/baseline/direction.py", ["baseline"]),
        ("stages/baseline/volatility.py", []),
        ("stages/evaluate/scores.py", ["evaluate"]),
        ("stages/fetch/file/candles.py", []),
        ("stages/fetch/simulated/candles.py", ["fetch"]),
        ("stages/common/params.py", []),
    ],
)
def test_a_module_reruns_its_stage_and_what_its_output_changes(project, module, stages):
    """An edit that changes no output stops at its own stage."""
    project.append(module, "\n# an edit that changes no output\n")

    assert project.reruns() == stages


def test_a_dropped_file_reruns_the_file_source_alone(project):
    """A new file in data/import/file/ is no input of a simulated market."""
    file = project.folder / "data/import/file/BTC-USDT.csv"
    file.write_text("timestamp,open,high,low,close,volume\n", encoding="utf-8")

    assert project.reruns() == []
    file.unlink()


def test_an_experiment_asks_the_other_question(project):
    """`dvc exp run -S task=volatility` runs four stages, and then every shared metric has two sides."""
    project.set_params({"label.horizon": 12})  # of no other test, or the run cache would serve it
    project.reruns()
    project.commit()

    output = project.run("dvc", "exp", "run", "-S", "task=volatility")
    assert re.findall(r"^Running stage '(\w+)'", output, re.M) == AFTER_LABEL

    table = project.run("dvc", "metrics", "diff", "--all", "--md")
    shared = [line.split("|")[2:5] for line in table.splitlines() if "| test." in line]
    assert len(shared) > 20
    assert all(side.strip() not in {"-", ""} for _, *sides in shared for side in sides)

    page = project.make("compare", "BASE=HEAD")
    assert "- HEAD: Direction" in page
    assert "- this change: Volatility" in page
    assert "| task" in page
    assert "| test.skill_pct" in page

    trials = project.run("python", "-m", "tools.trials")
    assert re.findall(r"^\| (direction|volatility)", trials, re.M)
    assert "Trials on these test rows:" in trials

    output = project.run("dvc", "exp", "run", "-S", "task=direction")
    assert re.findall(r"^Running stage '(\w+)'", output, re.M) == []


def test_true_range_goes_through_everything(project):
    """The target that shares nothing with today's ATR is one setting away, and has all figures."""
    project.set_params({"task": "volatility", "label.volatility.target": "true_range"})

    assert project.reruns() == AFTER_LABEL
    metrics = json.loads((project.folder / "results/metrics.json").read_text(encoding="utf-8"))
    assert set(metrics["baselines"]) > {"naive", "har_hour_of_week", "garch", "boosting"}
    assert metrics["test"]["width"] > 0


def test_every_try_is_counted(project):
    """Other settings, of the strategy too, stand in one table, and one that the cache served as it was."""
    project.set_params({"train.offset": "none"})
    assert project.reruns() == ["train", "evaluate"]
    metrics = json.loads((project.folder / "results/metrics.json").read_text(encoding="utf-8"))
    project.set_params({"evaluate.cost_bps": 50.0})
    assert project.reruns() == ["evaluate"]
    project.set_params({"evaluate.cost_bps": 5.0})
    assert project.reruns() == []

    report = project.run("python", "-m", "tools.trials")

    row = r"^\| direction.*, train\.offset=none.*, evaluate\.cost_bps=(\S+) \|.* (\S+) \|$"
    net_sharpe = dict(re.findall(row, report, re.M))
    assert net_sharpe.keys() == {"5.0", "50.0"}
    assert net_sharpe["5.0"] == f"{metrics['test']['net_sharpe']:z.2f}" != net_sharpe["50.0"]
    assert "train.offset=baseline" in report
    assert "Probability of backtest overfitting" in report


@pytest.mark.parametrize(
    "break_it",
    [
        lambda values: values["label"].update(horizon=2),
        lambda values: values["evaluate"].update(bootstrap="many"),
        lambda values: values["train"].pop("units"),
    ],
)
def test_bad_input_stops_the_first_stage_with_one_line(project, break_it: Callable[[dict[str, Any]], None]):
    """A bad setting of any section is found by whichever stage runs first, and the lock stays."""
    path = project.folder / "params.yaml"
    values = yaml.safe_load(path.read_text(encoding="utf-8"))
    values["fetch"]["end"] = "2022-03-17"
    break_it(values)
    path.write_text(yaml.safe_dump(values), encoding="utf-8")
    lock = (project.folder / "dvc.lock").read_bytes()

    result = project.try_run("dvc", "repro")

    assert result.returncode != 0
    assert len([line for line in result.stderr.splitlines() if line.startswith("error: ")]) == 1
    assert "Traceback" not in result.stderr
    assert (project.folder / "dvc.lock").read_bytes() == lock

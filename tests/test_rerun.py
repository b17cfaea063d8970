"""The rerun contract, row by row, driven through the real dvc on a tiny simulated market."""

import json
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import yaml

from stages.common.task import TASKS
from stages.params import read_params
from tests.project import EVERYTHING, Project
from tests.questions import other_settings

OF_A_TASK = ["label", "baseline", "evaluate"]
OTHER_TASKS = [task for task in TASKS if task != "direction"]
AFTER_LABEL = ["label", "baseline", "train", "evaluate"]
AFTER_FEATURIZE = ["featurize", "train", "evaluate"]
AFTER_BASELINE = ["baseline", "train", "evaluate"]


@pytest.fixture(scope="module")
def own(reproduced: Project, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A copy of the tiny project, for these tests alone."""
    return reproduced.copy(tmp_path_factory.mktemp("project"))


@pytest.fixture
def project(own: Project) -> Iterator[Project]:
    """The reproduced project; whatever a test changes is undone, and brought back from the run cache."""
    kept = {
        path: path.read_bytes()
        for name in ("stages", "params.yaml", "dvc.yaml", "README.md", "dvc.lock")
        for path in [own.folder / name, *(own.folder / name).rglob("*.py")]
        if path.is_file()
    }
    yield own
    for path, content in kept.items():
        if path.read_bytes() != content:
            path.write_bytes(content)
    own.run("dvc", "checkout", "-q", "--force")


def test_nothing_reruns_when_nothing_changed(project):
    """A second `dvc repro` does nothing."""
    assert project.reruns() == []


@pytest.mark.parametrize(
    ("settings", "stages"),
    [
        *(
            ({f"label.{task}.{name}": value for name, value in other_settings(task).items()}, [])
            for task in OTHER_TASKS
        ),
        ({"label.direction.up_atr": 2.0}, AFTER_LABEL),
        pytest.param({"label.horizon": 10}, AFTER_LABEL, marks=pytest.mark.slow),
        pytest.param({"split.warmup_bars": 210}, AFTER_LABEL, marks=pytest.mark.slow),
        pytest.param(
            {
                "split.scheme": "walk_forward",
                "split.folds": 2,
                "split.test_bars": 200,
                "split.val_bars": 100,
            },
            ["label", "train", "evaluate"],
            marks=pytest.mark.slow,
        ),
        ({"featurize.groups": ["returns", "clock"]}, AFTER_FEATURIZE),
        ({"baseline.refit_bars": 100}, AFTER_BASELINE),
        pytest.param({"baseline.slow_refit_bars": 700}, AFTER_BASELINE, marks=pytest.mark.slow),
        ({"train.units": 3}, ["train", "evaluate"]),
        ({"evaluate.bootstrap": 101}, ["evaluate"]),
        pytest.param({"evaluate.cost_bps": 6.0}, ["evaluate"], marks=pytest.mark.slow),
        pytest.param({"fetch.end": "2022-03-16"}, EVERYTHING, marks=pytest.mark.slow),
        ({"fetch.max_gap_bars": 47}, ["fetch", "evaluate"]),  # the report names it
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
        ("stages/baseline/direction.py", ["baseline"]),
        ("stages/evaluate/direction.py", ["evaluate"]),
        *((f"stages/{stage}/{task}.py", []) for stage in OF_A_TASK for task in OTHER_TASKS),
        ("stages/evaluate/shared.py", ["evaluate"]),
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
    commit = project.run("git", "rev-parse", "HEAD")[:10]
    assert f"- base ({commit}): Direction on a simulated market: " in page
    assert "- workspace: Volatility on a simulated market: " in page
    assert "task direction \N{RIGHTWARDS ARROW} volatility" in page
    assert re.search(r"points of skill over base, which asks another question \[", page)
    assert re.search(r"^skill over the benchmark +\S", page, re.M)

    trials = project.run("python", "-m", "tools.trials")
    assert re.findall(r"^\| (direction|volatility)", trials, re.M)
    assert "Trials on these test rows:" in trials

    output = project.run("dvc", "exp", "run", "-S", "task=direction")
    assert re.findall(r"^Running stage '(\w+)'", output, re.M) == []


@pytest.mark.slow
def test_true_range_goes_through_everything(project):
    """The target that shares nothing with today's ATR is one setting away, and has all figures."""
    project.set_params({"task": "volatility", "label.volatility.target": "true_range"})

    assert project.reruns() == AFTER_LABEL
    metrics = json.loads((project.folder / "results/metrics.json").read_text(encoding="utf-8"))
    assert set(metrics["baselines"]) > {"benchmark", "har_hour_of_week", "garch", "boosting"}
    assert metrics["test"]["width"] > 0


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
    values = read_params(str(path))
    values["fetch"]["end"] = "2022-03-17"
    break_it(values)
    path.write_text(yaml.safe_dump(values), encoding="utf-8")
    lock = (project.folder / "dvc.lock").read_bytes()

    result = project.try_run("dvc", "repro")

    assert result.returncode != 0
    assert len([line for line in result.stderr.splitlines() if line.startswith("error: ")]) == 1
    assert "Traceback" not in result.stderr
    assert (project.folder / "dvc.lock").read_bytes() == lock

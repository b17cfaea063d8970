"""docs/adding-a-question.md, done: the files of docs/examples/drawdown dropped in, and all holds of it."""

import json
import os
import re
import runpy
import shutil
import subprocess
from dataclasses import MISSING, fields
from pathlib import Path

import numpy as np
import pytest
import yaml

from stages.baseline.question import Question as Baselines
from stages.common.task import TASKS
from stages.evaluate.question import Question as Judged
from stages.evaluate.question import Words
from stages.label.question import Question as Labelled
from tests.project import ROOT, TINY, Project, ran

PAGE = (ROOT / "docs/adding-a-question.md").read_text(encoding="utf-8")
EXAMPLE = ROOT / "docs/examples/drawdown"
PATCH = EXAMPLE / "lists.patch"
NEW = sorted(path.relative_to(EXAMPLE) for path in EXAMPLE.rglob("*.*") if path != PATCH)
LISTS = ["params.yaml", "stages/common/task.py", "stages/label/params.py"]
PATTERN = r"TASKS|tests\.questions"  # which the page has for grep
# What goes over all tasks, but for what is of committed runs: `make golden` and `make repro` write that.
OVER_ALL_TASKS = sorted(
    str(path.relative_to(ROOT))
    for path in (ROOT / "tests").rglob("test_*.py")
    if re.search(PATTERN, path.read_text(encoding="utf-8"))
    and path.name not in {"test_golden.py", "test_figures.py", Path(__file__).name}
)
LOCK_TEST = "tests/test_dvc_yaml.py::test_the_lock_is_of_this_code_and_these_parameters"


def drop_in(folder: Path) -> None:
    """Add the question, as the page says."""
    for part in ("stages", "tests", "docs"):
        shutil.copytree(EXAMPLE / part, folder / part, dirs_exist_ok=True)
    command = ["git", "apply", str(PATCH)]
    applied = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert applied.returncode == 0, f"make {PATCH.name} anew, as the page says: {applied.stderr}"
    shutil.copy(folder / "params.yaml", folder / "stages/evaluate/defaults.yaml")


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """The project as shipped, tests and pages too, with the question; nothing has run yet."""
    project = Project(tmp_path_factory.mktemp("whole"))
    for name in ("tests", "docs"):
        shutil.copytree(ROOT / name, project.folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("params.yaml", "pyproject.toml", ".python-version"):
        shutil.copy(ROOT / name, project.folder)
    drop_in(project.folder)
    return project


@pytest.fixture(scope="module")
def asked(reproduced: Project, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """The tiny project with the question: volatility's answer committed, drawdown's in the workspace."""
    project = reproduced.copy(tmp_path_factory.mktemp("asked"))
    shutil.copy(ROOT / "params.yaml", project.folder)
    drop_in(project.folder)
    project.set_params(TINY | {"task": "volatility"})
    project.make("check")
    project.run("dvc", "repro")
    project.commit()
    log = project.run("dvc", "exp", "run", "-S", "task=drawdown", "--name", "drawdown")
    assert ran(log) == ["label", "baseline", "train", "evaluate"]
    return project


def test_the_example_is_a_handful_of_files_and_a_patch_of_the_lists(tmp_path):
    """No other file has to change, but for evaluate's copy of params.yaml; the page names each."""
    for name in LISTS:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)

    drop_in(tmp_path)

    assert len(NEW) <= 7
    assert not any((ROOT / path).exists() for path in NEW)
    assert re.findall(r"^\+\+\+ b/(.*)", PATCH.read_text(encoding="utf-8"), re.M) == LISTS
    assert all(f"`{path}`" in PAGE for path in [*map(str, NEW), *LISTS])
    assert f"grep -rlE '{PATTERN}'" in PAGE


def test_the_page_s_yes_or_no_is_whole(tmp_path):
    """Each piece of code is a module that declares a question."""
    kinds = []
    for code in re.findall(r"^```python\n(.*?)^```", PAGE, re.M | re.S):
        module = tmp_path / "calm.py"
        module.write_text(code, encoding="utf-8")
        kinds.append(type(runpy.run_path(str(module))["QUESTION"]))

    assert kinds == [Baselines, Judged]


def test_each_task_is_where_users_look_for_it():
    """In README's table, and behind `task` in params.yaml."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    comment = re.findall("^task:.*#(.*)", (ROOT / "params.yaml").read_text(encoding="utf-8"), re.M)[0]

    for task in TASKS:
        assert f"\n| `{task}` | " in readme, f"README's first table must have a row of {task}"
        assert task in comment, f"the comment behind `task:` in params.yaml must name {task}"


@pytest.mark.parametrize("kind", [Labelled, Baselines, Judged, Words])
def test_no_default_hides_what_a_question_forgets(kind):
    """Without one of its functions or words a question isn't made, and mypy says so before it is run."""
    for field in fields(kind):
        assert field.default is field.default_factory is MISSING
        with pytest.raises(TypeError, match=f"'{field.name}'"):
            kind(**{other.name: None for other in fields(kind) if other is not field})


@pytest.mark.slow
def test_mypy_names_what_a_question_forgets(whole):
    """The example is clean; with a function less it isn't."""
    module = whole.folder / "stages/evaluate/drawdown.py"
    command = ["python", "-m", "mypy", *(str(path) for path in NEW if path.suffix == ".py")]
    text = module.read_text(encoding="utf-8")
    whole.run(*command)

    module.write_text(text.replace("    scale=PERCENT,\n", ""), encoding="utf-8")
    forgotten = whole.try_run(*command)
    module.write_text(text, encoding="utf-8")

    assert forgotten.returncode == 1
    assert '"scale" for "Question"' in forgotten.stdout


@pytest.mark.slow
def test_the_tests_of_all_tasks_hold_for_it(whole):
    """None of them had to be told of it; the question's own tests hold, too."""
    own = [str(path) for path in NEW if path.name.startswith("test_")]
    options = f"-q -n auto --dist loadfile -rfE --deselect={LOCK_TEST}".split()
    # Of the pytest that runs this, and of its workers.
    outer = {name for name in os.environ if name.startswith("PYTEST_")}
    whole.environment = {name: value for name, value in whole.environment.items() if name not in outer}

    result = whole.try_run("python", "-m", "pytest", *options, "-m", "not slow", *OVER_ALL_TASKS, *own)

    assert result.returncode == 0, result.stdout
    listed = whole.run("python", "-m", "pytest", "--collect-only", "-q", "-n", "0", *OVER_ALL_TASKS)
    assert {path for path in OVER_ALL_TASKS if re.search(rf"^{path}::.*drawdown", listed, re.M)} > {
        "tests/label/test_rows.py",
        "tests/baseline/test_no_lookahead.py",
        "tests/evaluate/test_metrics.py",
    }


@pytest.mark.slow
def test_its_answer_lies_beside_the_others(asked):
    """The same rows and folds, the same keys in the shared block, a figure for each: none is missing."""
    committed, metrics = (
        json.loads(text)
        for text in (
            asked.run("git", "show", "HEAD:results/metrics.json"),
            (asked.folder / "results/metrics.json").read_text(encoding="utf-8"),
        )
    )

    assert list(metrics["test"]) == list(committed["test"])
    assert np.isfinite([*metrics["test"].values(), *metrics["drawdown"].values()]).all()
    assert metrics["test"]["n_rows"] == committed["test"]["n_rows"]
    assert list(metrics["baselines"]) == ["benchmark", "har", "har_hour_of_week"]

    table = asked.run("dvc", "metrics", "diff", "--all", "--md")
    shared = [line.split("|")[2:5] for line in table.splitlines() if "| test." in line]
    assert len(shared) == len(metrics["test"])
    assert all(side.strip() not in {"-", ""} for _, *sides in shared for side in sides)


@pytest.mark.slow
def test_its_folds_are_the_others(asked):
    """The very same file."""
    before, after = (
        yaml.safe_load(text)["stages"]["label"]["outs"]
        for text in (
            asked.run("git", "show", "HEAD:dvc.lock"),
            (asked.folder / "dvc.lock").read_text(encoding="utf-8"),
        )
    )

    assert {out["path"]: out["md5"] == other["md5"] for out, other in zip(before, after, strict=True)} == {
        "data/folds.parquet": True,
        "data/labels": False,
    }


@pytest.mark.slow
def test_the_tools_know_it(asked):
    """Nothing that a person runs around the pipeline has a list of tasks of its own."""
    assert "- workspace: Drawdown on a simulated market: " in asked.make("compare", "BASE=HEAD")
    assert re.search(r"^drawdown +drawdown ", asked.make("experiments"), re.M)
    assert re.search(r"^\| drawdown \|", asked.run("python", "-m", "tools.trials"), re.M)
    plots = json.loads(asked.run("dvc", "plots", "diff", "--json"))
    assert all(
        sorted(name for plot in of_one for name in plot["revisions"]) == ["HEAD", "workspace"]
        for of_one in plots["data"].values()
    )

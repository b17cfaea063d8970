"""`make back`, after whatever accident, driven through the real dvc."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from stages.common.environment import ENVIRONMENT_FILE
from stages.common.outputs import lock
from tests.project import LOG, Project

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="sends signals to groups of processes")

AFTER_TASK = ["label", "baseline", "train", "evaluate"]
N_TRIES = 4  # without what is tested here, git misses a change in every other one


@pytest.fixture
def project(reproduced: Project, tmp_path: Path) -> Project:
    """A project whose results are committed, as a person has it who has just cloned and run it."""
    return prepared(reproduced, tmp_path)


def prepared(reproduced: Project, folder: Path) -> Project:
    """A copy of the project, committed."""
    project = reproduced.copy(folder)
    project.append(".gitignore", f"/{LOG}\n")
    project.commit()
    return project


@pytest.fixture(scope="module")
def shared(
    reproduced: Project, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Project, dict[str, bytes]]:
    """Such a project, and its outputs."""
    project = prepared(reproduced, tmp_path_factory.mktemp("back"))
    return project, outputs(project)


def outputs(project: Project) -> dict[str, bytes]:
    """All files of the working tree but the log, what says where each stage ran, and the cache folder."""
    tracked = {name: (project.folder / name).read_bytes() for name in ("params.yaml", "dvc.lock")}
    found = project.outputs() | tracked
    aside = (LOG, ENVIRONMENT_FILE.as_posix(), ".cache/")
    return {path: content for path, content in found.items() if not path.startswith(aside)}


def go_back(project: Project, answer: str) -> subprocess.CompletedProcess[str]:
    """`make back`, with an answer to what may be asked."""
    return subprocess.run(
        [sys.executable, "-m", "tools.back"],
        cwd=project.folder,
        env=project.environment,
        input=answer,
        capture_output=True,
        text=True,
        check=False,
    )


def go_all_the_way_back(project: Project, before: dict[str, bytes], answer: str = "") -> None:
    """Go back; fail unless all is as it was committed, on a branch."""
    result = go_back(project, answer)
    assert result.returncode == 0, result.stdout + result.stderr
    assert project.run("git", "symbolic-ref", "HEAD").startswith("refs/heads/")
    assert project.run("git", "status", "--porcelain") == ""
    assert outputs(project) == before


@pytest.mark.parametrize(
    "setting", ["fetch.max_jump=0.1", pytest.param("evaluate.seed=-1", marks=pytest.mark.slow)]
)
def test_back_from_an_experiment_that_failed(shared: tuple[Project, dict[str, bytes]], setting: str):
    """Its setting is in no experiment, so it is asked for."""
    project, before = shared
    assert project.try_run("dvc", "exp", "run", "-S", setting).returncode

    go_all_the_way_back(project, before, "y\n")


def test_an_edit_stays_unless_the_answer_is_yes(shared: tuple[Project, dict[str, bytes]]):
    """Nothing has changed then; a program that asks nobody gets no answer."""
    project, before = shared
    project.append("params.yaml", "# a thought\n")
    edited = outputs(project)

    for answer in ("", "n"):
        result = go_back(project, f"{answer}\n" if answer else "")

        assert result.returncode == 1
        assert "+# a thought" in result.stdout
        assert (
            result.stderr
            == f"error: the answer must be y to go back; received {answer!r}. All is as it was.\n"
        )
        assert outputs(project) == edited
    go_all_the_way_back(project, before, "yes\n")


@pytest.mark.slow
def test_git_sees_what_a_failed_experiment_changed(shared: tuple[Project, dict[str, bytes]]):
    """Also where the file's size is the same, time after time; and git's own checkout undoes it."""
    project, before = shared
    for _ in range(N_TRIES):
        assert project.try_run("dvc", "exp", "run", "-S", "fetch.max_jump=0.1").returncode
        assert project.run("git", "status", "--porcelain") == " M params.yaml\n"
        project.run("git", "checkout", "HEAD", "--", "params.yaml")
        assert (project.folder / "params.yaml").read_bytes() == before["params.yaml"]


def test_candles_of_ones_own_stay(project: Project):
    """A file that was put into a folder since its `dvc add` is in no cache: it isn't touched."""
    folder = project.folder / "data/import/file"
    (folder / "BTC-USDT.csv").write_text("old", encoding="utf-8")
    project.run("dvc", "add", "data/import/file")
    project.commit()
    (folder / "ETH-USDT.csv").write_text("new", encoding="utf-8")

    project.run("dvc", "exp", "run", "-S", "evaluate.seed=7")

    assert go_back(project, "").returncode == 0
    assert (folder / "ETH-USDT.csv").read_text(encoding="utf-8") == "new"


def test_what_else_an_older_experiment_brought_is_named(project: Project):
    """`dvc exp apply` brings its code, too, which may be one's own: it stays, and is told."""
    project.run("dvc", "exp", "run", "--name", "older", "-S", "evaluate.seed=7")
    project.run("git", "checkout", "params.yaml", "dvc.lock", "results")
    for name in ("tools/check.py", ".dvc/config"):
        project.append(name, "# newer\n")
    project.commit()
    project.run("dvc", "exp", "apply", "older")

    result = go_back(project, "")

    assert result.returncode == 0, result.stderr
    note = (
        "note: not as in the commit, and left so: .dvc/config, tools/check.py. "
        "`git restore FILE` brings one back (`dvc checkout FILE` what a .dvc file names), then `make back` "
        "the results.\n"
    )
    assert note in result.stdout
    project.run("git", "restore", ".dvc/config", "tools/check.py")
    assert "note:" not in go_back(project, "").stdout
    assert project.run("git", "status", "--porcelain") == ""


def test_a_stage_that_still_runs_is_named(shared: tuple[Project, dict[str, bytes]]):
    """It would write over what is brought back; nothing is done before it has ended."""
    project, _ = shared
    before = outputs(project)
    with (project.folder / ".cache/locks/stages.train").open("w") as file:
        assert lock(file)
        result = project.try_run("python", "-m", "tools.back")

    assert result.returncode == 1
    assert "error: no stage may run while all is brought back; received stages.train" in result.stderr
    assert outputs(project) == before


@pytest.mark.slow
def test_back_where_nothing_was_ever_run(shared: tuple[Project, dict[str, bytes]], tmp_path: Path):
    """On a clone whose first command was an experiment; the committed run is reproduced."""
    project, before = shared
    clone = Project.of(tmp_path / "clone", project)
    clone.run("dvc", "exp", "run", "-S", "task=volatility")

    go_all_the_way_back(clone, before)


def test_back_without_a_stage_that_ran(shared: tuple[Project, dict[str, bytes]]):
    """`dvc` refuses before any stage runs; the setting has no stage to tell git of it."""
    project, before = shared
    assert project.try_run("dvc", "exp", "run", "-S", "fetch.source=file").returncode

    go_all_the_way_back(project, before, "y\n")


def in_stage(project: Project, stage: str, seed: int, end: Callable[[int], None]) -> None:
    """End an experiment's run, amid a stage."""
    process = project.start("dvc", "exp", "run", "-S", "task=volatility", "-S", f"evaluate.seed={seed}")
    project.wait_until(process, f"Running stage '{stage}'")
    time.sleep(np.random.default_rng(seed).uniform(0, 0.5))
    end(process.pid)
    process.wait(60)


@pytest.mark.parametrize(
    ("stage", "kind"),
    [
        ("train", signal.SIGKILL),
        *(
            pytest.param(stage, kind, marks=pytest.mark.slow)
            for stage in AFTER_TASK
            for kind in (signal.SIGKILL, signal.SIGINT)
            if (stage, kind) != ("train", signal.SIGKILL)
        ),
    ],
)
def test_back_from_a_run_that_was_ended(project: Project, stage: str, kind: signal.Signals):
    """Whatever it was at: all is as committed, and the next experiment runs."""
    before = outputs(project)
    in_stage(project, stage, AFTER_TASK.index(stage), lambda group: os.killpg(group, kind))

    go_all_the_way_back(project, before, "y\n")
    project.run("dvc", "exp", "run", "-S", "evaluate.seed=7")
    assert "seed: 7" in (project.folder / "params.yaml").read_text(encoding="utf-8")
    go_all_the_way_back(project, before)  # nothing is asked: its settings are kept as the experiment's
    stays_detached(project)


def stays_detached(project: Project) -> None:
    """Leave the branch by hand, after a run that ended; fail unless a way back leaves it at that."""
    project.run("git", "checkout", "-q", "--detach")
    project.append("README.md", "\nAn own commit.\n")
    project.commit()
    own = project.run("git", "rev-parse", "HEAD")

    result = go_back(project, "")

    assert result.returncode == 0, result.stdout + result.stderr
    assert "git is on" not in result.stdout
    assert project.try_run("git", "symbolic-ref", "-q", "HEAD").returncode == 1
    assert project.run("git", "rev-parse", "HEAD") == own

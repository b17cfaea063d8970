"""The pipeline, killed or stopped at any moment and started again, driven through the real dvc."""

import os
import re
import signal
import sys
import time
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

from stages.common.environment import ENVIRONMENT_FILE
from tests.conftest import FirstRun
from tests.project import EVERYTHING, LOG, Project

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="sends signals to groups of processes")

N_KILLS = 30


class Undisturbed(NamedTuple):
    """What a run leaves that nobody kills, and how long it takes."""

    outputs: dict[str, bytes]
    status: str
    seconds: float


@pytest.fixture(scope="module")
def undisturbed(
    first_run: FirstRun, reproduced: Project, tmp_path_factory: pytest.TempPathFactory
) -> Undisturbed:
    """A whole run."""
    project = reproduced.copy(tmp_path_factory.mktemp("undisturbed"))
    (project.folder / LOG).touch()
    return Undisturbed(outputs(project), status(project), first_run.seconds)


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """A project in which nothing has run yet."""
    return Project(tmp_path)


def outputs(project: Project) -> dict[str, bytes]:
    """All files of the working tree but the log, and what says where each stage ran."""
    aside = {LOG, ENVIRONMENT_FILE.as_posix()}
    return {path: content for path, content in project.outputs().items() if path not in aside}


def status(project: Project) -> str:
    """What git sees beyond what is committed, ignored files too."""
    return project.run("git", "status", "--porcelain", "--ignored")


def reproduce(project: Project) -> None:
    """`dvc repro`, and first what README says where DVC was killed amid a write of its own.

    It writes its lock files in place: a kill within that millisecond leaves half of one.
    """
    result = project.try_run("dvc", "repro")
    broken = {
        r"'./dvc.lock'": "dvc.lock",
        r"'.dvc/tmp/rwlock'. JSON structure is corrupted": ".dvc/tmp/rwlock",
        r"failed to reproduce '\w+': $": "dvc.lock",  # cut amid the name of a hash
    }
    for message, name in broken.items():
        if result.returncode and re.search(message, result.stderr, re.M):
            (project.folder / name).unlink()
            result = project.try_run("dvc", "repro")
    assert result.returncode == 0, result.stderr


@pytest.mark.parametrize(
    "seed", [0, *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(1, N_KILLS))]
)
def test_a_killed_pipeline_goes_on_as_if_nothing_had_been(
    project: Project, undisturbed: Undisturbed, seed: int
):
    """After kill -9 of dvc, its stage and its workers, `dvc repro` leaves the same bytes and no more."""
    process = project.start("dvc", "repro")
    time.sleep(np.random.default_rng(seed).uniform(0, undisturbed.seconds))
    os.killpg(process.pid, signal.SIGKILL)
    process.wait(60)

    reproduce(project)

    assert outputs(project) == undisturbed.outputs
    assert status(project) == undisturbed.status


@pytest.mark.slow
def test_a_dvc_that_dies_amid_a_write_is_mended_as_readme_says(project: Project, undisturbed: Undisturbed):
    """Part of a dvc.lock, as Python's buffers leave it, and half of what DVC locks with."""
    project.run("dvc", "repro")
    whole = (project.folder / "dvc.lock").read_text(encoding="utf-8")
    for length in range(0, len(whole), 4096):
        (project.folder / "dvc.lock").write_text(whole[:length], encoding="utf-8")
        (project.folder / ".dvc/tmp/rwlock").write_text('{"a', encoding="utf-8")

        reproduce(project)

        assert outputs(project) == undisturbed.outputs


def test_a_stage_that_outlives_its_dvc_is_in_nobodys_way(project: Project, undisturbed: Undisturbed):
    """After kill -9 of dvc alone, the next run names the stage that is still at work; then all is well."""
    first = project.start("dvc", "repro")
    # train, for it takes seconds: a shorter stage may be done before it is stopped.
    while not (project.folder / ".cache/locks/stages.train").exists():
        assert first.poll() is None, project.said()
        time.sleep(0.05)
    time.sleep(0.5)
    os.killpg(first.pid, signal.SIGSTOP)  # or else it might be done before the next run comes to it
    first.kill()
    first.wait(60)

    second = project.try_run("dvc", "repro")
    assert second.returncode != 0
    assert "error: stages.train must run once at a time in a folder" in second.stderr
    os.killpg(first.pid, signal.SIGKILL)

    project.run("dvc", "repro")
    assert outputs(project) == undisturbed.outputs
    assert status(project) == undisturbed.status


@pytest.mark.slow
def test_a_setting_that_changes_under_its_stage_ends_it(project: Project, undisturbed: Undisturbed):
    """DVC would note the new setting for what was made by the old one, and believe it ever after."""
    process = project.start("dvc", "repro")
    project.wait_until(process, "Running stage 'baseline'")
    project.set_params({"train.units": 3})  # of a stage to come
    project.wait_until(process, "Running stage 'train'")
    while not (project.folder / ".cache/locks/stages.train").exists():
        assert process.poll() is None, project.said()
        time.sleep(0.05)
    time.sleep(0.3)
    project.set_params({"train.units": 2})

    assert process.wait(60)
    assert "error: train.units must stay as it is while a stage that has read it runs" in project.said()
    project.run("dvc", "repro")
    assert outputs(project) == undisturbed.outputs


@pytest.mark.slow
@pytest.mark.parametrize("stage", EVERYTHING)
def test_ctrl_c_ends_a_stage_in_one_line(project: Project, undisturbed: Undisturbed, stage: str):
    """Whatever it is at; and the next run goes on as if nothing had been."""
    rng = np.random.default_rng(EVERYTHING.index(stage))
    process = project.start("dvc", "repro")
    project.wait_until(process, f"Running stage '{stage}'")
    time.sleep(rng.uniform(0, 0.02 * undisturbed.seconds))  # sooner than any stage is done
    os.killpg(process.pid, signal.SIGINT)
    assert process.wait(60) != 0

    log = project.said()
    assert "Traceback" not in log
    assert len(re.findall(r"^error: stopped\.", log, re.M)) == ("failed to reproduce" in log)

    project.run("dvc", "repro")
    assert outputs(project) == undisturbed.outputs
    assert status(project) == undisturbed.status

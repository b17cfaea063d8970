"""Candles of one's own: added, pushed, pulled, and run in temporary folders, through the real dvc."""

from pathlib import Path

import pytest

from tests.conftest import random_candles
from tests.project import EVERYTHING, Project

N_BARS = 24 * 73
IN_SCRATCH = ["dvc", "exp", "run", "--temp"]


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """The tiny project, with a file of candles in its place."""
    project = Project(tmp_path / "project")
    project.set_params({"fetch.source": "file"})
    project.commit()
    random_candles(N_BARS, start="2022-01-01").to_csv(
        project.folder / "data/import/file/BTC-USDT.csv", index=False
    )
    return project


def test_own_candles_go_with_the_project(project: Project, tmp_path: Path):
    """`dvc add`, commit and push; a colleague clones and pulls, reruns nothing, and can run experiments."""
    project.run("dvc", "add", "data/import/file")
    project.run("dvc", "remote", "add", "-d", "store", str(tmp_path / "store"))
    assert project.reruns() == EVERYTHING
    project.commit()
    project.run("dvc", "push")

    clone = Project.of(tmp_path / "clone", project)
    clone.run("dvc", "pull")

    assert clone.reruns() == []
    said = clone.run(*IN_SCRATCH, "-S", "evaluate.seed=7")
    assert "Running stage 'fetch'" not in said
    assert "Running stage 'evaluate'" in said
    assert clone.run("git", "status", "--porcelain") == ""


def test_a_clone_without_the_candles_leaves_them_as_they_are(project: Project, tmp_path: Path):
    """Set up before they came: DVC would commit an empty folder in their place, whatever it runs."""
    clone = Project.of(tmp_path / "clone", project)
    clone.make(".venv/site-cache")
    project.run("dvc", "add", "data/import/file")
    project.run("dvc", "remote", "add", "-d", "store", str(tmp_path / "store"))
    project.commit()
    project.run("dvc", "push")
    clone.run("git", "pull", "-q")

    clone.try_run("dvc", "exp", "run", "-S", "fetch.source=simulated", "-S", "fetch.max_jump=0.1")

    assert clone.run("git", "status", "--porcelain", "data/import") == ""
    clone.run("git", "checkout", "-q", "params.yaml")
    without = clone.try_run("dvc", "repro", "fetch")
    assert "missing data 'source': data/import/file" in without.stderr
    clone.run("dvc", "pull", "data/import/file")
    assert (clone.folder / "data/import/file/BTC-USDT.csv").exists()


@pytest.mark.slow
def test_own_candles_that_arent_added_are_named(project: Project):
    """A temporary folder has what git and DVC track; --copy-paths brings more, and git sees the file."""
    assert project.run("git", "status", "--porcelain") == "?? data/import/file/\n"

    without = project.try_run(*IN_SCRATCH)
    assert without.returncode
    assert "data/import/file" in without.stderr

    said = project.run(*IN_SCRATCH, "--copy-paths", "data/import/file")
    assert "Running stage 'evaluate'" in said


def test_another_symbol_in_a_temporary_folder_is_explained(project: Project):
    """Where the folder is tracked, but the new file isn't."""
    project.run("dvc", "add", "data/import/file")
    project.commit()
    project.set_params({"fetch.symbols": ["BTC/USDT", "ETH/USDT"]})

    result = project.try_run(*IN_SCRATCH)

    assert result.returncode
    assert (
        "ETH/USDT must have one of ETH-USDT.parquet, ETH-USDT.feather, ETH-USDT.csv in data/import/file; "
        "received BTC-USDT.csv (in a copy of what git and DVC track: `dvc add data/import/file` first, or "
        "add --copy-paths data/import/file)."
    ) in result.stderr

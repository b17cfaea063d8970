import sys
from pathlib import Path

import pytest

from stages.common.cache import VARIABLE, cache_folder
from stages.runner import run_stage
from tests.project import ROOT


@pytest.fixture(autouse=True)
def _nothing_named(monkeypatch) -> None:
    """The environment of whoever runs the tests doesn't count."""
    monkeypatch.delenv(VARIABLE, raising=False)


def within(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make a folder and go there."""
    folder.mkdir(parents=True)
    monkeypatch.chdir(folder)


def test_the_workspace_has_its_own(tmp_path, monkeypatch):
    """As it is written in messages: relative to the folder that a command was run in."""
    monkeypatch.chdir(tmp_path)

    assert cache_folder() == Path(".cache")


@pytest.mark.parametrize(
    "below", ["tmpab12", "standalone/tmpab12", "standalone/tmpab12/.dvc/tmp/exps/tmpcd34"]
)
def test_a_temporary_folder_has_the_workspaces(tmp_path, monkeypatch, below):
    """Of `--temp`, of a worker of the queue, and of an experiment that a temporary folder ran in turn."""
    within(tmp_path / ".dvc/tmp/exps" / below, monkeypatch)

    assert cache_folder() == tmp_path / ".cache"


@pytest.mark.parametrize("folder", ["exps", "tmp/exps/one", ".dvc/tmp/one", ".dvc/tmp/exps2/one"])
def test_a_folder_of_a_like_name_is_a_workspace(tmp_path, monkeypatch, folder):
    """A clone may lie anywhere."""
    within(tmp_path / folder, monkeypatch)

    assert cache_folder() == Path(".cache")


@pytest.mark.parametrize("below", [".", ".dvc/tmp/exps/tmpab12"])
def test_the_environment_names_another(tmp_path, monkeypatch, below):
    """A relative name is of the same folder, whether DVC runs the stage in the workspace or not."""
    workspace = tmp_path / "workspace"
    within(workspace / below, monkeypatch)

    monkeypatch.setenv(VARIABLE, str(tmp_path / "shared"))
    assert cache_folder() == tmp_path / "shared"

    monkeypatch.setenv(VARIABLE, "kept")
    assert cache_folder().resolve() == workspace / "kept"

    monkeypatch.setenv(VARIABLE, "")
    assert cache_folder().resolve() == workspace / ".cache"


def test_a_home_folder_is_one(tmp_path, monkeypatch):
    """DVC and cron pass on `~`, which a shell would have replaced."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    monkeypatch.setenv(VARIABLE, "~/kept")

    assert cache_folder() == tmp_path / "kept"


@pytest.mark.skipif(sys.platform == "win32", reason="there every name has a home, beside one's own")
def test_the_home_of_nobody_is_named_before_a_stage_runs(tmp_path, monkeypatch):
    """And not by the evaluation that wants to enter what it has scored."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "params.yaml").write_bytes((ROOT / "params.yaml").read_bytes())
    monkeypatch.setenv(VARIABLE, "~nobody-of-that-name/kept")

    with pytest.raises(SystemExit, match=r"BAROMETER_CACHE must name a folder, .*; received '~nobody-of"):
        run_stage("label", lambda _params: pytest.fail("it runs"))

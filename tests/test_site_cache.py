"""Where DVC keeps the cache that it unpickles, and who may write to it."""

import os
import re
import shutil
import sys
from pathlib import Path

import pytest

from stages.common.errors import InputError
from tests.project import Project
from tools.site_cache import choose


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A project in an environment that says nothing of the site cache."""
    project = Project(tmp_path_factory.mktemp("clone"))
    del project.environment["DVC_SITE_CACHE_DIR"]
    return project


@pytest.fixture
def project(clone: Project) -> Project:
    """The project, set up by make."""
    clone.make("check")
    return clone


def site_cache(project: Project, folder: str) -> Path:
    """Where DVC keeps its site cache if it is called from there."""
    [found] = re.findall(
        r"^Repo\.site_cache_dir: (.*)$", project.run("dvc", "--cd", folder, "doctor"), re.M
    )
    return Path(found)


@pytest.mark.parametrize("folder", [".", "stages/fetch"])
def test_dvc_by_hand_uses_a_private_site_cache(project: Project, folder: str):
    """From wherever it is called: in the clone, and open to its owner alone."""
    private = project.folder / ".venv/site-cache"

    assert site_cache(project, folder).is_relative_to(private.resolve())
    if sys.platform != "win32":
        assert private.stat().st_mode & 0o777 == 0o700
        assert private.stat().st_uid == os.getuid()


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such permissions")
def test_what_others_may_have_written_is_thrown_away(project: Project):
    """If the folder was deleted, DVC makes one that all may write to; the next set-up trusts none of it."""
    private = project.folder / ".venv/site-cache"
    shutil.rmtree(private)
    planted = site_cache(project, ".") / "links/cache.db"
    planted.parent.mkdir(parents=True, exist_ok=True)
    planted.write_bytes(b"planted")
    shutil.rmtree(project.folder / ".venv")

    project.make("check")

    assert private.stat().st_mode & 0o777 == 0o700
    assert not planted.exists()


def test_a_folder_whose_name_dvc_cant_write_takes_one_at_home(tmp_path: Path):
    """Other settings in .dvc/config.local stay, which DVC would lose with its error."""
    project = Project(tmp_path / "m\u00e4rkte")
    del project.environment["DVC_SITE_CACHE_DIR"]
    home = tmp_path / "home"
    home.mkdir()
    project.environment |= {"HOME": str(home), "USERPROFILE": str(home)}
    project.run("dvc", "config", "--local", "core.remote", "mine")

    project.make("check")

    assert site_cache(project, ".").is_relative_to(home.resolve())
    assert project.run("dvc", "config", "--local", "core.remote") == "mine\n"


def test_a_home_whose_name_dvc_cant_write_either_is_one_line():
    """Nothing is written then."""
    with pytest.raises(InputError, match="must have a name in ASCII"):
        choose(Path("/m\u00e4rkte/.venv/site-cache"), Path("/j\u00fcrgen/.cache"))


def test_settings_of_this_clone_stay(project: Project):
    """Another setting in .dvc/config.local, such as a remote's, is left alone, and git sees none of it."""
    project.run("dvc", "config", "--local", "core.remote", "mine")
    shutil.rmtree(project.folder / ".venv")

    project.make("check")

    assert project.run("dvc", "config", "--local", "core.remote").strip() == "mine"
    assert "config.local" not in project.run("git", "status", "--porcelain")

"""What a first run says, and what it leaves for others, through the real dvc."""

import re
from pathlib import Path

import pytest

from tests.conftest import FirstRun
from tests.project import EVERYTHING, ROOT, SOMEBODY, Project

# What DVC itself says of a stage, and at the end.
OF_DVC = re.compile(
    r"Running stage|> python|Generating lock|Updating lock|To track|To enable|Use `dvc|\tgit add|"
    r"\tdvc config|$"
)


@pytest.fixture(scope="module")
def project(reproduced: Project, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """The tiny project after its first run, committed."""
    project = reproduced.copy(tmp_path_factory.mktemp("first"))
    project.commit()
    return project


def test_a_stage_says_in_one_line_what_it_did(first_run: FirstRun):
    """Libraries say nothing; the last line is the verdict, and where to read more."""
    log = [line for line in first_run.log.splitlines() if not OF_DVC.match(line)]  # stdout and stderr

    assert [line.partition(":")[0] for line in log] == [*EVERYTHING, "Direction on a simulated market"]
    assert log[-1].endswith(" More: results/report.html")


@pytest.mark.parametrize(("artifact", "path"), [("model", "models"), ("candles", "data/candles")])
def test_an_artifact_is_had_from_another_folder(project: Project, tmp_path: Path, artifact: str, path: str):
    """By its name, of the version that a tag names."""
    project.run("git", *SOMEBODY, "tag", "-a", f"{artifact}@v1.0.0", "-m", "first")

    project.run("dvc", "artifacts", "get", str(project.folder), artifact, "--out", str(tmp_path / "here"))

    wanted, found = (
        {file.relative_to(folder): file.read_bytes() for file in folder.rglob("*") if file.is_file()}
        for folder in (project.folder / path, tmp_path / "here")
    )
    assert wanted
    assert found == wanted


def test_stages_say_what_they_are_for(project: Project):
    """`dvc stage list` has a line a stage, in whole sentences."""
    lines = project.run("dvc", "stage", "list").splitlines()

    assert [line.split()[0] for line in lines] == EVERYTHING
    assert not [line for line in lines if line.endswith("…")]
    assert (ROOT / "dvc.yaml").read_text(encoding="utf-8").count("    desc: ") == len(EVERYTHING) + 2

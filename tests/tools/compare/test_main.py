"""`python -m tools.compare`, as it is called: its options, and the real `dvc` and git below it."""

import json
import re
import shutil
import sys
from contextlib import nullcontext
from pathlib import Path

import pytest

from stages.common.errors import InputError
from tests.project import Project
from tools.compare import __main__ as tool
from tools.compare.comparison import Comparison
from tools.compare.side import Side

ENOUGH = 20 * 28 * 24
COMPARE = ("python", "-m", "tools.compare")


@pytest.fixture
def compared(runs, side, monkeypatch, capsys):
    """`compared(*arguments)`: what is printed of runs good, bad and any other; no repository is asked."""
    tests = dict(zip(("bad", "good"), runs(ENOUGH, [0.3, 0.1]), strict=True))

    def read(_repo, name: str, revision: str) -> Side:
        return side(name, revision=revision, test=tests.get(revision))

    monkeypatch.setattr(tool, "open_repo", lambda: nullcontext(None))
    monkeypatch.setattr(tool, "resolve", lambda _repo, revision: revision)
    monkeypatch.setattr(tool, "read_side", read)

    def compare(*arguments: str) -> str:
        monkeypatch.setattr(sys, "argv", ["compare", *arguments])
        tool.main()
        return str(capsys.readouterr().out)

    return compare


def test_worse_ends_with_its_own_status_where_asked(compared, capsys):
    """For a job that is to fail; the page is printed all the same."""
    with pytest.raises(SystemExit) as caught:
        compared("good", "bad", "--fail-on", "worse")

    assert caught.value.code == 3
    assert capsys.readouterr().out.startswith("Worse: bad adds ")
    assert compared("good", "bad").startswith("Worse: ")
    assert compared("bad", "good", "--fail-on", "worse").startswith("Better: ")


@pytest.mark.parametrize("pair", [("good", "bad"), ("bad", "good")])
def test_the_interval_is_of_the_figure_before_it(compared, pair):
    """Of what is added as well as of what is saved: it holds the figure."""
    figure, lo, hi = map(float, re.findall(r"-?\d+\.\d+", compared(*pair).partition(", p ")[0]))

    assert 0 < lo < figure < hi


def test_each_has_the_label_that_it_is_given(compared):
    """A commit's name says little."""
    assert compared("before=bad", "after=good").startswith("Better: after saves ")


def test_worth_moves_the_bounds(compared):
    """A gain that lies wholly within them is none."""
    assert compared("bad", "good", "--worth", "99").startswith("No difference worth having: ")


@pytest.mark.parametrize("worth", ["-1", "100", "nan"])
def test_a_worth_that_is_none_is_refused(compared, worth):
    """In a line with the rule."""
    with pytest.raises(InputError, match="--worth must be a percentage from 0 to below 100"):
        compared("bad", "good", "--worth", worth)


def test_forms_say_the_same(compared):
    """Text, Markdown and JSON."""
    found = Comparison.model_validate_json(compared("bad", "good", "--json"))

    assert found.verdict == "better"
    assert compared("bad", "good", "--md").startswith("## Better\n\nBetter: good saves ")
    assert "Other figures, raw differences without a test: " in compared("bad", "good")
    assert "\nsame:\n" in compared("bad", "good", "--all")


def test_without_the_rows_it_says_so(compared):
    """A run whose tables aren't here."""
    assert compared("bad", "other").startswith("Can't tell: the test rows of one of them aren't here.")


@pytest.fixture(scope="module")
def project(reproduced: Project, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A branch with another strategy; main has what was run first, and the commit before has no results."""
    made = reproduced.copy(tmp_path_factory.mktemp("compare") / "project")
    made.run("git", "branch", "-q", "-M", "main")
    made.run("git", "tag", "empty")
    made.commit()
    made.run("git", "checkout", "-q", "-b", "change")
    made.run("dvc", "exp", "run", "-q", "-n", "dearer", "-S", "evaluate.cost_bps=7")
    made.commit()
    return made


@pytest.fixture(scope="module")
def bare(project: Project, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """The same with a network that starts bare, in the workspace, not yet committed."""
    made = project.copy(tmp_path_factory.mktemp("bare") / "project")
    made.run("dvc", "exp", "run", "-q", "-S", "train.offset=none")
    return made


@pytest.mark.slow
def test_a_change_is_laid_beside_where_it_began(bare):
    """The workspace against main: both settings that differ, and how often one looked."""
    text = bare.run(*COMPARE)

    assert "Can't tell: workspace " in text
    assert "where 20 are needed" in text
    assert "Parameters: train.offset baseline → none, evaluate.cost_bps 5.0 → 7" in text
    assert "Data: forecasts " in text
    assert "Code: nothing differs" in text
    assert "Forecasts scored on these test rows so far, in this workspace: 2; p, adjusted" in text


def test_an_experiment_is_had_by_its_name(project):
    """Another strategy alone: the same forecasts, whatever the money says."""
    found = json.loads(project.run(*COMPARE, "main", "dearer", "--json"))

    assert found["verdict"] == "no difference worth having"
    assert found["identical"]
    assert found["forecasts"] == 1  # on its test rows, though the workspace may have others
    assert [each["what"] for each in found["parameters"]] == ["evaluate.cost_bps"]
    assert found["code"] == []
    (money,) = (row for row in found["table"] if row["key"] == "test.utility_bps")
    assert money["difference"] <= 0
    assert found["notes"] == []


@pytest.mark.slow
def test_what_was_edited_and_not_run_is_told(project, tmp_path):
    """The results are of the settings before."""
    copied = project.copy(tmp_path / "edited")
    copied.set_params({"train.units": 3})
    with (copied.folder / "stages/train/networks.py").open("a", encoding="utf-8") as code:
        code.write("\n")

    text = copied.run(*COMPARE)

    assert "workspace: params.yaml has another train.units, with which nothing was run yet." in text
    assert "workspace: stages/train/networks.py: edited since the run; `dvc repro` runs it." in text


@pytest.mark.slow
def test_a_base_without_results_is_told(project):
    """Its settings and metrics aren't there, and the other's figures are shown."""
    text = project.run(*COMPARE, "empty")

    assert text.startswith("Can't tell: the test rows of one of them aren't here.")
    assert re.search(r"^- empty \([0-9a-f]{10}\): no results/metrics\.json$", text, re.M)
    assert "empty: dvc.lock must say with what the stages ran" in text
    assert "skill over the benchmark" in text


@pytest.mark.slow
def test_without_the_cache_metrics_alone_are_compared(project, tmp_path):
    """It says what brings the rows."""
    copied = project.copy(tmp_path / "emptied")
    shutil.rmtree(copied.folder / ".dvc/cache/files")

    text = copied.run(*COMPARE, "main")

    assert "main: data/predictions.parquet isn't here. `dvc pull` brings" in text
    assert "dvc fetch --all-commits" in text
    assert "No figure has an interval" in text
    assert "\nskill over the benchmark" in text


@pytest.mark.slow
def test_the_rows_of_the_base_are_made_in_a_clone_that_has_none(project, tmp_path):
    """As in a job without a remote; the branch stays checked out, and nothing else is left."""
    clone = Project.of(tmp_path / "clone", project)
    clone.run("dvc", "repro", "-q")
    clone.run("git", "branch", "-q", "main", "HEAD~1")

    told = clone.run("python", "-m", "tools.compare.base")

    assert "compare-base: dvc repro of " in told
    assert clone.run(*COMPARE).startswith("No difference worth having: ")
    assert clone.run("git", "status", "--short") == ""
    assert len(clone.run("git", "worktree", "list").splitlines()) == 1


@pytest.mark.slow
def test_two_without_results_are_refused(project):
    """There is nothing to show."""
    result = project.try_run(*COMPARE, "empty", "empty")

    assert result.returncode == 1
    assert "one of the two must have results/metrics.json" in result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.slow
def test_a_name_that_is_none_is_told(project):
    """Neither a commit nor an experiment."""
    result = project.try_run(*COMPARE, "dearest")

    assert "received dearest, which is none." in result.stderr


@pytest.mark.slow
def test_nothing_is_changed(project):
    """Whoever compares reads only."""
    before = project.run("git", "status", "--short"), (project.folder / "dvc.lock").read_text()

    project.run(*COMPARE, "--all")

    assert (project.run("git", "status", "--short"), (project.folder / "dvc.lock").read_text()) == before
    assert not list(Path(project.folder).glob("*.json"))

"""What README and docs/ quote of the default market is what comes of it.

Of what needs real candles, README says which commit measured it.
"""

import json
import re
import subprocess
from collections.abc import Iterator
from itertools import zip_longest
from typing import Any, NamedTuple

import pytest
import yaml

from stages.common.task import TASKS
from stages.evaluate.subject import flat, market_of, settings_of
from stages.evaluate.verdict import sentence
from tests.project import ROOT, Project
from tests.settings import shipped

Figures = dict[str, float]


class Quoted(NamedTuple):
    """A figure of docs/reading-a-diff.md, by its name in results/metrics.json, of both its columns."""

    name: str
    head: float
    workspace: float


def quoted() -> Iterator[Quoted]:
    """All that stand in cells of their own; text beside them rounds what stands there."""
    page = (ROOT / "docs/reading-a-diff.md").read_text(encoding="utf-8").replace("\N{MINUS SIGN}", "-")
    for line in re.findall(r"^\| `.*", page, re.M):
        names, head, workspace = (cell.strip() for cell in line.split("|")[1:4])
        if "*" not in names:
            other = head if workspace == "the same" else workspace
            for name, *both in zip_longest(names.split(", "), head.split(", "), other.split(", ")):
                yield Quoted(name.strip("`"), *map(float, both))


def page(name: str = "README.md") -> str:
    """A page in one line, without the marks of what is quoted."""
    text = (ROOT / name).read_text(encoding="utf-8")
    return " ".join(re.sub(r"^> ", "", text, flags=re.M).split())


def said(metrics: dict[str, Any]) -> str:
    """The verdict as evaluate prints it, on the default market."""
    task = next(task for task in TASKS if task in metrics)
    return sentence(metrics, task, market_of({"fetch.source": "simulated"}))


@pytest.fixture
def metrics() -> dict[str, Any]:
    """Those of the default run, as committed; where an experiment has left its own, nothing is checked."""
    stages = yaml.safe_load((ROOT / "dvc.lock").read_text(encoding="utf-8"))["stages"]
    made_by = [flat(stage["params"]["params.yaml"]) for stage in stages.values()]
    defaults = shipped()
    if {key: value for settings in made_by for key, value in settings.items()} != settings_of(defaults):
        pytest.skip("results/ is of other settings than the default: make back brings what is committed")
    found: dict[str, Any] = json.loads((ROOT / "results/metrics.json").read_text(encoding="utf-8"))
    return found


def test_figures_of_the_committed_run_are_its_own(metrics):
    """Rounded as DVC does; if they mean to move, docs/reading-a-diff.md moves with them."""
    found = flat(metrics)

    assert {each.name: each.head for each in quoted()} == {
        each.name: round(found[each.name], 5) for each in quoted()
    }


def test_readme_quotes_the_verdict_of_the_committed_run(metrics):
    """Word for word, as `make repro` prints it."""
    assert said(metrics) in page()


@pytest.fixture(scope="module")
def asked(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A clone in which the default market has been asked the other question, as README does."""
    folder = tmp_path_factory.mktemp("asked") / "clone"
    subprocess.run(["git", "clone", "-q", ROOT, folder], check=True)
    project = Project.at(folder)
    project.run("dvc", "exp", "run", "-S", "task=volatility")
    return project


@pytest.mark.slow
def test_figures_of_both_questions_are_those_of_a_run(asked):
    """As `dvc metrics diff` shows them, both columns; and README's verdict of the other question."""
    table = asked.run("dvc", "metrics", "diff", "--all", "--md")
    shown = {row[1]: row[2:4] for line in table.splitlines() if (row := line.strip("| ").split("|"))[3:]}
    found = {name.strip(): [cell.strip() for cell in cells] for name, cells in shown.items()}
    after = json.loads((asked.folder / "results/metrics.json").read_text(encoding="utf-8"))

    assert [*quoted()] == [Quoted(each.name, *map(float, found[each.name])) for each in quoted()]
    assert said(after) in page()


@pytest.mark.slow
def test_docs_quote_what_lookahead_says(asked):
    """Of the default market's features."""
    assert f"`{asked.run('python', '-m', 'tools.lookahead').strip()}`" in page("docs/trust.md")

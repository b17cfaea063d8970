"""What `dvc plots` shows, through the real dvc: tables, by the project's own templates, and pictures."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.project import ROOT, Project

FIGURES = {"training", "forecast", "calibration", "forecasts", "folds", "months", "calls"}
TABLES = FIGURES | {"symbols"}
PICTURES = FIGURES | {"recent", "coverage", "wealth"}
TABLE_FILES = {name: f"results/plots/{name}.csv" for name in TABLES} | {"training": "results/training.csv"}
BY_DVC = {"rev", "step"}  # the revision, and the place of a row in its table
LINE = re.compile(r'(?:<text[^>]*>([^<]*)| d="([^"]*)")')
LOADS = r"<(?:script|link|img|iframe|object|embed)\b[^>]*(?:src|href|data)\s*=\s*[\"']?(?:https?:)?//"


@pytest.fixture(scope="module")
def project(reproduced: Project, tmp_path_factory) -> Project:
    """Direction committed, volatility in the workspace."""
    project = reproduced.copy(tmp_path_factory.mktemp("project"))
    project.commit()
    project.set_params({"task": "volatility"})
    project.run("dvc", "repro")
    return project


def plots(project: Project, *command: str) -> dict[str, list[dict[str, Any]]]:
    """Each plot's revisions, by its name; nothing may have gone wrong."""
    answer = json.loads(project.run("dvc", "plots", *command, "--json"))
    assert answer.keys() == {"data"}
    return answer["data"]


@pytest.fixture(scope="module")
def shown(project):
    """What `dvc plots show` shows."""
    return plots(project, "show")


@pytest.fixture(scope="module")
def compared(project):
    """What `dvc plots diff` shows."""
    return plots(project, "diff")


def walk(node: Any) -> Iterator[dict[str, Any]]:
    """A specification's blocks, outer ones first; its data aside."""
    if isinstance(node, dict):
        yield node
        for key, value in node.items():
            if key != "data":
                yield from walk(value)
    elif isinstance(node, list):
        for value in node:
            yield from walk(value)


def read_columns(spec: dict[str, Any]) -> set[str]:
    """The columns that a specification reads, in an encoding, a transform or an expression."""
    names = set(spec["data"]["format"]["parse"])
    for block in walk(spec):
        for key in ("field", "fold", "groupby"):
            value = block.get(key, [])
            names |= {value} if isinstance(value, str) else set(value if isinstance(value, list) else [])
        names |= set(re.findall(r"datum\.(\w+)", " ".join(v for v in block.values() if isinstance(v, str))))
    return names - {"value"}  # of a header's or an axis' own expressions


def made_columns(spec: dict[str, Any]) -> set[str]:
    """The columns that its transforms make."""
    made = [block["as"] for block in walk(spec) if "as" in block]
    return {name for names in made for name in (names if isinstance(names, list) else [names])}


def test_each_table_and_each_picture_is_shown_once(shown):
    """By one definition each; what isn't a file of results/ isn't shown."""
    tables = set(TABLE_FILES.values())
    pictures = {f"results/figures/{name}.svg" for name in PICTURES}

    assert shown.keys() == tables | pictures
    assert all(len(revisions) == 1 for revisions in shown.values())
    assert "plots" not in yaml.safe_load((ROOT / "dvc.yaml").read_text(encoding="utf-8"))


def test_the_pictures_are_those_of_the_report(project, shown):
    """Line for line, so that the page, an editor and the report can't disagree."""
    report = (project.folder / "results/report.html").read_text(encoding="utf-8")
    in_report = re.findall(r"<svg.*?</svg>", report, re.DOTALL)

    urls = [revisions[0]["url"] for revisions in shown.values() if revisions[0]["type"] == "image"]
    lines = [LINE.findall(Path(url).read_text(encoding="utf-8")) for url in urls]
    assert sorted(lines) == sorted(map(LINE.findall, in_report))
    assert len(in_report) == len(PICTURES)


def test_a_diff_has_both_revisions_of_everything(compared, shown):
    """Nothing is called otherwise in the other task, for `dvc plots diff` would drop it in silence."""
    assert compared.keys() == shown.keys()
    for revisions in compared.values():
        assert sorted(name for one in revisions for name in one["revisions"]) == ["HEAD", "workspace"]


@pytest.mark.parametrize("name", sorted(TABLES))
def test_a_template_reads_columns_that_exist(project, shown, name):
    """Of the table, of DVC or of its own transforms; and it leaves none of DVC's places empty."""
    path = TABLE_FILES[name]
    header = (project.folder / path).read_text(encoding="utf-8").partition("\n")[0].split(",")
    (plot,) = shown[path]

    assert plot["type"] == "vega"
    assert read_columns(plot["content"]) - made_columns(plot["content"]) <= set(header) | BY_DVC
    assert "<DVC_METRIC" not in json.dumps(plot["content"])


@pytest.mark.parametrize("name", sorted(TABLES))
def test_two_tasks_are_not_on_one_axis(compared, name):
    """Where the units differ the panels do, each with an axis of its own."""
    (plot,) = compared[TABLE_FILES[name]]
    spec = plot["content"]
    units = {
        rev: {row["unit"] for row in spec["data"]["values"] if row["rev"] == rev}
        for rev in plot["revisions"]
    }
    assert [len(of_rev) for of_rev in units.values()] == [1, 1]
    assert units["HEAD"] != units["workspace"]

    from_unit = {"unit"} | {
        step["as"] for step in spec.get("transform", []) if "datum.unit" in step.get("calculate", "")
    }
    assert from_unit & {block["field"] for block in walk(spec["facet"]) if "field" in block}
    assert spec["resolve"]["scale"]["y"] == "independent"


def test_every_template_is_used_and_every_one_used_is_here():
    """None of DVC's own, which put all on one axis."""
    stages = yaml.safe_load((ROOT / "dvc.yaml").read_text(encoding="utf-8"))["stages"].values()
    entries = [entry for stage in stages for entry in stage.get("plots", [])]
    used = {props["template"] for entry in entries if isinstance(entry, dict) for props in entry.values()}

    assert used == {path.stem for path in (ROOT / ".dvc/plots").glob("*.json")}
    for name in used:
        spec = json.loads((ROOT / f".dvc/plots/{name}.json").read_text(encoding="utf-8"))
        assert spec["$schema"] == "https://vega.github.io/schema/vega-lite/v5.json"
        assert spec["data"]["values"] == "<DVC_METRIC_DATA>"


def test_the_page_needs_no_network(project):
    """Nothing on it is loaded from elsewhere; the scripts that draw stand in it."""
    for command in ("show", "diff"):
        project.run("dvc", "plots", command)
        page = (project.folder / "dvc_plots/index.html").read_text(encoding="utf-8")

        assert not re.search(LOADS, page)
        assert len(re.findall(r"vegaEmbed\('#results_(?:plots_|training)", page)) == len(TABLES)
        images = re.findall(r'<img src="(static[^"]+)">', page)
        assert len(images) == len(PICTURES) * (1 if command == "show" else 2)
        assert all((project.folder / "dvc_plots" / image).is_file() for image in images)


def test_a_fresh_clone_shows_the_tables(project, tmp_path):
    """They are in git; the pictures come with the cache."""
    project.run("git", "clone", "-q", str(project.folder), str(tmp_path / "clone"))
    answer = project.run("dvc", "--cd", str(tmp_path / "clone"), "plots", "show", "--json")

    assert json.loads(answer)["data"].keys() == {*TABLE_FILES.values()}

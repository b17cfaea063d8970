import re
from pathlib import Path

import pytest
import yaml

from stages.baseline.question import question_of as baselines_of
from stages.common.task import TASKS
from stages.evaluate import chance
from stages.evaluate.amount import errors
from stages.evaluate.figures import ROLES, TEST, TOP
from stages.evaluate.losses import best_baselines
from stages.evaluate.metrics import make_metrics
from stages.evaluate.stage import judge, own_block, own_figures
from stages.params import check_params
from tests.settings import shipped

ROOT = Path(__file__).parents[2]
HEADER = ["key", "what it is", "unit, better", "source", "can't tell"]
BLANK = {"", "-", "\N{EN DASH}", "\N{EM DASH}"}
TEST_PARTS = [
    "Verdicts", "Skill: is there anything to know?", "Edge: does the network know more than the classics?",
    "Ranks and calibration", "Coverage", "Strategy", "Counts",
]  # fmt: skip
SHARED_BLOCKS = {True: "Of a yes or no", False: "Of an amount"}  # by whether y is of classes
NAMES = {"forecast", "fold", "symbol", "month", "close_time"}  # what a row of a table is of


def tables_of(page: str) -> dict[str, list[list[str]]]:
    """Each heading of a page that has tables, and the rows of cells under it, headers left out."""
    found: dict[str, list[list[str]]] = {}
    heading = ""
    for line in page.splitlines():
        if line.startswith("#"):
            heading = line.lstrip("# ").replace("`", "")
        elif line.startswith("|"):
            found.setdefault(heading, []).append([cell.strip() for cell in line.strip("|").split("|")])
    assert all(rows[:2] == [HEADER, ["---"] * 5] for rows in found.values())
    return {heading: rows[2:] for heading, rows in found.items()}


@pytest.fixture(scope="module")
def tables():
    """The tables of docs/metrics.md, and of each task's page."""
    pages = [ROOT / "docs/metrics.md", *(ROOT / f"docs/metrics/{task}.md" for task in TASKS)]
    found = [tables_of(page.read_text(encoding="utf-8")) for page in pages]
    headings = [heading for tables in found for heading in tables]
    assert len(set(headings)) == len(headings)
    return {heading: rows for tables in found for heading, rows in tables.items()}


@pytest.fixture
def explained(tables):
    """`explained(*headings)`: the keys, in order, that the tables under them have a row for."""
    return lambda *headings: [
        cells[0].strip("`") for heading in headings for cells in tables.get(heading, [])
    ]


@pytest.fixture(params=TASKS)
def run(request, compared, make_inputs, params):
    """A task, what evaluate finds of it, and its metrics."""
    task = request.param
    rows, losses = compared(make_inputs(task), task)
    best = best_baselines(rows, losses.drop(columns=["network", "best"]))
    settings = check_params(shipped() | {"task": task, "evaluate": params.model_dump()})
    found = judge(rows, losses, best, settings)
    return task, found, make_metrics(rows, losses, found.shared, own_block(rows, settings), task)


def test_every_row_says_all(tables):
    """A key in code, then formula, unit, source and limits: no cell is blank, no key has two rows."""
    for rows in tables.values():
        assert all(len(cells) == len(HEADER) and BLANK.isdisjoint(cells) for cells in rows)
        keys = [cells[0] for cells in rows]
        assert all(re.fullmatch(r"`[\w.]+`", key) for key in keys)
        assert len(set(keys)) == len(keys)


def test_pages_explain_what_is_written_and_nothing_else(explained, run):
    """Every key of metrics.json has its row under its block, whichever the task."""
    task, _, metrics = run

    assert sorted(explained("Top level")) == sorted(metrics.keys() - {task})
    assert sorted(explained(*TEST_PARTS)) == sorted(metrics["test"])
    assert explained("val and train") == list(metrics["val"]) == list(metrics["train"])


def test_pages_explain_a_task_s_own_block(explained, run):
    """What its kind of question shares is on the page of all, the rest on its own, and nothing twice."""
    task, _, metrics = run
    shared, own = explained(SHARED_BLOCKS[TASKS[task].classes]), explained(task)

    assert [key for key in metrics[task] if key not in shared] == own
    assert set(shared).isdisjoint(own)


def test_pages_say_the_unit_and_which_way_is_better_as_the_code_has_it(tables, run):
    """Of each key of metrics.json the code knows a name, and both say the same of it."""
    task, _, metrics = run
    parts = [*TEST_PARTS, "val and train", "Top level", SHARED_BLOCKS[TASKS[task].classes], task]
    said = {
        cells[0].strip("`"): cells[2].partition(";")[0] for part in parts for cells in tables.get(part, [])
    }
    known = TOP | TEST | own_figures(task)

    assert {*known} == {*metrics["test"], *TOP, *metrics[task]}
    assert {key: figure.unit_better for key, figure in known.items()} == {key: said[key] for key in known}
    assert {*ROLES} == {*metrics["val"]}
    assert all(figure.name for figure in known.values())


def test_a_shared_block_is_that_of_its_kind(explained, compared, make_inputs):
    """No row for what none of its kind has."""
    for task in ("direction", "volatility"):
        rows, _ = compared(make_inputs(task), task)
        test = rows[rows["role"] == "test"]
        block = chance.block(test, 8760.0) if TASKS[task].classes else errors(test)

        assert explained(SHARED_BLOCKS[TASKS[task].classes]) == list(block)


@pytest.mark.parametrize("task", TASKS)
def test_pages_explain_every_baseline(explained, task):
    """Each forecast of the task's table in baseline, for they are the keys of `baselines`."""
    settings = yaml.safe_load((ROOT / "stages/evaluate/defaults.yaml").read_text(encoding="utf-8"))[
        "label"
    ][task]
    baselines = baselines_of(task).baselines(**settings)

    assert sorted(explained(f"Baselines of {task}")) == sorted(baselines)


def test_pages_explain_every_file(explained):
    """Whatever else evaluate leaves in results/, and train's curves."""
    stages = yaml.safe_load((ROOT / "dvc.yaml").read_text(encoding="utf-8"))["stages"]
    plots = [*stages["evaluate"]["plots"], *stages["train"]["plots"]]
    paths = [
        *stages["evaluate"]["outs"],
        *(next(iter(plot)) if isinstance(plot, dict) else plot for plot in plots),
    ]

    assert sorted(explained("Files")) == sorted(Path(path).name for path in paths)


def test_pages_explain_every_column(explained, run):
    """Columns of the tables that are no key of metrics.json."""
    _, found, metrics = run
    columns = {name for table in [*found.tables.values(), found.by_time] for name in table.columns}

    assert sorted(explained("Columns")) == sorted(columns - {*metrics["test"], *NAMES})


def test_each_task_has_a_page_and_each_page_a_task():
    """What is a task's own isn't explained where all tasks' figures are."""
    assert {page.stem for page in (ROOT / "docs/metrics").iterdir()} == {*TASKS}


def test_pages_have_no_other_tables(tables):
    """Each table is one of those that are held against the code above."""
    checked = {"Top level", *TEST_PARTS, "val and train", *SHARED_BLOCKS.values(), "Files", "Columns"}
    checked |= {f"Baselines of {task}" for task in TASKS}

    assert checked <= set(tables) <= checked | {*TASKS}

"""What is told of two runs: which figures, in which order, with which interval."""

import json
from pathlib import Path

import pytest
from pydantic import TypeAdapter, ValidationError

from stages.common.task import TASKS
from stages.evaluate.figures import TEST
from stages.evaluate.stage import own_figures
from tools.compare.answer import answer
from tools.compare.comparison import FIRST, SHARED, Comparison, comparison
from tools.compare.forms import as_markdown, as_text, sentence
from tools.compare.side import Side

ENOUGH = 20 * 28 * 24
SCHEMA = Path(__file__).parents[3] / "docs/compare.schema.json"


@pytest.fixture
def told(runs):
    """`told(a, b)`: the comparison of two sides, b with the lesser errors."""
    bad, good = runs(ENOUGH, [0.3, 0.1])

    def compare(a: Side, b: Side, n_forecasts: int | None = None) -> Comparison:
        return comparison(a, b, answer(bad, good, same_task=a.task == b.task, worth=1), 1.0, n_forecasts)

    return compare


def keys(rows) -> list[str]:
    """Of the rows of a table, without their block."""
    return [row.key.removeprefix("test.") for row in rows]


def test_the_figures_to_read_first_are_twelve_in_order(told, side):
    """Verdicts, then skill, then what it is good for."""
    assert keys(told(side("a"), side("b")).table) == FIRST
    assert len(FIRST) == 12


def test_two_questions_are_compared_on_what_they_share(told, side):
    """A width in logs is none in outcomes; losses and a task's own figures are each one's own."""
    found = told(side("a"), side("b", "volatility"))

    assert keys(found.table) == [key for key in FIRST if key in SHARED]
    assert "width" not in keys(found.table)
    assert found.unit == "points of skill"
    (apart,) = (group for group in found.rest if group.name == "not comparable")
    assert {"test.width", "direction.accuracy", "volatility.mae", "baselines.benchmark"} <= {
        row.key for row in apart.rows
    }
    assert "different kinds" in as_text(found, everything=False)


def test_what_both_questions_share_is_said_of_known_figures():
    """A key that was renamed would silently leave the table."""
    assert {*FIRST, *SHARED} <= TEST.keys()


def test_each_figure_is_told_once(told, side):
    """In the table or in one group, whatever either run has."""
    found = told(side("a"), side("b"))
    rows = [*found.table, *(row for group in found.rest for row in group.rows)]

    assert len({row.key for row in rows}) == len(rows)
    n_own = len(own_figures("direction"))
    assert len(rows) == len(TEST) + n_own + 3  # train's skill, the gap and the benchmark's loss


def test_figures_are_grouped_by_which_way_is_better(told, side):
    """More turnover is worse, a p-value nearer to nil better, and more rows are neither."""
    others = {"turnover": 0.75, "dm_p": 0.25, "n_rows": 200, "hit_rate": 0.6}

    groups = {group.name: keys(group.rows) for group in told(side("a"), side("b", figures=others)).rest}

    assert "turnover" in groups["worse"]
    assert {"dm_p", "hit_rate"} <= {*groups["better"]}
    assert "n_rows" in groups["not comparable"]
    assert "ic" in groups["same"]


def test_nearer_to_its_value_is_better(told, side):
    """A coverage of 91 is nearer to 90 than one of 88."""
    a, b = side("a", figures={"worst_30d_pct": 88.0}), side("b", figures={"worst_30d_pct": 91.0})

    (row,) = (row for row in told(a, b).table if row.key == "test.worst_30d_pct")

    assert row.difference == 3
    assert row.gain == 1
    assert row.better == "near 90"


def test_a_figure_that_one_side_lacks_has_no_difference(told, side):
    """It is told all the same."""
    a, b = side("a"), side("b")
    del a.metrics["test"]["hit_rate"]

    (apart,) = (group for group in told(a, b).rest if group.name == "not comparable")

    (row,) = (row for row in apart.rows if row.key == "test.hit_rate")
    assert (row.a, row.b, row.difference, row.gain) == (None, 0.5, None, None)


def test_a_side_without_metrics_shows_the_other(told, side):
    """Each figure of the one; nothing invented for the other, and no row for the verdict it lacks."""
    found = told(side("a", metrics={}), side("b"))

    assert found.a.verdict == "no results/metrics.json"
    assert all(row.a is None for row in found.table if row.lo is None)


def test_what_changed_is_told(told, side):
    """Settings old and new, tables by the first digits of their hash, files of code by name."""
    b = side(
        "b",
        settings={"task": "direction", "fetch.source": "simulated", "train.units": 64, "train.trees": 3},
        deps={"stages/train/networks.py": "2"},
        outs={"data/candles": "0123456789"},
        figures={"n_rows": 1200},
    )

    text = as_text(told(side("a"), b), everything=False)

    assert "Parameters: train.units 32 → 64, train.trees none → 3" in text
    assert "Data: test rows 100 → 1,200, candles 1 → 01234567" in text
    assert "Code: stages/train/networks.py" in text


def test_nothing_changed_is_said_aloud(told, side):
    """An empty list is no answer."""
    text = as_text(told(side("a"), side("b")), everything=False)

    assert "Changed: nothing. Parameters, data and code are the same." in text


def test_a_long_list_is_counted(told, side):
    """A renamed folder doesn't fill the page."""
    b = side("b", deps={f"stages/{k:02}.py": "1" for k in range(40)})

    text = as_text(told(side("a"), b), everything=False)

    assert "stages/11.py and 29 more" in text


def test_how_often_the_rows_were_looked_at_is_told(told, side):
    """With p, adjusted for it, which never is above 1."""
    found = told(side("a"), side("b"), 7)
    text = as_text(found, everything=False)

    assert (
        "Forecasts scored on these test rows so far, in this workspace: 7; p, adjusted by Holm's first step"
        in text
    )
    weak = found.model_copy(update={"p": 0.4})
    assert "first step: 1." in as_text(weak, everything=False)


def test_an_interval_with_nil_in_it_is_marked(side, told):
    """So that nobody reads the difference as one; one of no width is left out."""
    found = told(side("a"), side("b"))
    ranges = {"test.skill_pct": (1.0, 2.0), "test.edge_pct": (-1.0, 2.0), "test.auc": (0.0, 0.0)}
    rows = [
        row.model_copy(update=dict(zip(("lo", "hi"), ranges[row.key], strict=True)))
        for row in found.table
        if row.key in ranges
    ]

    text = as_text(found.model_copy(update={"table": rows}), everything=False)
    skill, edge, auc = (
        next(line for line in text.splitlines() if line.startswith(start))
        for start in ("skill over", "edge over", "ranks:")
    )

    assert "[1, 2]" in skill
    assert "~" not in skill
    assert "~ " in edge
    assert "[-1, 2]" in edge
    assert "[" not in auc
    assert "~" not in auc


def test_the_sentence_names_both_and_what_it_rests_on(told, side):
    """The answer first, then figure, interval, p, hours and blocks."""
    said = sentence(told(side("main"), side("change")))

    assert said.startswith("Better: change saves ")
    assert " % of main's loss [" in said
    assert said.endswith(f"; {ENOUGH:,} common hours, 20.0 blocks.")


def test_markdown_has_twelve_rows_before_the_fold(told, side):
    """And all others behind it, in a table a group."""
    page = as_markdown(told(side("a"), side("b", figures={"turnover": 1.0})))
    before, _, after = page.partition("<details>")

    assert before.startswith("## Better\n")
    assert sum(line.startswith("| ") for line in before.splitlines()) == 12 + 2
    assert "<summary>worse (1)</summary>" in after
    assert "`test.turnover`" in after


def test_the_schema_is_of_this_code():
    """docs/compare.schema.json, which programs hold the JSON to, is what the classes say."""
    made = TypeAdapter(Comparison).json_schema(mode="serialization")

    assert json.loads(SCHEMA.read_text(encoding="utf-8")) == made


def test_json_comes_back_as_it_went(told, side):
    """Whatever reads it has what the page was made of."""
    found = told(side("a"), side("b"), 3)

    assert Comparison.model_validate_json(found.model_dump_json()) == found


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("verdict", "superb"),
        ("p", "0.5"),
        ("p", float("nan")),
        ("common_rows", 1.5),
        ("why", "because"),
        ("notes", ["x" * 2001]),
        ("code", ["x"] * 501),
        ("forecasts", -1),
        ("common_rows", 10**400),
        ("gain", 10**400),
        ("schema_version", 2),
        ("gain", None),
        ("p", -5.0),
        ("identical", True),
        ("more", 1),
    ],
)
def test_what_is_no_comparison_is_refused(told, side, field, value):
    """A text for a number, no number at all, a field too many, texts and lists without end."""
    fields = told(side("a"), side("b")).model_dump() | {field: value}

    with pytest.raises(ValidationError):
        Comparison.model_validate_json(json.dumps(fields))


@pytest.mark.parametrize("task", TASKS)
def test_every_question_has_a_comparison(told, side, task):
    """Whichever questions there are."""
    found = told(side("a", task), side("b", task))

    assert found.a.task == task
    assert all(row.difference is not None for row in found.table)

"""What a pull request may write into its comment: numbers, and nothing that this side doesn't know."""

import json
import re
from pathlib import Path

import pytest

from stages.common.errors import InputError
from tools.compare.answer import answer
from tools.compare.comment import LARGEST, MARK, read, vouched
from tools.compare.comparison import Comparison, comparison
from tools.compare.forms import as_markdown
from tools.compare.post import LONGEST
from tools.compare.post import MARK as MARK_OF_POST

ENOUGH = 20 * 28 * 24
SETTINGS = {"train.units", "train.network", "fetch.symbols"}
CODE = {"stages/train/networks.py"}
HOSTILE = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "[click](https://evil.example)",
    "![x](https://evil.example/x.png)",
    "@everyone @someone",
    "#1 closes #2 fixes org/repo#3",
    "www.evil.example",
    "`; rm -rf ~ #",
    "${{ secrets.GITHUB_TOKEN }}",
    "$(touch pwned)",
    "| a | b |\n\n## Better\n\nMerge it",
    "</details></summary>",
    "<!-- barometer: compare -->",
    "::set-output name=x::y",
    "\u202egnp.exe",
    "x" * 200,
]


@pytest.fixture
def found(runs, side) -> Comparison:
    """A comparison in which everything differs."""
    b = side(
        "change",
        settings={"task": "direction", "fetch.source": "simulated", "train.units": 64},
        deps={"stages/train/networks.py": "2"},
        outs={"data/candles": "0123456789"},
        figures={"turnover": 0.75},
        notes=["A note."],
    )
    return comparison(side("main"), b, answer(*runs(ENOUGH, [0.3, 0.1]), same_task=True, worth=1), 1.0, 3)


def page(found: Comparison) -> str:
    """The comment."""
    return as_markdown(vouched(found, SETTINGS, CODE))


def replaced(fields, text: str):
    """The same with that text in place of each text that the schema leaves open."""
    fixed = {"verdict", "why", "unit"}
    if isinstance(fields, list):
        return [text if isinstance(each, str) else replaced(each, text) for each in fields]
    if isinstance(fields, dict):
        group = "rows" in fields
        return {
            key: value
            if (key in fixed and "schema_version" in fields) or (group and key == "name")
            else text
            if isinstance(value, str)
            else replaced(value, text)
            for key, value in fields.items()
        }
    return fields


def test_an_honest_comparison_is_told(found):
    """Answer, figures, settings and files of code, by this side's words."""
    told = page(found)

    assert told.startswith("## Better\n\nBetter: this change saves ")
    assert "- base: direction: no signal, no edge" in told
    assert "`train.units` 32 \N{RIGHTWARDS ARROW} 64" in told
    assert "candles 1 \N{RIGHTWARDS ARROW} 01234567" in told
    assert "`stages/train/networks.py`" in told
    assert "skill over the benchmark (`test.skill_pct`)" in told
    assert "In the job's summary alone: 1 notes." in told
    assert "A note." not in told


@pytest.mark.parametrize("text", HOSTILE)
def test_no_text_of_theirs_is_pasted(found, text):
    """Whatever stands where a text may stand, it isn't in the comment."""
    hostile = Comparison.model_validate_json(json.dumps(replaced(found.model_dump(), text)))
    assert text in hostile.model_dump_json() or json.dumps(text)[1:-1] in hostile.model_dump_json()

    told = page(hostile)

    assert text not in told
    assert not re.search(r"evil|alert|pwned|everyone|secrets|Merge", told)
    assert set(re.findall(r"<[^ ][^>]*>", told)) <= {"<details>", "<summary>", "</summary>", "</details>"}
    assert "@" not in told
    assert "http" not in told


@pytest.mark.parametrize("text", HOSTILE)
def test_values_of_known_names_are_no_way_in(found, text):
    """A setting's or a table's value, a figure's words."""
    row = found.table[2].model_copy(update={"name": text, "unit": text, "better": text})
    change = found.parameters[0].model_copy(update={"what": "train.network", "a": text, "b": "lstm"})
    table = found.data[0].model_copy(update={"a": text})
    hostile = found.model_copy(update={"table": [row], "parameters": [change], "data": [table]})

    told = page(hostile)

    assert text not in told
    assert "`train.network` other \N{RIGHTWARDS ARROW} other" in told
    assert "skill over the benchmark" in told


def test_values_that_are_numbers_are_shown(found):
    """As a setting's or a hash's may be; a list isn't."""
    values = ["0.0003", "-1", "1e-05", "true", "13,600", "deadbeef", "[1, 2]", "1" * 30, "2022-01-01"]
    changes = [
        found.parameters[0].model_copy(update={"what": "train.units", "a": value, "b": value})
        for value in values
    ]

    made = vouched(found.model_copy(update={"parameters": changes}), SETTINGS, CODE)

    assert [each.a for each in made.parameters] == [*values[:6], "other", "other", "other"]


def test_what_is_unknown_is_counted(found):
    """So that nobody takes the list for all."""
    code = ["stages/train/networks.py", "stages/<script>.py", "../../etc/passwd"]
    change = found.parameters[0].model_copy(update={"what": "train.layers"})
    told = page(found.model_copy(update={"code": code, "parameters": [change]}))

    assert "In the job's summary alone: 1 settings, 2 files of code, 1 notes." in told
    assert "passwd" not in told


def test_a_verdict_of_odd_numbers_is_none(found):
    """A signal of 7 has no word."""
    rows = [row.model_copy(update={"a": 7.0}) if row.key == "test.signal" else row for row in found.table]

    assert "- base: direction, no verdict" in page(found.model_copy(update={"table": rows}))


def test_a_comment_fits_where_it_is_posted(found):
    """Many times over. One that a hostile comparison makes doesn't, and post.py refuses it."""
    row, change = found.table[2], found.parameters[0].model_copy(update={"what": "train.units"})
    numbers = dict.fromkeys(["a", "b", "difference", "lo", "hi"], -1.23456789e-300)
    groups = [found.rest[0].model_copy(update={"rows": [row.model_copy(update=numbers)] * 200})] * 4
    long = found.model_copy(
        update={
            "parameters": [change] * 200,
            "code": ["stages/train/networks.py"] * 500,
            "rest": groups,
            "table": [row.model_copy(update=numbers)] * 12,
        }
    )
    fields = json.loads(long.model_dump_json())

    Comparison.model_validate_json(json.dumps(fields))

    assert len(page(long)) > LONGEST  # so post.py must refuse it
    assert len(page(found)) < LONGEST / 4


def test_the_mark_is_the_same_for_writer_and_poster():
    """post.py imports nothing of the project."""
    assert MARK == MARK_OF_POST


@pytest.mark.parametrize(
    "text",
    [
        "",
        "null",
        "[]",
        "{}",
        "{" * 100_000,
        "[" * 100_000,
        "\x00",
        "\ufeff{}",
        '{"schema_version": 1}',
        "<script>alert(1)</script>",
        "x" * (LARGEST + 1),
    ],
    ids=lambda text: text[:12],
)
def test_what_is_no_comparison_is_refused_in_a_line(tmp_path, text):
    """And nothing of it is repeated."""
    path = tmp_path / "comparison.json"
    path.write_text(text, encoding="utf-8")

    with pytest.raises(InputError) as caught:
        read(path)

    assert "a comparison must " in str(caught.value)
    assert "script" not in str(caught.value)
    assert len(str(caught.value)) < 200


@pytest.mark.parametrize(
    "number", ["NaN", "Infinity", "-Infinity", "1e999", '"1"', "true", "[1]", "1" + "0" * 400]
)
@pytest.mark.parametrize("field", ["gain", "p", "worth", "common_rows"])
def test_a_number_that_is_none_is_refused(tmp_path, found, number, field):
    """As Python's own reader of JSON would take some."""
    text = re.sub(rf'"{field}":[^,]+', lambda _: f'"{field}":{number}', found.model_dump_json(), count=1)
    path = tmp_path / "comparison.json"
    path.write_text(text, encoding="utf-8")

    with pytest.raises(InputError, match="received one with"):
        read(path)


def test_a_file_that_is_not_there_is_told(tmp_path):
    """The other job may have failed."""
    with pytest.raises(InputError, match="a comparison must be a file"):
        read(Path(tmp_path / "none.json"))

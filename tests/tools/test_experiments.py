import csv
import io
from typing import Any

import pytest

from tools import experiments as tool
from tools.experiments import FIGURES, WIDTH, Row, as_csv, as_markdown, as_text, differing, in_order
from tools.workspace import WORKSPACE

SETTINGS = {"task": "direction", "label.horizon": 14, "train.units": 32}


def figures(**changes: float) -> dict[str, float]:
    """The figures of a long test without a signal."""
    return dict.fromkeys(FIGURES, 0) | {"skill_pct": 1.234, "skill_lo": -2.0, "skill_hi": 3.0} | changes


def row(name: str = "bold-ant", state: str = "", parent: str = "1a2b3c4", **settings: Any) -> Row:
    """An experiment; `settings`: their names with two underscores for a dot."""
    own = {key.replace("__", "."): value for key, value in settings.items()}
    return Row(name, parent, state, SETTINGS | own, {} if state else figures())


def lines(rows: list[Row]) -> list[list[str]]:
    """The words of each line."""
    return [line.split() for line in as_text(rows).splitlines()]


def test_only_settings_that_differ_are_shown():
    """And the task always, for it is a column of its own."""
    rows = [row("one", label__horizon=4), row("two", label__horizon=24)]

    assert differing(rows) == ["label.horizon"]
    assert lines(rows)[0][-2:] == ["Sharpe", "horizon"]
    assert [line[-1] for line in lines(rows)[1:]] == ["4", "24"]


def test_a_setting_of_the_other_task_is_no_difference():
    """A row that lacks it has no value of it; among those that have it, it may differ."""
    rows = [row("one", label__direction__up_atr=1.5), row("two", task="volatility")]

    assert differing(rows) == []
    assert differing([*rows, row("three", label__direction__up_atr=2.0)]) == ["label.direction.up_atr"]
    assert differing([row("one"), row("two", task="volatility")]) == []


def test_a_setting_is_called_by_its_last_name_if_no_other_is():
    """Nor a column: `-S` takes the whole name, which Markdown and CSV have."""
    rows = [
        row("one", evaluate__seed=1, fetch__simulated__seed=1, label__horizon=4),
        row("two", evaluate__seed=2, fetch__simulated__seed=2, label__horizon=5),
    ]
    text = as_text(rows)

    assert "evaluate.seed" in text
    assert "fetch.simulated.seed" in text
    assert "label.horizon" not in text
    assert "| label.horizon |" in as_markdown(rows)


def test_a_grid_stays_in_order():
    """By task, then by settings, numbers by their size; whatever the experiments are called."""
    grid = [
        row(name, task=task, label__horizon=horizon)
        for name, task, horizon in (
            ("a", "volatility", 14),
            ("b", "direction", 14),
            ("c", "direction", 4),
            ("d", "volatility", 4),
        )
    ]

    assert [each.name for each in in_order(grid)] == ["c", "b", "d", "a"]
    assert in_order(grid) == in_order(grid[::-1])


@pytest.mark.parametrize(
    ("changes", "verdicts"),
    [
        ({"signal": 1, "edge": -1}, ["1", "-1"]),
        ({"too_short": 1}, ["short", "short"]),
        ({}, ["0", "0"]),
    ],
    ids=str,
)
def test_verdicts_are_told_unless_the_test_is_too_short(changes, verdicts):
    """Skill and edge come with their intervals."""
    rows = [Row("one", settings=SETTINGS, figures=figures(**changes)), row("two")]

    assert lines(rows)[1][2:4] == verdicts
    assert "1.23 [-2.00, 3.00]" in as_text(rows)


@pytest.mark.parametrize("state", ["queued", "running", "failed", "not run"])
def test_what_has_no_figures_says_why(state):
    """In place of the verdicts; a commit without results has a dash."""
    rows = [row("one", state), Row("two", settings=SETTINGS), row("three")]

    assert " ".join(lines(rows)[1][2:]).startswith(f"{state} - - -")
    assert lines(rows)[2][2:] == ["-"] * 5


def test_commits_are_shown_where_they_are_several():
    """Of a single one there is nothing to say."""
    here, there = row("one"), row("two", parent="5d6e7f8")

    assert "1a2b3c4" not in as_text([here, here])
    assert lines([here, there])[0][1] == "of"
    assert [line[1] for line in lines([here, there])[1:]] == ["1a2b3c4", "5d6e7f8"]


@pytest.mark.parametrize("n_settings", [1, 3, 10, 40])
@pytest.mark.parametrize("longest_name", [5, 70])
def test_no_line_is_too_long_and_nothing_is_cut(n_settings, longest_name):
    """However many settings differ, however long names and figures are: what has no room stands below."""
    long = {name: -1234.567 for name in FIGURES if name.endswith(("pct", "lo", "hi"))}
    rows = [
        Row(
            f"{k}" * longest_name,
            parent,
            settings=SETTINGS | {f"block.setting_{n}": f"value-{k}-{n}" for n in range(n_settings)},
            figures=figures(**long),
        )
        for k, parent in enumerate(("1a2b3c4", "5d6e7f8", "5d6e7f8"))
    ]

    text = as_text(rows)

    assert max(map(len, text.splitlines())) <= WIDTH
    for k in range(3):
        assert text.count(str(k)) >= longest_name
        assert all(f"value-{k}-{n}" in text for n in range(n_settings))


def test_settings_that_have_room_are_columns():
    """A long list doesn't push the others below the rows."""
    groups = ["returns", "ranges", "momentum", "volume", "clock"]
    rows = [
        row("one", label__horizon=4, featurize__groups=groups),
        row("two", featurize__groups=groups[:1]),
    ]
    text = as_text(rows).splitlines()

    assert text[0].endswith("horizon")
    assert text[1].endswith(" 4")
    assert text[2] == "    groups=[returns, ranges, momentum, volume, clock]"


def test_markdown_has_a_cell_for_everything():
    """Also where a value has a bar of its own."""
    header, rule, *body = as_markdown(
        [row("one", train__network="a|b"), row("two", train__network="lstm")]
    ).splitlines()

    assert header.startswith("| experiment | task |")
    assert set(rule) == set("| -")
    assert r"| a\|b |" in body[0]
    assert body[1].count("|") == header.count("|")


def test_csv_has_figures_in_full():
    """And settings as they would be given to `-S`."""
    rows = [row("one", featurize__windows=[1, 4]), row("two", "failed", featurize__windows=[1])]

    first, second = csv.DictReader(io.StringIO(as_csv(rows)))

    assert float(first["skill_pct"]) == 1.234
    assert first["featurize.windows"] == "[1, 4]"
    assert (second["state"], second["skill_pct"]) == ("failed", "")


def test_without_experiments_it_says_how_to_begin():
    """Below the workspace and HEAD."""
    first = [row("workspace", parent=""), row("HEAD", parent="")]

    assert "No experiments yet; `dvc exp run -S task=volatility` makes one." in as_text(first)
    assert "No experiments" not in as_text([*first, row()])


@pytest.mark.parametrize("value", ["two\nlines", "\x1b[31mred", None, True, 5e-05])
def test_a_value_takes_one_line(value):
    """Whatever params.yaml had in it."""
    text = as_text([row("one", label__horizon=value), row("two")])

    assert len(text.splitlines()) == 3
    assert text.replace("\n", "").isprintable()


@pytest.mark.parametrize(
    "line", ["fetch:", "fetch: 1", "fetch: {end: 2022-02-30}", "1: 2", "fetch: {1: {2: 3}}", "[", "1"]
)
def test_a_params_yaml_that_is_being_edited_is_no_obstacle(tmp_path, monkeypatch, line):
    """What it says so far is shown, or nothing; the experiments are there all the same."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "params.yaml").write_text(f"{line}\n", encoding="utf-8")

    text = as_text([row(), tool.read_row(WORKSPACE, WORKSPACE)])

    assert "workspace" in text


@pytest.mark.parametrize(("options", "status"), [(["--help"], 0), (["--bogus"], 2), (["--md", "--csv"], 2)])
def test_options_are_answered(monkeypatch, options, status):
    """What isn't one is refused before anything is read."""
    monkeypatch.setattr("sys.argv", ["experiments", *options])

    with pytest.raises(SystemExit) as caught:
        tool.main()
    assert caught.value.code == status

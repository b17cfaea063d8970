"""All experiments in one table that fits a terminal: `make experiments`, or `python -m tools.experiments`.

The workspace, HEAD, and each experiment of any commit: its task, the verdicts, skill and edge in percent
with their 90 % intervals, the net Sharpe ratio, and those settings that the rows don't share. In place of
the verdicts stands `queued`, `running` or `failed`; `not run`, where params.yaml isn't what made the
results; and `short`, where the test is too short for verdicts. docs/metrics.md explains the figures.
"""

import argparse
import textwrap
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import pandas as pd
from dvc.repo import Repo
from dvc.repo.experiments.utils import exp_refs

from stages.common.errors import run
from stages.evaluate.subject import settings_of, shown
from tools import markdown
from tools.workspace import WORKSPACE, made_by, open_repo, values_at

WIDTH = 120
GAP = "  "
SHORTEST_NAME = 12  # before settings have to stand below the rows
FIGURES = [
    *("signal", "edge", "too_short"),
    *("skill_pct", "skill_lo", "skill_hi", "edge_pct", "edge_lo", "edge_hi", "net_sharpe"),
]
NAME = "experiment"
WORDS = ("of", "task")  # columns that begin at their left
HEADER = ["task", "signal", "edge", "skill % [90 %]", "edge % [90 %]", "Sharpe"]

Cells = list[str]


class Row(NamedTuple):
    """An experiment, the workspace or HEAD: the commit it is of, its settings and the test's figures.

    `state`: why there are no figures, or nothing.
    """

    name: str
    parent: str = ""
    state: str = ""
    settings: Mapping[str, Any] = {}
    figures: Mapping[str, float] = {}

    @property
    def task(self) -> str:
        """What was asked."""
        return str(self.settings.get("task", ""))

    def cell(self, key: str) -> str:
        """A setting as it is shown; nothing where the row hasn't got it."""
        return shown(self.settings[key]) if key in self.settings else ""


def main() -> None:
    """Print the table: as text, Markdown or CSV."""
    parser = argparse.ArgumentParser(prog="python -m tools.experiments", description=__doc__)
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--md", dest="write", action="store_const", const=as_markdown, help="as Markdown")
    form.add_argument("--csv", dest="write", action="store_const", const=as_csv, help="as CSV, unrounded")
    options = parser.parse_args()
    with open_repo() as repo:
        rows = read_rows(repo)
    print((options.write or as_text)(rows), end="")


def read_rows(repo: Repo) -> list[Row]:
    """The workspace, HEAD, and all experiments by task and settings, those that wait or failed, too."""
    queue = repo.experiments.celery_queue
    entries = {
        "queued": queue.iter_queued(),
        "running": queue.iter_active(),
        "failed": (done.entry for done in queue.iter_failed()),
    }
    rows = [read_row(str(each), each.name, each.baseline_sha) for each in exp_refs(repo.scm)]
    rows += [
        read_row(each.stash_rev, each.name, each.baseline_rev, state)
        for state, those in entries.items()
        for each in those
    ]
    return [*(read_row(name, name) for name in (WORKSPACE, "HEAD")), *in_order(rows)]


def read_row(revision: str, name: str, parent: str = "", state: str = "") -> Row:
    """A commit's row, or the workspace's; without figures where dvc.lock has other settings."""
    settings = settings_of(values_at(revision, "params.yaml"))
    # What waits or failed has its parent's dvc.lock and metrics.
    made = {} if state else made_by(revision)
    if parent:  # params.yaml may have been edited for the next one while it ran
        settings |= made
    elif any(settings.get(key, value) != value for key, value in made.items()):
        state = "not run"
    test = {} if state else values_at(revision, "results/metrics.json").get("test", {})
    return Row(name, parent[:7], state, settings, test if all(key in test for key in FIGURES) else {})


def in_order(rows: Sequence[Row]) -> list[Row]:
    """Rows by task, then by the settings that they don't share: a grid stays one."""
    keys = differing(rows)
    return sorted(
        rows,
        key=lambda row: (row.task, [by_size(row.settings.get(key, "")) for key in keys], row.name),
    )


def by_size(value: Any) -> tuple[bool, float, str]:
    """Numbers by size, then all else by what is shown."""
    return (False, value, "") if isinstance(value, int | float) else (True, 0.0, shown(value))


def differing(rows: Sequence[Row]) -> list[str]:
    """The settings that have several values in the rows that have them, but for the task; in order."""
    values: dict[str, set[str]] = {}
    for row in rows:
        for key, value in row.settings.items():
            values.setdefault(key, set()).add(shown(value))
    return [key for key, found in values.items() if len(found) > 1 and key != "task"]


def columns_of(rows: Sequence[Row], keys: Sequence[str]) -> dict[str, Cells]:
    """Of each row name, task, figures and these settings, and its commit if they are of several."""
    several = len({row.parent for row in rows if row.parent}) > 1
    header = [NAME, *["of"] * several, *HEADER, *keys]
    lines = (
        [row.name, *[row.parent] * several, row.task, *figures_of(row), *map(row.cell, keys)]
        for row in rows
    )
    return dict(zip(header, map(list, zip(*lines, strict=True)), strict=True))


def figures_of(row: Row) -> Cells:
    """Verdicts, skill and edge with their intervals, and the net Sharpe ratio; or why there are none."""
    test = row.figures
    if not test:
        return [row.state or "-", "-", "-", "-", "-"]
    verdicts = ["short", "short"] if test["too_short"] else [str(test["signal"]), str(test["edge"])]
    gains = (
        f"{test[f'{name}_pct']:z.2f} [{test[f'{name}_lo']:z.2f}, {test[f'{name}_hi']:z.2f}]"
        for name in ("skill", "edge")
    )
    return [*verdicts, *gains, f"{test['net_sharpe']:z.2f}"]


def as_markdown(rows: Sequence[Row]) -> str:
    """The table as Markdown."""
    columns = columns_of(rows, differing(rows))
    return markdown.table(list(columns), zip(*columns.values(), strict=True)) + "\n"


def as_csv(rows: Sequence[Row]) -> str:
    """The table as CSV, with the figures as results/metrics.json has them."""
    keys = differing(rows)
    lines = [
        [
            *(row.name, row.parent, row.state, row.task),
            *(row.figures.get(key, "") for key in FIGURES),
            *map(row.cell, keys),
        ]
        for row in rows
    ]
    table = pd.DataFrame(lines, columns=[NAME, "parent", "state", "task", *FIGURES, *keys], dtype=object)
    return table.to_csv(index=False, lineterminator="\n")


def as_text(rows: Sequence[Row]) -> str:
    """The table in lines of at most WIDTH: settings that don't fit beside the rows stand below each."""
    names = short_names(differing(rows))
    columns = {names.get(key, key): cells for key, cells in columns_of(rows, list(names)).items()}
    sizes = {name: max(map(len, [name, *cells])) for name, cells in columns.items()}
    beside = fitting(sizes, list(names.values()))
    below = {key: name for key, name in names.items() if name not in beside}
    head, *lines = aligned({name: cells for name, cells in columns.items() if name in beside}, sizes)
    text = "".join(line + settings_below(row, below) for line, row in zip(lines, rows, strict=True))
    if {row.name for row in rows} <= {WORKSPACE, "HEAD"}:
        text += "No experiments yet; `dvc exp run -S task=volatility` makes one.\n"
    return head + text


def short_names(keys: Sequence[str]) -> dict[str, str]:
    """Each setting's name within its block, where no other has the same."""
    within = {key: key.rpartition(".")[2] for key in keys}
    count = Counter([*within.values(), NAME, "of", *HEADER])
    return {key: name if count[name] == 1 else key for key, name in within.items()}


def fitting(sizes: Mapping[str, int], settings: Cells) -> Cells:
    """The columns that have room beside the names: of `settings` the narrowest, as many as may be."""
    chosen = [name for name in sizes if name not in settings]
    for name in sorted(settings, key=lambda name: sizes[name]):
        if room_for_names(sizes, [*chosen, name]) >= min(SHORTEST_NAME, sizes[NAME]):
            chosen.append(name)
    return chosen


def room_for_names(sizes: Mapping[str, int], columns: Iterable[str]) -> int:
    """What the other columns leave of WIDTH for the names."""
    return WIDTH - sum(len(GAP) + sizes[name] for name in columns if name != NAME)


def aligned(columns: Mapping[str, Cells], sizes: Mapping[str, int]) -> Cells:
    """Lines of equal columns, the header first; a name that is too long goes on below."""
    room = max(room_for_names(sizes, columns), 1)
    names = [textwrap.wrap(name, room) or [""] for name in [NAME, *columns[NAME]]]
    width = max(len(part) for parts in names for part in parts)
    padded = [
        [cell.ljust(sizes[name]) if name in WORDS else cell.rjust(sizes[name]) for cell in [name, *cells]]
        for name, cells in columns.items()
        if name != NAME
    ]
    text = []
    for parts, others in zip(names, zip(*padded, strict=True), strict=True):
        first = GAP.join([parts[0].ljust(width), *others])
        text.append("".join(f"{part.rstrip()}\n" for part in [first, *parts[1:]]))
    return text


def settings_below(row: Row, names: Mapping[str, str]) -> str:
    """`key=value` of the row's settings of these names, in lines of their own."""
    pairs = [f"{name}={shown(row.settings[key])}" for key, name in names.items() if key in row.settings]
    if not pairs:
        return ""
    return textwrap.fill(GAP.join(pairs), WIDTH, initial_indent="    ", subsequent_indent="    ") + "\n"


if __name__ == "__main__":
    run(main)

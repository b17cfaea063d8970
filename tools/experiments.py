"""All experiments in one table that fits a terminal: `make experiments`, or `python -m tools.experiments`.

The workspace, HEAD, and each experiment of any commit: its task, the verdicts, skill and edge in percent
with their 90 % intervals, the net Sharpe ratio, and those settings that the rows don't share. In place of
the verdicts stands `queued`, `running` or `failed`; `not run`, where params.yaml isn't what made the
results; and `short`, where the test is too short for verdicts. docs/metrics.md explains the figures.
"""

import argparse
import csv
import io
import textwrap
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from dvc.repo import Repo
from dvc.repo.experiments.utils import exp_refs

from stages.common.errors import run
from stages.evaluate.subject import Settings, settings_of, shown
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
HEADER = ["task", "signal", "edge", "skill % [90 %]", "edge % [90 %]", "Sharpe"]

Cells = list[str]


@dataclass(frozen=True)
class Row:
    """An experiment, the workspace or HEAD: the commit it is of, its settings and the test's figures.

    `state`: why there are no figures, or nothing.
    """

    name: str
    parent: str = ""
    state: str = ""
    settings: Settings = field(default_factory=dict)
    figures: Mapping[str, float] = field(default_factory=dict)

    @property
    def task(self) -> str:
        """What was asked."""
        return str(self.settings.get("task", ""))


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
    return [*(unless_changed(read_row(name, name), name) for name in (WORKSPACE, "HEAD")), *in_order(rows)]


def read_row(revision: str, name: str, parent: str = "", state: str = "") -> Row:
    """A commit's row, or the workspace's."""
    settings = settings_of(values_at(revision, "params.yaml"))
    if parent and not state:  # params.yaml may have been edited for the next one while it ran
        settings |= made_by(revision)
    # What waits or failed has its parent's metrics.
    test = {} if state else values_at(revision, "results/metrics.json").get("test", {})
    return Row(name, parent[:7], state, settings, test if all(key in test for key in FIGURES) else {})


def unless_changed(row: Row, revision: str) -> Row:
    """The row, without figures where other settings made them, as dvc.lock has it."""
    changed = any(row.settings.get(key, value) != value for key, value in made_by(revision).items())
    return replace(row, state="not run", figures={}) if changed else row


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


def cells(rows: Sequence[Row], keys: Sequence[str]) -> tuple[Cells, list[Cells]]:
    """A header, and of each row name, task, figures and settings; its commit, if they are of several."""
    several = len({row.parent for row in rows if row.parent}) > 1
    body = [
        [
            *[row.name, *[row.parent] * several, row.task, *figures_of(row)],
            *(shown(row.settings[key]) if key in row.settings else "" for key in keys),
        ]
        for row in rows
    ]
    return [NAME, *["of"] * several, *HEADER, *keys], body


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
    header, body = cells(rows, differing(rows))
    return markdown.table(header, body) + "\n"


def as_csv(rows: Sequence[Row]) -> str:
    """The table as CSV, with the figures as results/metrics.json has them."""
    keys = differing(rows)
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([NAME, "parent", "state", "task", *FIGURES, *keys])
    for row in rows:
        figures = [row.figures.get(key, "") for key in FIGURES]
        settings = [shown(row.settings[key]) if key in row.settings else "" for key in keys]
        writer.writerow([row.name, row.parent, row.state, row.task, *figures, *settings])
    return text.getvalue()


def as_text(rows: Sequence[Row]) -> str:
    """The table in lines of at most WIDTH: settings that don't fit beside the rows stand below each."""
    keys = differing(rows)
    names = short_names(keys)
    beside = fitting(rows, keys, names)
    below = {key: names[key] for key in keys if key not in beside}
    header, body = cells(rows, beside)
    head, *lines = aligned([names.get(name, name) for name in header], body)
    text = "".join(line + settings_below(row, below) for line, row in zip(lines, rows, strict=True))
    if {row.name for row in rows} <= {WORKSPACE, "HEAD"}:
        text += "No experiments yet; `dvc exp run -S task=volatility` makes one.\n"
    return head + text


def short_names(keys: Sequence[str]) -> dict[str, str]:
    """Each setting's name within its block, where no other has the same."""
    within = {key: key.rpartition(".")[2] for key in keys}
    count = Counter([*within.values(), *HEADER])
    return {key: name if count[name] == 1 else key for key, name in within.items()}


def fitting(rows: Sequence[Row], keys: Sequence[str], names: Mapping[str, str]) -> Cells:
    """The settings that have room beside the rows, as many as may be; in their order."""
    enough = min(SHORTEST_NAME, max(len(name) for name in [NAME, *(row.name for row in rows)]))
    chosen: Cells = []
    for key in sorted(keys, key=lambda key: max(map(len, column_of(rows, key, names)))):
        header, body = cells(rows, [*chosen, key])
        if room_for_names([names.get(name, name) for name in header], body) >= enough:
            chosen.append(key)
    return [key for key in keys if key in chosen]


def column_of(rows: Sequence[Row], key: str, names: Mapping[str, str]) -> Cells:
    """A setting's name, and what each row has of it."""
    return [names[key], *(shown(row.settings[key]) for row in rows if key in row.settings)]


def room_for_names(header: Cells, body: Sequence[Cells]) -> int:
    """What the other columns leave of WIDTH for the names."""
    others = zip(*(line[1:] for line in [header, *body]), strict=True)
    return WIDTH - sum(len(GAP) + max(map(len, column)) for column in others)


def aligned(header: Cells, body: Sequence[Cells]) -> list[str]:
    """Lines of equal columns, the header first; a name that is too long goes on below."""
    room = max(room_for_names(header, body), 1)
    lines = [header, *body]
    names = [textwrap.wrap(line[0], room) or [""] for line in lines]
    width = max(len(part) for parts in names for part in parts)
    columns = [max(map(len, column)) for column in zip(*lines, strict=True)]
    n_left = header.index("task") + 1
    text = []
    for parts, line in zip(names, lines, strict=True):
        padded = [
            cell.ljust(size) if k < n_left else cell.rjust(size)
            for k, (cell, size) in enumerate(zip(line, columns, strict=True))
        ]
        first = GAP.join([parts[0].ljust(width), *padded[1:]])
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

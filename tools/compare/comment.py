"""A pull request's comment, from JSON that nobody vouches for: `make comment JSON=comparison.json`.

Whoever opens a pull request decides what its job writes, and the comment is posted by a job that may write.
So this takes numbers, and words that this side knows: keys of figures, settings and files of its own code.
All other text is left out. What isn't as docs/compare.schema.json has it is refused.
"""

import argparse
import re
from collections.abc import Container, Mapping, Sequence
from pathlib import Path
from typing import Literal

from pydantic import ValidationError

from stages.common.errors import InputError, run
from stages.common.settings import read_settings
from stages.common.task import TASKS
from stages.evaluate.subject import flat
from stages.evaluate.verdict import EDGE, SIGNAL, in_words
from tools.compare.changes import DATA
from tools.compare.comparison import Changed, Comparison, Group, Row, Run, figures_of, words
from tools.compare.forms import as_markdown
from tools.compare.side import DEFAULTS

LARGEST = 1_000_000  # bytes; a page of all figures has some 30,000
MARK = "<!-- barometer: compare -->"  # by which the next run finds the comment again
PLAIN = re.compile(r"-?[0-9][0-9,]{0,15}(\.[0-9]{1,15})?(e-?[0-9]{1,3})?|true|false|[0-9a-f]{8}|")
OTHER = "other"


def main() -> None:
    """Print the comment."""
    parser = argparse.ArgumentParser(prog="python -m tools.compare.comment", description=__doc__)
    parser.add_argument("json", type=Path, help="what tools.compare --json printed")
    found = read(parser.parse_args().json)
    code = {path.as_posix() for path in Path("stages").rglob("*.py")}
    print(f"{MARK}\n{as_markdown(vouched(found, flat(read_settings(str(DEFAULTS))), code))}", end="")


def read(path: Path) -> Comparison:
    """A comparison from its file. Raises InputError, without a word of what it holds, if it is none."""
    try:
        with path.open("rb") as file:
            text = file.read(LARGEST + 1)
        if len(text) > LARGEST:
            raise InputError(f"a comparison must have at most {LARGEST:,} bytes; received more.")
        return Comparison.model_validate_json(text)
    except OSError:
        raise InputError(f"a comparison must be a file, {path}; received none that can be read.") from None
    except ValidationError as error:
        raise InputError(
            "a comparison must be as docs/compare.schema.json says; received one with "
            f"{error.error_count()} faults."
        ) from None


def vouched(found: Comparison, settings: Container[str], code: Container[str]) -> Comparison:
    """The comparison without any text that this side doesn't know.

    `settings`, `code`: names of this side's settings and files of code.
    """
    rows = {row.key: row for row in [*found.table, *(row for group in found.rest for row in group.rows)]}
    a, b = named(found.a, rows, "a"), named(found.b, rows, "b")
    ours = [path for path in found.code if path in code]
    parameters = changed(found.parameters, settings)
    unknown = {
        "settings": len(found.parameters) - len(parameters),
        "files of code": len(found.code) - len(ours),
        "notes": len(found.notes),
    }
    more = ", ".join(f"{n} {what}" for what, n in unknown.items() if n)
    return found.model_copy(
        update={
            "a": a,
            "b": b,
            "parameters": parameters,
            "data": changed(found.data, {"test rows", *DATA.values()}),
            "code": ours,
            "notes": [f"In the job's summary alone: {more}."] if more else [],
            "table": known(found.table, a.task, b.task),
            "rest": [Group(name=of.name, rows=known(of.rows, a.task, b.task)) for of in found.rest],
        }
    )


def named(of: Run, rows: Mapping[str, Row], side: Literal["a", "b"]) -> Run:
    """One of the two, by a name of this side's own; `rows`: all figures by key."""
    task = of.task if of.task in TASKS else ""
    signal, edge, short = (
        getattr(rows[key], side) if key in rows else None
        for key in ("test.signal", "test.edge", "test.too_short")
    )
    verdict = f"{task or 'a question that the base lacks'}, no verdict"
    if signal in SIGNAL and edge in EDGE:
        verdict = f"{task}: {in_words(signal=int(signal), edge=int(edge), too_short=bool(short))}"
    return Run(name={"a": "base", "b": "this change"}[side], revision="", task=task, verdict=verdict)


def changed(changes: Sequence[Changed], names: Container[str]) -> list[Changed]:
    """Those with a name of this side's, and their values where these are numbers, hashes or yes and no."""
    return [
        Changed(what=each.what, **{side: plain(getattr(each, side)) for side in ("a", "b")})
        for each in changes
        if each.what in names
    ]


def plain(value: str) -> str:
    """A value, if it is no text."""
    return value if PLAIN.fullmatch(value) else OTHER


def known(rows: Sequence[Row], *tasks: str) -> list[Row]:
    """The figures that this side knows, by its own words for them."""
    figures = {key: figure for task in tasks for key, figure in figures_of(task).items()}
    return [row.model_copy(update=words(figures[row.key])) for row in rows if row.key in figures]


if __name__ == "__main__":
    run(main)

"""The forms of a comparison: Markdown for a pull request, text for a terminal."""

from collections.abc import Iterator, Sequence

from stages.evaluate.significance import MIN_BLOCKS
from stages.evaluate.verdict import p_value
from tools import markdown
from tools.compare.comparison import Changed, Comparison, Row, Run

MARKS = {"higher": "\N{UPWARDS ARROW}", "lower": "\N{DOWNWARDS ARROW}", "neither": ""}
ARROW = "\N{RIGHTWARDS ARROW}"
LONGEST_LIST = 12  # of files, before the rest is counted


def as_markdown(found: Comparison) -> str:
    """The page of a pull request: at most twelve figures, and all others folded away."""
    parts = [
        f"## {found.verdict.capitalize()}",
        sentence(found),
        *beside(found),
        *changes(found, quote="`"),
        markdown.table(header(found), map(cells, found.table), n_left=1),
        *footnotes(found),
    ]
    for group in found.rest:
        table = markdown.table(header(found), map(cells, group.rows), n_left=1)
        summary = f"{group.name} ({len(group.rows)})"
        parts.append(f"<details><summary>{summary}</summary>\n\n{table}\n\n</details>")
    return "\n\n".join(parts) + "\n"


def as_text(found: Comparison, *, everything: bool) -> str:
    """The same for a terminal; all figures, or those to read first."""
    parts = [sentence(found), *beside(found), "\n".join(changes(found, quote=""))]
    parts += ["\n".join(aligned(found, found.table)), *footnotes(found)]
    if everything:
        parts += [
            "\n".join([f"{group.name}:", *aligned(found, group.rows, keys=True)]) for group in found.rest
        ]
    elif found.rest:
        counts = ", ".join(f"{len(group.rows)} {group.name}" for group in found.rest)
        parts.append(f"Other figures, raw differences without a test: {counts}; --all shows them.")
    return "\n\n".join(parts) + "\n"


def sentence(found: Comparison) -> str:
    """The answer with its figures."""
    answer, a, b = found.verdict.capitalize(), found.a.name, found.b.name
    if found.why:
        return f"{answer}: {found.why}."
    if found.identical:
        return f"{answer}: both forecasts are the same on all common rows; {length(found)}."
    assert found.gain is not None
    assert found.lo is not None
    assert found.hi is not None
    assert found.p is not None
    gain, lo, hi = found.gain, found.lo, found.hi
    if found.unit == "points of skill":
        other = "" if found.a.task == found.b.task else ", which asks another question"
        figure = f"{b} has {gain:+z.2f} points of skill over {a}{other}"
    elif gain >= 0:
        figure = f"{b} saves {gain:.2f} % of {a}'s loss"
    else:
        figure = f"{b} adds {-gain:.2f} % of {a}'s loss"
        lo, hi = -hi, -lo
    within = f" within \N{PLUS-MINUS SIGN}{found.worth:g}," if answer.startswith("No") else ""
    return f"{answer}: {figure} [{lo:z.2f}, {hi:z.2f}],{within} {p_value(found.p)}; {length(found)}."


def length(found: Comparison) -> str:
    """How much the answer rests on."""
    hours = f"{found.common_hours:,} common hours, {found.blocks:.1f} blocks"
    return hours if found.blocks >= MIN_BLOCKS else f"{hours}, where {MIN_BLOCKS} are needed"


def beside(found: Comparison) -> Iterator[str]:
    """What each run says of itself, how often these rows were looked at, and what to know."""
    yield "\n".join(f"- {run.name}{at(run)}: {run.verdict}" for run in (found.a, found.b))
    if found.a.revision and found.a.revision == found.b.revision:
        yield "Both are the same commit."
    if found.unit == "points of skill":
        yield (
            "The outcomes aren't the same, so losses are of different kinds: what is compared is the skill "
            "over each one's own benchmark, and what else both share."
        )
    if found.forecasts:
        adjusted = min(1.0, (found.p or 0.0) * found.forecasts)
        holm = "" if found.p is None else f"; p, adjusted by Holm's first step: {adjusted:.2g}"
        yield f"Forecasts scored on these test rows so far, in this workspace: {found.forecasts}{holm}."
    yield from found.notes


def at(run: Run) -> str:
    """Which commit it is."""
    return f" ({run.revision[:10]})" if run.revision not in ("", run.name) else ""


def changes(found: Comparison, *, quote: str) -> Iterator[str]:
    """What differs between the two; names of settings and files stand between `quote`s."""
    if not (found.parameters or found.data or found.code):
        yield "Changed: nothing. Parameters, data and code are the same."
        return
    parameters = [f"{quote}{each.what}{quote} {arrow(each)}" for each in found.parameters]
    data = [f"{each.what} {arrow(each)}" for each in found.data]
    code = [f"{quote}{path}{quote}" for path in found.code]
    for name, items in (("Parameters", parameters), ("Data", data), ("Code", code)):
        yield f"{name}: {in_short(items) or 'nothing differs'}"


def arrow(change: Changed) -> str:
    """Old and new."""
    return f"{change.a or 'none'} {ARROW} {change.b or 'none'}"


def in_short(items: Sequence[str]) -> str:
    """The first of them, and how many more there are."""
    more = f" and {len(items) - LONGEST_LIST} more" if len(items) > LONGEST_LIST else ""
    return ", ".join(items[:LONGEST_LIST]) + more


def header(found: Comparison) -> list[str]:
    """Of the tables."""
    return ["figure", found.a.name, found.b.name, "difference [90 %]", "better"]


def cells(row: Row) -> list[str]:
    """A figure in a line."""
    better = MARKS.get(row.better.partition(";")[0], row.better)
    return [f"{row.name} (`{row.key}`)", number(row.a), number(row.b), difference(row), better]


def difference(row: Row) -> str:
    """With its interval; ~ where that holds nil."""
    if row.difference is None:
        return "-"
    text = f"{row.difference:+z.3g}"
    if row.lo is None or row.hi is None or row.lo == row.hi == 0:
        return text
    return f"{'~ ' if row.lo <= 0 <= row.hi else ''}{text} [{row.lo:z.3g}, {row.hi:z.3g}]"


def number(value: float | None) -> str:
    """To four digits."""
    return "-" if value is None else f"{value:z.4g}"


def footnotes(found: Comparison) -> Iterator[str]:
    """Where figures are from, and why some have no interval."""
    if found.why:
        yield "No figure has an interval: each is of its run's own test."
    else:
        yield "With an interval: of the common rows; without: of each run's own test. ~: zero is in it."


def aligned(found: Comparison, rows: Sequence[Row], *, keys: bool = False) -> Iterator[str]:
    """Lines of equal columns, headed by names, or by keys."""
    lines = [header(found), *([row.key if keys else row.name, *cells(row)[1:]] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for line in lines:
        first, *others = (cell.ljust(width) for cell, width in zip(line, widths, strict=True))
        yield "  ".join([first, *others]).rstrip()

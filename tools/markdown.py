"""Tables as Markdown."""

from collections.abc import Iterable, Sequence


def table(header: Sequence[str], rows: Iterable[Sequence[str]], n_left: int | None = None) -> str:
    """A line a row, below the header; columns after the first `n_left`, if it is given, are of numbers."""
    rule = ["---" if n_left is None or k < n_left else "---:" for k in range(len(header))]
    lines = [header, rule, *([cell.replace("|", r"\|") for cell in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)

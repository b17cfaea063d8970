"""What is said while candles come."""

import sys
from typing import NoReturn

from tqdm import tqdm

LOG_SECONDS = 60.0  # between two lines of progress where no terminal is
LOG_LINE = (
    "{desc}: {n_fmt} of {total_fmt}{unit}, {percentage:.0f}%, {elapsed}, {remaining} left, {rate_fmt}\n"
)


def progress_bar(n_kept: int, n_asked: int) -> "tqdm[NoReturn]":
    """How many candles have come: a bar on a terminal, a line a minute in a log."""
    seen = sys.stderr.isatty()
    return tqdm(
        total=n_kept + n_asked,
        initial=n_kept,
        desc="fetch",
        unit=" candles",
        mininterval=0.1 if seen else LOG_SECONDS,
        bar_format=None if seen else LOG_LINE,
    )


def say(text: str) -> None:
    """A line for the log, above the bar that shows progress on a terminal."""
    if sys.stderr.isatty():
        tqdm.write(text, file=sys.stderr)
    else:
        print(text, file=sys.stderr, flush=True)

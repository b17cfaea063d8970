"""What is said while candles come."""

import sys

from tqdm import tqdm


def say(text: str) -> None:
    """A line for the log, above the bar that shows progress on a terminal."""
    if sys.stderr.isatty():
        tqdm.write(text, file=sys.stderr)
    else:
        print(text, file=sys.stderr, flush=True)

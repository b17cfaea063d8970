"""What every part of a download knows: what is asked for, by when, and where its pages are."""

from pathlib import Path
from typing import NamedTuple

import pandas as pd

from stages.common.bars import MONDAY
from stages.common.errors import InputError
from stages.fetch.exchange.pages import Span, kept_spans, missing_spans
from stages.fetch.grid import EPOCH, MILLISECOND, check_closed, grid, possible_grid
from stages.fetch.params import FetchParams

Parts = list[tuple[str, Span]]  # spans of symbols


class Job(NamedTuple):
    """The settings, the time that it is, and the folder of each symbol's pages."""

    params: FetchParams
    now: pd.Timestamp
    folders: dict[str, Path]

    @property
    def bar_ms(self) -> int:
        """A bar's length, in ms."""
        return self.params.bar // MILLISECOND

    @property
    def window(self) -> Span:
        """From the first time at which a bar may open to the first one at which none may."""
        between = possible_grid(self.params.bar)
        first, last = (
            (MONDAY - (MONDAY - time) // between * between - EPOCH) // MILLISECOND
            for time in (self.params.start_time, self.params.end_time)
        )
        return Span(first, last)

    def kept(self, symbol: str) -> list[Span]:
        """A symbol's pages that reach into the window, in time's order."""
        return kept_spans(self.folders[symbol], self.window)

    def missing(self) -> Parts:
        """What of the window isn't kept yet, in time's order."""
        return [
            (symbol, span)
            for symbol in self.folders
            for span in missing_spans(self.kept(symbol), self.window)
        ]


def check_window(job: Job) -> None:
    """Raise InputError unless the window has candles, and all are final, so that none can change.

    Of bars that open later than usual, only the exchange's answer can tell.
    """
    params = job.params
    if job.window.first == job.window.last:
        raise InputError(
            f"fetch.start and fetch.end must enclose a time at which a bar of {params.timeframe} opens; "
            f"received {params.start} and {params.end}."
        )
    between = grid(params.bar)
    last = MONDAY - (MONDAY - params.end_time) // between * between - between
    check_closed(pd.Series([last]), params, job.now)

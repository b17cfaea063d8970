"""The window of time that is asked for, in the bars that it holds."""

import pandas as pd

from stages.common.bars import bar_length
from stages.common.errors import InputError
from stages.fetch.exchange.pages import Span
from stages.fetch.grid import EPOCH, MILLISECOND, MONDAY, check_closed, grid, possible_grid
from stages.fetch.params import FetchParams


def check_window(params: FetchParams, now: pd.Timestamp) -> None:
    """Raise InputError unless the window has candles, and all are final, so that none can change.

    Of bars that open later than usual, only the exchange's answer can tell.
    """
    wanted = span_of(params)
    if wanted.first == wanted.last:
        raise InputError(
            f"fetch.start and fetch.end must enclose a time at which a bar of {params.timeframe} opens; "
            f"received {params.start} and {params.end}."
        )
    between = grid(bar_length(params.timeframe))
    last = MONDAY - (MONDAY - params.end_time) // between * between - between
    check_closed(pd.Series([last]), params, now)


def span_of(params: FetchParams) -> Span:
    """The window, from the first time at which a bar may open to the first one at which none may."""
    between = possible_grid(bar_length(params.timeframe))
    first, last = (
        (MONDAY - (MONDAY - time) // between * between - EPOCH) // MILLISECOND
        for time in (params.start_time, params.end_time)
    )
    return Span(first, last)

"""The window of time that is asked for, in the bars that it holds."""

import pandas as pd

from stages.common.bars import bar_length
from stages.common.errors import InputError
from stages.fetch.clean import MILLISECOND, MONDAY, grid_ms
from stages.fetch.exchange.pages import EPOCH, Span
from stages.fetch.params import FetchParams

TIME_TO_PUBLISH = pd.Timedelta("1min")  # that an exchange has for a candle that has closed


def check_window(params: FetchParams, now: pd.Timestamp) -> None:
    """Raise InputError unless the window has candles, and all are final, so that none can change."""
    bar, wanted = bar_length(params.timeframe), span_of(params)
    if wanted.first == wanted.last:
        raise InputError(
            f"fetch.start and fetch.end must enclose a time at which a bar of {params.timeframe} opens; "
            f"received {params.start} and {params.end}."
        )
    last_close = EPOCH + (wanted.last - grid_ms(bar)) * MILLISECOND + bar
    if last_close + TIME_TO_PUBLISH > now:
        raise InputError(
            "fetch.end must leave closed candles only, or the same setting means other candles tomorrow; "
            f"received {params.end}, and the candle before it closes at {last_close:%Y-%m-%dT%H:%M}."
        )


def span_of(params: FetchParams) -> Span:
    """The window, from the first time at which a bar may open to the first one at which none may."""
    grid = grid_ms(bar_length(params.timeframe)) * MILLISECOND
    first, last = (
        (MONDAY - (MONDAY - time) // grid * grid - EPOCH) // MILLISECOND
        for time in (params.start_time, params.end_time)
    )
    return Span(first, last)

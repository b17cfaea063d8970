"""A forecast at each close, for as long as it is wanted."""

import sys
from collections.abc import Callable

import pandas as pd

from stages.common.errors import InputError
from stages.fetch.grid import TIME_TO_PUBLISH
from tools.forecast.newest import closed_by

PAUSE = pd.Timedelta("30s")  # before it is tried again


def watch(
    tell: Callable[[pd.Timestamp], pd.Timestamp],
    bar: pd.Timedelta,
    clock: Callable[[], pd.Timestamp],
    sleep: Callable[[float], None],
) -> None:
    """Tell at each close, until Ctrl-C; where that can't be, say so, and try again.

    `tell` is given the time, and gives the last close; `clock` has it, `sleep` waits so many seconds.
    """
    while True:
        moment = clock()
        try:
            following = next_time(tell(moment), bar, moment)
        except InputError as error:
            following = min(next_time(closed_by(bar, moment), bar, moment), clock() + PAUSE)
            print(
                f"forecast: {error} Trying again at {following:%H:%M:%S} UTC.", file=sys.stderr, flush=True
            )
        sleep(max(0.0, (following - clock()).total_seconds()))


def next_time(close: pd.Timestamp, bar: pd.Timedelta, moment: pd.Timestamp) -> pd.Timestamp:
    """When the next candle after `moment` can be had; `close`: when any candle closed."""
    return close + ((moment - TIME_TO_PUBLISH - close) // bar + 1) * bar + TIME_TO_PUBLISH

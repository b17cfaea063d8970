"""Group `events`: what is known in advance to move the market."""

import numpy as np
import pandas as pd

from stages.common.arrays import Floats, Ints
from stages.common.calendar import EVENTS, NOTICE, is_holiday

LONG_AGO, FAR_AHEAD = np.array([["1900"], ["2200"]], "datetime64[ms]")  # beyond all candles, so never near


def event_features(
    candles: pd.DataFrame,
    _start: Ints,
    _windows: list[int],
    *,
    bar: pd.Timedelta,
    releases: pd.DataFrame | None,
) -> pd.DataFrame:
    """How near each kind of release is, and holidays; all 0 where `releases` is None.

    <event>_ahead: of the next release, NOTICE ahead at most, 1 / (1 + bars until it), so 1 where it falls
    in the next bar; <event>_behind: the same of the bars since the last one. holiday: 1 where the next bar
    opens on a federal holiday of the United States. Row t uses what was on a schedule at its close.
    """
    now = candles["close_time"]
    columns = {}
    for event in EVENTS:
        held = pd.DatetimeIndex([] if releases is None else releases["time"][releases["event"] == event])
        columns[f"{event}_ahead"], columns[f"{event}_behind"] = nearness(now, held, bar)
    columns["holiday"] = np.zeros(len(now)) if releases is None else is_holiday(now).astype(np.float64)
    return pd.DataFrame(columns)


def nearness(now: pd.Series, held: pd.DatetimeIndex, bar: pd.Timedelta) -> tuple[Floats, Floats]:
    """1 / (1 + whole bars) until the next of the moments `held`, and since the last; 0 of more than NOTICE.

    `held`: in order of time. Two arrays of shape (n_bars,).
    """
    unit, times = np.timedelta64(bar), now.to_numpy("datetime64[ms]")
    moments = np.concatenate([LONG_AGO, held.to_numpy("datetime64[ms]"), FAR_AHEAD])
    following = np.searchsorted(moments, times)
    ahead, behind = (
        np.where(away <= np.timedelta64(NOTICE), 1 / (1 + away // unit), 0.0)
        for away in (moments[following] - times, times - moments[following - 1])
    )
    return ahead, behind

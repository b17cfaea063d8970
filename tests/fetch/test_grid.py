from itertools import pairwise

import pandas as pd
from hypothesis import given, settings
from hypothesis import strategies as st

from stages.common.bars import bar_length
from stages.fetch.grid import gaps
from stages.fetch.params import FetchParams
from tests.fetch.conftest import fetch_settings

HOUR = pd.Timedelta("1h")
WEEK_BARS = 168
WEEK = FetchParams.model_validate(fetch_settings())
MONDAY = WEEK.start_time


def missing_times(open_time: pd.Series, params: FetchParams) -> list[list[pd.Timestamp]]:
    """The times at which no candle opens, each gap's in a list."""
    bar = bar_length(params.timeframe)
    found = gaps(open_time, params).to_dict("records")
    return [[gap["start"] + bar * k for k in range(gap["n_bars"])] for gap in found]


@given(present=st.lists(st.booleans(), min_size=WEEK_BARS, max_size=WEEK_BARS).filter(any))
@settings(deadline=None, max_examples=50)
def test_gaps_and_rows_make_the_whole(present: list[bool]):
    """Every hour of the window is in exactly one gap, or has a candle; no gap touches another."""
    window = pd.Series(pd.date_range(WEEK.start_time, WEEK.end_time, freq="h", inclusive="left"))
    found = window[present].reset_index(drop=True)

    missing = missing_times(found, WEEK)

    assert sorted([*found, *(time for gap in missing for time in gap)]) == window.to_list()
    assert all(before[-1] + HOUR < after[0] for before, after in pairwise(missing))


@given(
    timeframe=st.sampled_from(["1m", "15m", "1h", "4h", "1d", "3d", "1w"]),
    start_minute=st.integers(0, 20_000),
    n_minutes=st.integers(1, 40_000),
    data=st.data(),
)
@settings(deadline=None)
def test_gaps_lie_in_the_window_whatever_its_ends(
    timeframe: str, start_minute: int, n_minutes: int, data: st.DataObject
):
    """Also where ends or bars are off the usual grid, gaps and the candle between them are all it holds."""
    bar, minute = bar_length(timeframe), pd.Timedelta("1min")
    start = MONDAY + start_minute * minute
    end = start + n_minutes * minute
    phase = data.draw(st.integers(0, 3)) * bar / 4
    held = pd.date_range(MONDAY - bar + phase, end, freq=bar, inclusive="left")
    held = held[held >= start]
    if not len(held):
        return
    params = FetchParams.model_validate(
        fetch_settings(timeframe=timeframe, start=start.isoformat(), end=end.isoformat())
    )
    candle = held[data.draw(st.integers(0, len(held) - 1))]

    missing = missing_times(pd.Series([candle]), params)

    assert sorted([candle, *(time for gap in missing for time in gap)]) == held.to_list()


def test_a_step_longer_than_a_bar_is_no_gap_of_none():
    """Bars of three days may start on any day: where one starts a day later, no candle is missing."""
    params = FetchParams.model_validate(
        fetch_settings(timeframe="3d", start="2022-01-03", end="2022-01-16")
    )
    opens = pd.Series(pd.to_datetime(["2022-01-03", "2022-01-06", "2022-01-10", "2022-01-13"], utc=True))

    assert missing_times(opens, params) == []

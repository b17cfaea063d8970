import numpy as np
import pandas as pd
import pytest

from stages.featurize.clock import clock_features


def clock_of(*close_times: str) -> pd.DataFrame:
    """Clock columns of bars that close at these times (UTC)."""
    times = pd.to_datetime(list(close_times), utc=True).as_unit("ms")
    one_stretch = np.zeros(len(times), dtype=np.int64)
    return clock_features(pd.DataFrame({"close_time": times}), one_stretch, [])


def test_every_hour_of_the_week_is_told_apart():
    """All 168 hours differ from each other, and the same hour a week later is the same."""
    start = pd.Timestamp("2024-02-26", tz="UTC")
    clock = clock_of(*pd.date_range(start, periods=336, freq="h").astype(str)).to_numpy().round(9)

    assert len(np.unique(clock[:168], axis=0)) == 168
    np.testing.assert_array_equal(clock[:168], clock[168:])


def test_midnight_follows_the_hour_before():
    """23:00 and 0:00 are as near as 0:00 and 1:00: the clock has no seam, Sunday to Monday neither."""
    clock = clock_of("2024-03-03 23:00", "2024-03-04 00:00", "2024-03-04 01:00").drop(columns="weekend")
    before, after = np.linalg.norm(clock.diff().iloc[1:], axis=1)
    assert before == pytest.approx(after)


def test_monday_midnight_is_the_origin():
    """Both cycles start on Monday 00:00 UTC, at any timeframe."""
    monday, quarter = clock_of("2024-03-04 00:00", "2024-03-04 06:00").to_dict("records")
    assert monday["hour_of_day_sin_1"] == monday["hour_of_week_sin_1"] == 0
    assert monday["hour_of_day_cos_1"] == monday["hour_of_week_cos_1"] == 1
    assert quarter["hour_of_day_sin_1"] == pytest.approx(1)
    assert quarter["hour_of_day_cos_2"] == pytest.approx(-1)
    assert quarter["hour_of_week_sin_1"] == pytest.approx(np.sin(2 * np.pi * 6 / 168))


def test_the_weekend_is_that_of_the_bar_to_come():
    """Friday's last close is the weekend's beginning, Sunday's last one its end."""
    times = ("2024-03-01 23:00", "2024-03-02 00:00", "2024-03-03 23:00", "2024-03-04 00:00")
    assert clock_of(*times)["weekend"].tolist() == [0, 1, 1, 0]

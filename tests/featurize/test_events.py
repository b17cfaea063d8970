"""Releases and holidays, as they are known in advance."""

import numpy as np
import pandas as pd
import pytest
from pandas.testing import assert_frame_equal

from stages.common.calendar import EVENTS, NOTICE, read_releases
from stages.featurize.events import event_features
from tools.lookahead import check

HOUR = pd.Timedelta(hours=1)


def events_of(open_time: pd.DatetimeIndex, releases: pd.DataFrame | None, bar=HOUR) -> pd.DataFrame:
    """The group's columns of candles that open then."""
    candles = pd.DataFrame({"close_time": open_time + bar})
    return event_features(candles, np.zeros(len(candles), np.int64), [], bar=bar, releases=releases)


def hours(first: str, n: int) -> pd.DatetimeIndex:
    """So many hours."""
    return pd.date_range(first, periods=n, freq="h", tz="UTC", unit="ms")


def test_a_release_is_seen_coming_and_going():
    """The CPI of 2024-01-11 13:30: 1 in the row before its hour, ½ an hour earlier; after it the same."""
    table = events_of(hours("2024-01-11", 24), read_releases())
    by_close = table.set_index(hours("2024-01-11 01:00", 24).hour)
    assert by_close["cpi_ahead"][[11, 12, 13]].tolist() == [1 / 3, 1 / 2, 1.0]
    assert by_close["cpi_behind"][[14, 15, 16]].tolist() == [1.0, 1 / 2, 1 / 3]


@pytest.mark.parametrize("bar", ["1h", "1D", "7D"])
def test_only_a_weeks_notice_is_known(bar):
    """Not a bar more than NOTICE ahead, however long bars are; nor behind."""
    held = pd.Timestamp("2024-03-08 13:30", tz="UTC")
    releases = pd.DataFrame({"event": ["payrolls"], "time": [held]})
    open_time = pd.date_range("2024-02-12", "2024-04-01", freq=bar, tz="UTC", unit="ms")
    length = pd.Timedelta(bar)
    table = events_of(open_time, releases, length)
    until = held - (open_time + length)
    ahead, behind = table["payrolls_ahead"].to_numpy() > 0, table["payrolls_behind"].to_numpy() > 0
    assert (ahead == ((until >= pd.Timedelta(0)) & (until <= NOTICE))).all()
    assert (behind == ((until < pd.Timedelta(0)) & (-until <= NOTICE))).all()
    assert ahead.any()


@pytest.mark.parametrize("moved", ["dropped", "later"])
def test_a_release_that_is_not_yet_scheduled_changes_nothing(moved):
    """Neither dropping nor moving those further off than NOTICE touches a row."""
    releases, open_time = read_releases(), hours("2023-01-01", 24 * 60)
    now = open_time[-1] + HOUR
    unknown = releases["time"] > now + NOTICE
    later = releases["time"] + pd.Timedelta(days=3)
    other = (
        releases[~unknown]
        if moved == "dropped"
        else releases.assign(time=releases["time"].where(~unknown, later))
    )
    assert_frame_equal(events_of(open_time, other), events_of(open_time, releases), check_exact=True)


def test_holidays_are_new_yorks():
    """Of Thanksgiving 2024 the hours from midnight to midnight in New York, as bars to come."""
    table = events_of(hours("2024-11-27", 72), None)
    assert (table == 0).all(axis=None)
    known = events_of(hours("2024-11-27", 72), read_releases())
    close_time = hours("2024-11-27 01:00", 72)
    on = close_time[known["holiday"].to_numpy() == 1]
    assert (on[0], on[-1], len(on)) == (
        pd.Timestamp("2024-11-28 05:00", tz="UTC"),
        pd.Timestamp("2024-11-29 04:00", tz="UTC"),
        24,
    )
    assert list(table.columns) == [
        f"{event}_{side}" for event in EVENTS for side in ("ahead", "behind")
    ] + ["holiday"]


def test_lookahead_finds_a_leak_through_the_calendar(make_candles):
    """The bars until the next release, however far off, tell what was not on a schedule; ours don't."""
    candles, releases = make_candles(24 * 50), read_releases()

    def features(market: pd.DataFrame, known: pd.DataFrame | None) -> pd.DataFrame:
        assert known is not None
        sound = events_of(pd.DatetimeIndex(market["open_time"]), known)
        close_time = market["open_time"].reset_index(drop=True) + HOUR
        held = known.loc[known["event"] == "fomc", "time"].to_numpy("datetime64[ms]")
        now = close_time.to_numpy("datetime64[ms]")
        following = held[np.minimum(np.searchsorted(held, now), len(held) - 1)]
        return sound.assign(close_time=close_time, leaky=(following - now) / np.timedelta64(1, "h"))

    # By chance, and at each of 48 hours beside a week before payrolls.
    cuts = np.concatenate([np.arange(24 * 30, 24 * 50, 60), np.arange(24 * 24, 24 * 26)])
    found = check(features, candles, cuts, np.random.default_rng(1), releases)
    assert {difference.column for difference in found} == {"leaky"}

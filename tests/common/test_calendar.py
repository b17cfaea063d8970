"""Releases and holidays: what is known of them a week before."""

import pandas as pd
import pytest

from stages.common.calendar import EVENTS, NOTICE, is_holiday, known_until, near_release, read_releases
from stages.common.errors import InputError

HOUR = pd.Timedelta(hours=1)
TABLE = "date,time_new_york,event,scheduled\n2024-01-31,14:00,fomc,true\n2024-07-31,14:00,fomc,true\n"


@pytest.fixture(scope="module")
def releases() -> pd.DataFrame:
    """The table that the project has."""
    return read_releases()


def hours(first: str, last: str) -> pd.Series:
    """Opening times of hourly bars."""
    return pd.Series(pd.date_range(first, last, freq=HOUR, tz="UTC", unit="ms"))


def test_the_projects_table_has_what_its_page_says(releases):
    """Seven or eight statements and some twelve of the others a year, from 2017, none twice."""
    assert not releases.duplicated().any()
    assert releases["time"].is_monotonic_increasing
    by_year = pd.crosstab(releases["time"].dt.year, releases["event"]).loc[2017:2026]
    assert by_year["fomc"].between(7, 8).all()
    assert (by_year[["cpi", "payrolls"]] >= 10).all(axis=None)
    assert (by_year[["cpi", "payrolls"]] <= 12).all(axis=None)
    assert str(known_until(releases).date()) == "2027-12-03"
    assert set(releases["event"]) == set(EVENTS)


def test_times_follow_new_yorks_summer(tmp_path):
    """Two in the afternoon is 19:00 UTC in winter and 18:00 in summer."""
    path = tmp_path / "releases.csv"
    path.write_text(TABLE)
    assert read_releases(path)["time"].dt.hour.tolist() == [19, 18]


def test_what_was_not_on_the_schedule_is_not_known(tmp_path):
    """A statement that came out of the blue counts for nothing, nor does whether a release was held."""
    path = tmp_path / "releases.csv"
    path.write_text(TABLE.replace("fomc,true\n2024-07", "fomc,false\n2024-07"))
    assert read_releases(path)["time"].dt.month.tolist() == [7]


@pytest.mark.parametrize(
    ("old", "new", "line"),
    [
        ("2024-07-31", "2024-07-32", "line 3: time must be a date, as 2024-01-31"),
        ("2024-07-31,14:00", "2024-03-10,02:30", "line 3: time must be a date, as 2024-01-31"),
        ("14:00", "2 pm", "line 2: time must be a date, as 2024-01-31"),
        ("fomc", "ecb", "line 2: event must be one of cpi, fomc, payrolls; received 'ecb'."),
        ("true", "maybe", "line 2: scheduled must be true or false; received 'maybe'."),
        ("scheduled", "planned", "must have the columns date, time_new_york, event and scheduled"),
    ],
)
def test_a_table_that_is_none_is_one_clear_line(tmp_path, old, new, line):
    """File, line, rule and what arrived."""
    path = tmp_path / "releases.csv"
    path.write_text(TABLE.replace(old, new))
    with pytest.raises(InputError, match=line) as error:
        read_releases(path)
    assert "\n" not in str(error.value)


def test_a_release_marks_its_bar_and_the_two_beside_it():
    """Before, of and after, wherever within the bar it falls."""
    releases = pd.DataFrame({"event": ["cpi"], "time": [pd.Timestamp("2024-01-11 13:30", tz="UTC")]})
    bars = hours("2024-01-11 10:00", "2024-01-11 17:00")
    assert near_release(bars, HOUR, releases, "cpi").tolist() == [0, 0, 1, 2, 3, 0, 0, 0]
    assert not near_release(bars, HOUR, releases, "fomc").any()


@pytest.mark.parametrize(
    ("first", "last", "near"),
    [
        ("2024-01-11 14:00", "2024-01-11 16:00", [3, 0, 0]),
        ("2024-01-11 15:00", "2024-01-11 16:00", [0, 0]),
        ("2024-01-11 11:00", "2024-01-11 12:00", [0, 1]),
        ("2024-01-11 10:00", "2024-01-11 11:00", [0, 0]),
    ],
)
def test_releases_beyond_the_bars_mark_only_their_neighbours(first, last, near):
    """A bar beside one that isn't there is still beside the release."""
    releases = pd.DataFrame({"event": ["cpi"], "time": [pd.Timestamp("2024-01-11 13:30", tz="UTC")]})
    assert near_release(hours(first, last), HOUR, releases, "cpi").tolist() == near


def test_holidays_are_new_yorks_days():
    """The fourth of July lasts from midnight to midnight there; a Sunday's holiday is kept on Monday."""
    july = hours("2024-07-03 12:00", "2024-07-06 12:00")
    free = july[is_holiday(july)]
    assert (free.min(), free.max()) == (
        pd.Timestamp("2024-07-04 04:00", tz="UTC"), pd.Timestamp("2024-07-05 03:00", tz="UTC")
    )  # fmt: skip
    christmas = hours("2022-12-24", "2022-12-28")
    assert set(christmas[is_holiday(christmas)].dt.tz_convert("America/New_York").dt.day) == {26}


def test_every_scheduled_release_was_known_a_week_before(releases):
    """NOTICE is the promise of the column `scheduled`."""
    assert pd.Timedelta(days=7) == NOTICE
    surprises = pd.to_datetime(["2019-10-11", "2020-03-03", "2020-03-15", "2020-03-23", "2025-11-20"])
    assert not releases["time"].dt.tz_localize(None).dt.normalize().isin(surprises).any()

"""What is known in advance: releases on the United States' calendar, and their federal holidays.

us_releases.csv has the releases; docs/calendar.md says where they come from.
"""

from pathlib import Path

import numpy as np
import pandas as pd
from pandas.tseries.holiday import USFederalHolidayCalendar

from stages.common.arrays import Bools, Ints
from stages.common.errors import InputError, printable, shown

RELEASES = Path(__file__).with_name("us_releases.csv")
EVENTS = ("cpi", "fomc", "payrolls")
NEW_YORK = "America/New_York"
NOTICE = pd.Timedelta(days=7)  # each release counts from so long before: it was on a schedule by then


def read_releases(path: Path = RELEASES) -> pd.DataFrame:
    """Releases that were on the schedule NOTICE before: `event` and `time`, UTC, in order of time.

    Whether they were held then is known later, and counts for nothing. Raises InputError, naming file and
    line, where the table isn't one.
    """
    try:
        table = pd.read_csv(path, dtype=str)
        when = table["date"] + " " + table["time_new_york"]
        clock = pd.to_datetime(when, format="%Y-%m-%d %H:%M", errors="coerce")
        time = clock.dt.tz_localize(NEW_YORK, ambiguous="NaT", nonexistent="NaT")
        event, scheduled = table["event"], table["scheduled"]
    except (OSError, ValueError, KeyError) as error:
        raise InputError(
            f"{path.name} must have the columns date, time_new_york, event and scheduled; "
            f"received {printable(str(error))}."
        ) from None
    for values, sound, rule in (
        (event, event.isin(EVENTS), f"event must be one of {', '.join(EVENTS)}"),
        (when, time.notna(), "time must be a date, as 2024-01-31, and a time, as 08:30"),
        (scheduled, scheduled.isin(["true", "false"]), "scheduled must be true or false"),
    ):
        if not sound.all():
            first = int(np.argmin(sound))
            raise InputError(f"{path.name}, line {first + 2}: {rule}; received {shown(values[first])}.")
    utc = time.dt.tz_convert("UTC").astype("datetime64[ms, UTC]")
    releases = pd.DataFrame({"event": event, "time": utc})[scheduled == "true"]
    return releases.sort_values(["time", "event"], ignore_index=True)


def releases_of(events: str) -> pd.DataFrame | None:
    """The releases that `featurize.events` names; None where neither they nor holidays matter."""
    return read_releases() if events == "us_releases" else None


def known_until(releases: pd.DataFrame) -> pd.Timestamp:
    """The last moment up to which the table has every kind of release."""
    return releases.groupby("event")["time"].max().min()


def near_release(open_time: pd.Series, bar: pd.Timedelta, releases: pd.DataFrame, event: str) -> Ints:
    """0 of most bars, 2 of one in which such a release falls, 1 and 3 of those beside; shape (n_bars,).

    `open_time`: when each bar opens, in order, some missing or not.
    """
    moments = releases.loc[releases["event"] == event, "time"]
    place, held = ((times - open_time.iloc[0]) // bar for times in (open_time, moments))
    near = np.zeros(len(open_time), dtype=np.int64)
    for kind, shift in ((1, -1), (3, 1), (2, 0)):
        near[place.isin(held + shift)] = kind
    return near


def is_holiday(open_time: pd.Series) -> Bools:
    """Whether a bar opens on a federal holiday's working day, by New York's clock; shape (n_bars,)."""
    day = open_time.dt.tz_convert(NEW_YORK).dt.tz_localize(None).dt.normalize()
    holidays = USFederalHolidayCalendar().holidays(day.min(), day.max())
    return day.isin(holidays).to_numpy()

"""What an answer's headers say of time: what time it is there, and how long to wait."""

from collections.abc import Mapping
from email.utils import parsedate_to_datetime

import pandas as pd


def retry_after(headers: Mapping[str, str] | None) -> float | None:
    """Seconds that an answer's Retry-After asks to wait, or the time that it names is away; None without.

    Source: RFC 9110, section 10.2.3.
    """
    value = (headers or {}).get("Retry-After", "")
    if value.isdecimal():
        return float(value)
    time = date_in(headers, "Retry-After")
    if time is None:
        return None
    # By the clock of the one who names it, if it tells.
    return max(0.0, (time - (date_in(headers, "Date") or pd.Timestamp.now("UTC"))).total_seconds())


def date_in(headers: Mapping[str, str] | None, name: str) -> pd.Timestamp | None:
    """The time that one of an answer's headers tells, if it does."""
    try:
        time = pd.Timestamp(parsedate_to_datetime((headers or {}).get(name, "")))
    except (OverflowError, ValueError):
        return None
    return time.tz_localize("UTC") if time.tzinfo is None else time

"""What an answer's headers say of time: what time it is there, and how long to wait."""

from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import pandas as pd


def clock_of(exchange: Any) -> pd.Timestamp | None:
    """What time it was at the exchange when it last answered, as far as it says so."""
    time = date_in(exchange.last_response_headers, "Date")
    return None if time is None else pd.Timestamp(time)


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
    return max(0.0, (time - (date_in(headers, "Date") or datetime.now(UTC))).total_seconds())


def date_in(headers: Mapping[str, str] | None, name: str) -> datetime | None:
    """The time that one of an answer's headers tells, if it does."""
    try:
        time = parsedate_to_datetime((headers or {}).get(name, ""))
    except (OverflowError, ValueError):
        return None
    return time.replace(tzinfo=UTC) if time.tzinfo is None else time

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from stages.fetch.exchange.headers import retry_after


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        (None, None),
        ({}, None),
        ({"Retry-After": ""}, None),
        ({"Retry-After": "soon"}, None),
        ({"Retry-After": "²"}, None),
        ({"Retry-After": "Fri, 31 Dec 99999999999999999999 23:59:59 GMT"}, None),
        ({"Retry-After": "-5"}, None),
        ({"Retry-After": "0"}, 0),
        ({"Retry-After": "120"}, 120),
        ({"Retry-After": "Fri, 31 Dec 1999 23:59:59 GMT"}, 0),
    ],
)
def test_retry_after_in_seconds(headers: dict[str, str] | None, expected: float | None):
    """What is no number of seconds and no date asks for nothing."""
    assert retry_after(headers) == expected


def test_retry_after_as_a_date():
    """The seconds until then; by the exchange's own clock, if it says what time it is there."""
    now = datetime.now(UTC)
    soon = format_datetime(now + timedelta(seconds=90), usegmt=True)
    late = format_datetime(now - timedelta(hours=3), usegmt=True)

    found = retry_after({"Retry-After": soon})

    assert found is not None
    assert 85 < found <= 90
    assert retry_after({"Retry-After": soon, "Date": late}) == 3 * 3600 + 90

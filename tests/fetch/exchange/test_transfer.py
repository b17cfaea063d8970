import math
from collections.abc import Callable

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stages.common.errors import InputError
from stages.fetch.exchange.pages import Span
from stages.fetch.exchange.transfer import Rows, fetch_window, holds_rows, to_page

HOUR = pd.Timedelta("1h")
HOUR_MS = 3_600_000


class Exchange:
    """Answers with the rows of `opens`, in bars, as exchanges do that each have their own ways."""

    def __init__(
        self,
        opens: set[int],
        cap: int,
        *,
        newest_first: bool = False,
        off_by_one: bool = False,
        ignores_end: bool = False,
        early: int = 0,
        short_once: Callable[[int], bool] = lambda _: False,
        n_short: int = 0,
    ) -> None:
        """`cap` rows at once: the first or the newest; `early`: begins so many bars too early.

        `short_once`: which answers have `n_short` rows at the most, when first asked for.
        """
        self.opens, self.cap, self.newest_first = sorted(opens), cap, newest_first
        self.off_by_one, self.ignores_end, self.early = off_by_one, ignores_end, early
        self.short_once, self.n_short, self.asked = short_once, n_short, list[Span]()

    def rows(self, span: Span) -> Rows:
        """The answer to one request."""
        new = span not in self.asked
        self.asked.append(span)
        first, last = span.first - self.early + self.off_by_one, span.last - self.off_by_one
        inside = [time for time in self.opens if first <= time and (self.ignores_end or time < last)]
        kept = inside[-self.cap :] if self.newest_first and not self.ignores_end else inside[: self.cap]
        if new and self.short_once(len(self.asked)):
            kept = kept[: self.n_short]
        return [[time, 1.0, 1.0, 1.0, 1.0, 0.0] for time in kept]


@given(
    opens=st.sets(st.integers(-10, 70), max_size=60),
    length=st.integers(1, 40),
    cap=st.integers(6, 50),
    newest_first=st.booleans(),
    off_by_one=st.booleans(),
    ignores_end=st.booleans(),
    early=st.sampled_from([0, 0, 1, 2]),
    faults=st.sets(st.integers(1, 30)),
    n_short=st.integers(0, 3),
)
@settings(deadline=None, max_examples=500)
def test_every_row_is_found_whatever_the_exchange_does(
    opens: set[int],
    length: int,
    cap: int,
    faults: set[int],
    n_short: int,
    *,
    newest_first: bool,
    off_by_one: bool,
    ignores_end: bool,
    early: int,
):
    """Caps, bounds that are left out, ends that are ignored, gaps anywhere, answers empty or cut short."""
    exchange = Exchange(
        opens,
        cap,
        newest_first=newest_first,
        off_by_one=off_by_one,
        ignores_end=ignores_end,
        early=early,
        short_once=lambda number: number in faults,
        n_short=n_short,
    )

    found = {row[0] for row in fetch_window(exchange.rows, Span(0, length), 1)}

    assert found >= {time for time in opens if 0 <= time < length}
    assert found <= opens


def test_a_whole_page_is_one_request():
    """Where nothing is missing at its ends, nothing is asked twice; gaps within are settled by then."""
    exchange = Exchange(set(range(100)) - {20, 21}, cap=100)

    fetch_window(exchange.rows, Span(10, 90), 1)

    assert exchange.asked == [Span(9, 91)]


def test_a_gap_at_the_end_is_asked_for_twice_more():
    """The candle behind it came along, or else the exchange is asked for what is missing alone."""
    exchange = Exchange(set(range(100)) - {88, 89}, cap=200)
    fetch_window(exchange.rows, Span(10, 90), 1)
    assert exchange.asked == [Span(9, 91)]

    exchange = Exchange(set(range(88)), cap=200)
    fetch_window(exchange.rows, Span(10, 90), 1)
    assert exchange.asked == [Span(9, 91), *[Span(87, 91)] * 2]


def test_an_empty_page_is_asked_for_twice():
    """And no more often."""
    exchange = Exchange({500}, cap=200)

    assert fetch_window(exchange.rows, Span(10, 90), 1) == []
    assert exchange.asked == [Span(9, 91)] * 2


def rows_at(*hours: float, close: float = 2.0) -> Rows:
    """Rows at these hours of 2022-01-03."""
    start = 1_641_168_000_000
    return [[int(start + hour * HOUR_MS), 1.0, 3.0, 0.5, close, 7.0] for hour in hours]


def test_a_page_is_in_order_and_has_each_candle_once():
    """Rows from the window's end on, which may still form, aren't in."""
    end_ms = int(rows_at(3)[0][0])

    page = to_page(rows_at(2, 0, 1, 0, 3, 4), "BTC/USDT", end_ms)

    assert page["open_time"].dt.hour.tolist() == [0, 1, 2]
    assert str(page["open_time"].dtype) == "datetime64[ms, UTC]"


def test_an_empty_page_has_the_same_schema():
    """A span before a market began is kept as such."""
    empty, full = (to_page(rows, "BTC/USDT", 2**60) for rows in ([], rows_at(1)))

    assert len(empty) == 0
    assert empty.dtypes.equals(full.dtypes)


def test_a_price_that_is_missing_stays_so():
    """A number that ccxt can't read is None: `clean` decides what becomes of the row."""
    page = to_page([[*rows_at(1)[0][:5], None]], "BTC/USDT", 2**60)

    assert math.isnan(page["volume"].iloc[0])


def test_two_candles_that_disagree_are_both_shown():
    """Neither is taken for the true one."""
    with pytest.raises(InputError) as caught:
        to_page([*rows_at(0, 1), *rows_at(1, close=2.5)], "BTC/USDT", 2**60)

    message = str(caught.value)
    assert "close 2.0" in message
    assert "close 2.5" in message
    assert "2022-01-03 01:00:00+00:00" in message


@pytest.mark.parametrize("row", [[], [1], ["x"] * 6, [1, 2, 3, 4, 5, 6, 7], [None] * 6, {"a": 1}, 5, None])
def test_something_else_than_a_row_is_refused(row: object):
    """In a line that says what a row must have."""
    with pytest.raises(InputError, match="must give rows of open_time, open"):
        to_page([*rows_at(0), row], "BTC/USDT", 2**60)  # type: ignore[list-item]


def test_a_time_off_the_grid_is_kept():
    """A page can't tell whether all of its market's bars open so: `clean` decides."""
    page = to_page(rows_at(0, 1.5), "BTC/USDT", 2**60)

    assert page["open_time"].dt.minute.tolist() == [0, 30]


def test_an_answer_of_another_time_counts_as_empty():
    """Rows of a later window, sent by mistake, don't settle this one."""
    exchange = Exchange(set(range(100)), cap=200)
    answers = [[[time, 1.0, 1.0, 1.0, 1.0, 0.0] for time in range(300, 400)]]
    pauses = []

    rows = fetch_window(
        lambda span: answers.pop() if answers else exchange.rows(span),
        Span(10, 90),
        1,
        lambda: pauses.append(True),
    )

    assert {row[0] for row in rows} >= set(range(10, 90))
    assert pauses == [True]


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ([], True),
        ([[1, 2, 3, 4, 5, 6]], True),
        ([{"t": 1, "o": 2, "h": 3, "l": 4, "c": 5}], True),
        ({"code": "0", "data": []}, True),
        ({"error": [], "result": {"XXBTZUSD": [], "last": 1}}, True),
        ({"result": {"list": [[1, 2, 3, 4, 5, 6]]}}, True),
        ({"s": "ok", "t": [1, 2], "o": [1.5, 2.5]}, True),
        (None, False),
        ("[]", False),
        ({}, False),
        ({"msg": "soon"}, False),
        ({"errors": ["soon"]}, False),
        ({"errors": [], "msg": "down"}, False),
        ({"error": []}, False),
        ([[[]], 5], False),
        ([None], False),
    ],
)
def test_an_answer_with_a_list_of_rows_may_be_empty(answer: object, *, expected: bool):
    """Exchanges wrap their rows differently, but they send a list, by rows or by columns."""
    assert holds_rows(answer) is expected

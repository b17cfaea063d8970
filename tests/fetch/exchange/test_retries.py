from contextlib import closing
from typing import Any

import ccxt
import pytest

from stages.fetch.exchange.connection import load_markets, open_exchange, twin
from stages.fetch.exchange.retries import (
    FIRST_WAIT_SECONDS,
    LONGEST_PAUSE_SECONDS,
    LONGEST_WAIT_SECONDS,
    TRIES,
    worth_another_try,
)
from tests.fetch.exchange.conftest import BUSY, HTML, fetch, first_answer, refusal
from tools.exchange_server import Answer, ExchangeServer, Query, as_json

TRANSIENT = {
    "429": BUSY,
    "418": as_json({"code": -1003, "msg": "Way too many requests; IP banned."}, 418),
    "500": Answer("<html>\noops</html>", 500, "text/html"),
    "502": Answer("", 502),
    "503": as_json({"msg": "busy"}, 503),
    "504": Answer("", 504),
    "520": Answer("", 520),
    "a web page": HTML,
    "a truncated body": Answer('[[1641168000000, "1'),
    "an empty body": Answer(""),
    "null": Answer("null"),
    "an object without a list": Answer("{}"),
    "a list of something else": as_json([[[]], 5]),
    "a reset": as_json([[1641168000000] * 12] * 500)._replace(cut=True),
}


@pytest.mark.parametrize("answer", TRANSIENT.values(), ids=TRANSIENT)
def test_what_passes_is_tried_again(
    exchange_server: ExchangeServer,
    exchange: Any,
    waits: list[float],
    capsys: pytest.CaptureFixture[str],
    answer: Answer,
):
    """After waits that the log tells of, in a line without an address."""
    first_answer(exchange_server, answer, answer)

    assert len(fetch(exchange)) == 10
    assert len(exchange_server.queries) == 3
    assert len([wait for wait in waits if wait > 0.1]) == 2
    log = capsys.readouterr().err
    assert log.count("\n") == 2
    assert f"try 2 of {TRIES}" in log
    assert "://" not in log


def test_a_time_out_is_tried_again(exchange_server: ExchangeServer, exchange: Any):
    """An answer that doesn't come is given up and asked for anew."""
    exchange.timeout = 100
    first_answer(exchange_server, Answer("[]", after=2.0))

    assert len(fetch(exchange)) == 10


@pytest.mark.parametrize("status", [400, 401, 404, 405, 407, 410, 422, 511])
def test_what_wont_pass_is_not_tried_again(exchange_server: ExchangeServer, exchange: Any, status: int):
    """Though most of these are worth another try for ccxt."""
    first_answer(exchange_server, *[Answer("", status)] * 2)

    assert str(status) in refusal(lambda: fetch(exchange))
    assert len(exchange_server.queries) == 1


@pytest.mark.parametrize(
    ("status", "name", "way_out"),
    [
        (
            451,
            "binance",
            "its public mirror, data-api.binance.vision, through CCXT_CONFIG, ",
        ),
        (
            403,
            "binance",
            "its public mirror, data-api.binance.vision, through CCXT_CONFIG, ",
        ),
        (451, "binanceus", "take another exchange, or fetch.source: file"),
    ],
)
def test_a_region_block_is_called_that_at_once(
    exchange_server: ExchangeServer, waits: list[float], status: int, name: str, way_out: str
):
    """A single request, though in ccxt its class is one of those to try again; the way out is named."""
    exchange_server.answer = lambda *_: as_json({"code": 0, "msg": "restricted"}, status)  # type: ignore[method-assign]
    with closing(open_exchange(name)) as exchange:
        message = refusal(lambda: load_markets(exchange, ["BTC/USDT"]))

    assert message.startswith(f"fetch.exchange.name must be an exchange that serves your region; {name} ")
    assert f"status {status}" in message
    assert way_out in message
    assert waits == []


def test_a_region_block_stays_one_whatever_the_words(
    exchange_server: ExchangeServer, exchange: Any, waits: list[float]
):
    """A 451 that speaks of rate limits is none."""
    exchange_server.klines = lambda _: as_json({"msg": "no rate limit applies"}, 451)

    assert "must be an exchange that serves your region" in refusal(lambda: fetch(exchange))
    assert len(exchange_server.queries) == 1


def test_what_doesnt_pass_ends_after_some_tries(
    exchange_server: ExchangeServer, exchange: Any, waits: list[float]
):
    """Waits double, with jitter, up to a bound; and then it is said what came."""
    exchange_server.klines = lambda _: Answer("oops", 500, "text/plain")

    message = refusal(lambda: fetch(exchange))

    assert len(exchange_server.queries) == TRIES
    assert message.startswith("fetch.exchange.name must be an exchange that answers; binance gave Exchange")
    assert message.endswith(f"500 Internal Server Error oops, {TRIES} times in a row.")
    longest = [min(FIRST_WAIT_SECONDS * 2**k, LONGEST_WAIT_SECONDS) for k in range(TRIES - 1)]
    naps = [wait for wait in waits if wait > 0.1]
    assert all(bound / 2 <= wait <= bound for wait, bound in zip(naps, longest, strict=True))
    assert len({wait / bound for wait, bound in zip(naps, longest, strict=True)}) > 1


@pytest.mark.parametrize("status", [429, 418, 503])
def test_retry_after_is_kept_to(exchange_server: ExchangeServer, exchange: Any, status: int):
    """An exchange that asks for 37 seconds gets them."""
    times = []

    def klines(query: Query) -> Answer:
        times.append(exchange.pacer.clock())
        if len(times) == 1:
            return as_json({"code": -1003}, status)._replace(headers={"Retry-After": "37"})
        return exchange_server.honest_klines(query)

    exchange_server.klines = klines
    fetch(exchange)

    assert len(times) == 2
    assert times[1] - times[0] == pytest.approx(37, abs=0.1)


@pytest.mark.parametrize("asked", ["0", "1"])
def test_a_short_retry_after_doesnt_shorten_the_waits(
    exchange_server: ExchangeServer, exchange: Any, waits: list[float], asked: str
):
    """An exchange that says "now" while it is busy is still given time."""
    exchange_server.klines = lambda _: BUSY._replace(headers={"Retry-After": asked})

    refusal(lambda: fetch(exchange))

    assert sum(waits) > 60


@pytest.mark.parametrize(
    ("answer", "everyone"),
    [
        (BUSY, True),
        (as_json({}, 418), True),
        (as_json({}, 503)._replace(headers={"Retry-After": "9"}), True),
        (as_json({}, 503), False),
        (HTML, False),
    ],
)
def test_who_was_asked_too_fast_is_left_alone_by_all(
    exchange_server: ExchangeServer, exchange: Any, answer: Answer, *, everyone: bool
):
    """The other threads wait too where the exchange says so, and not where a single request went wrong."""
    free_at = []
    first_answer(exchange_server, answer)
    nap = exchange.pacer.nap

    def note(seconds: float) -> None:
        free_at.append(exchange.pacer.free_at - exchange.pacer.clock())
        nap(seconds)

    exchange.pacer.nap = note
    fetch(exchange)

    assert (max(free_at) > 0.4) is everyone


def test_a_pause_too_long_to_wait_for_ends_it(exchange_server: ExchangeServer, exchange: Any):
    """A ban of a day is told at once."""
    first_answer(exchange_server, BUSY._replace(status=418, headers={"Retry-After": "86400"}))

    assert refusal(lambda: fetch(exchange)).endswith("asks to be left alone for 86,400 seconds.")
    assert len(exchange_server.queries) == 1
    assert LONGEST_PAUSE_SECONDS < 86400


def test_options_that_ccxt_cant_read_are_told_at_once(
    exchange_server: ExchangeServer, exchange: Any, waits: list[float]
):
    """No answer came, so there is nothing to wait for."""
    exchange.timeout = "soon"

    assert "CCXT_CONFIG, gave TypeError in ccxt" in refusal(lambda: fetch(exchange))
    assert sum(waits) < 0.1


@pytest.mark.parametrize(
    ("cause", "again"),
    [("ChunkedEncodingError", True), ("ContentDecodingError", True), ("InvalidURL", False)],
)
def test_an_answer_broken_off_is_worth_another_try(cause: str, *, again: bool):
    """To ccxt, one that stops between two chunks, or can't be unpacked, is an error like any other."""
    error = ccxt.ExchangeError("binance GET")
    error.__cause__ = type(cause, (Exception,), {})("broken")

    assert worth_another_try(error, None) is again


def test_a_certificate_that_isnt_trusted_is_not(exchange: Any):
    """It won't be in a minute either."""
    error = ccxt.NetworkError("binance GET")
    error.__cause__ = OSError("[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed")

    assert not worth_another_try(error, None)


def test_what_all_threads_meet_is_told_once(
    exchange_server: ExchangeServer, exchange: Any, waits: list[float], capsys: pytest.CaptureFixture[str]
):
    """Two connections that are told the same share a line of the log."""
    with closing(twin(exchange)) as other:
        for each in (exchange, other):
            first_answer(exchange_server, BUSY)
            fetch(each)

    assert capsys.readouterr().err.count("try 2 of") == 1

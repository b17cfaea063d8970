import json
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import ccxt
import pytest

from stages.common.errors import InputError
from stages.fetch.exchange.connection import (
    FIRST_WAIT_SECONDS,
    LONGEST_PAUSE_SECONDS,
    LONGEST_WAIT_SECONDS,
    TRIES,
    ask,
    endpoint_tag,
    holds_rows,
    load_markets,
    open_exchange,
    retry_after,
    twin,
    worth_another_try,
)
from stages.fetch.exchange.pacing import Pacer
from tools.exchange_server import Answer, ExchangeServer, Query, as_json

HTML = Answer("<html>maintenance</html>", content_type="text/html")
BUSY = as_json({"code": -1003, "msg": "Too many requests."}, 429)


@pytest.fixture
def exchange(exchange_server: ExchangeServer, waits: list[float]) -> Iterator[Any]:
    """Binance in ccxt, whose markets are known, and for which waiting takes no time."""
    with closing(open_exchange("binance")) as opened:
        load_markets(opened, ["BTC/USDT"])
        waits.clear()
        yield opened


def fetch(exchange: Any) -> Any:
    """Ten hours of candles, or an error."""
    return ask(
        exchange,
        lambda: exchange.fetch_ohlcv("BTC/USDT", "1h", 1_641_168_000_000, 10),
        lambda: holds_rows(exchange.last_json_response),
    )


def first_answer(server: ExchangeServer, *answers: Answer) -> None:
    """Have the server give these answers first, and then the true one."""
    left = list(answers)
    server.klines = lambda query: left.pop(0) if left else server.honest_klines(query)


def refusal(action: Callable[[], object]) -> str:
    """What it says, in one line and without an address."""
    with pytest.raises(InputError) as caught:
        action()
    message = str(caught.value)
    assert "\n" not in message
    assert "://" not in message
    return message


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


def test_requests_take_up_what_ccxt_states_for_the_endpoint(exchange: Any, monkeypatch: pytest.MonkeyPatch):
    """Binance's candles cost .4 of 50 ms: 50 requests a second; of a twin's too."""
    taken: list[float] = []
    monkeypatch.setattr(exchange, "rateLimit", 50)
    monkeypatch.setattr(Pacer, "wait", lambda _, seconds: taken.append(seconds))
    with closing(twin(exchange)) as other:
        for each in (exchange, other):
            fetch(each)

    assert [seconds for seconds in taken if seconds] == pytest.approx([0.02, 0.02])


def test_the_rate_limit_cant_be_switched_off(
    exchange_server: ExchangeServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """An option of ccxt's would do so: the ban would hit everyone behind the same address."""
    path = tmp_path / "off.json"
    path.write_text(json.dumps({**exchange_server.config, "enableRateLimit": False, "rateLimit": 50}))
    monkeypatch.setenv("CCXT_CONFIG", str(path))
    with closing(open_exchange("binance")) as exchange:
        assert exchange.enableRateLimit


def test_a_twin_keeps_its_own_answers(exchange_server: ExchangeServer, exchange: Any):
    """What one thread was told isn't taken for what another was told; the markets are the same."""
    with closing(twin(exchange)) as other:
        first_answer(exchange_server, HTML)
        with pytest.raises(AssertionError):
            assert other.fetch_ohlcv("BTC/USDT", "1h", 1_641_168_000_000, 10)
        assert not holds_rows(other.last_json_response)
        fetch(exchange)

        assert holds_rows(exchange.last_json_response)
        assert not holds_rows(other.last_json_response)
        assert other.session is not exchange.session
        assert other.markets is exchange.markets


@pytest.mark.parametrize(("config", "expected"), [({}, True), ({"requests_trust_env": False}, False)])
def test_proxies_of_the_environment_count(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, config: dict[str, Any], *, expected: bool
):
    """By itself, ccxt ignores HTTPS_PROXY; CCXT_CONFIG may have it so again."""
    path = tmp_path / "ccxt.json"
    path.write_text(json.dumps(config))
    monkeypatch.setenv("CCXT_CONFIG", str(path))

    with closing(open_exchange("binance")) as exchange, closing(twin(exchange)) as other:
        assert exchange.session.trust_env is expected
        assert other.session.trust_env is expected


@pytest.mark.parametrize(
    ("config", "own"),
    [
        ({}, True),
        ({"timeout": 9, "httpsProxy": "http://127.0.0.1:1"}, True),
        ({"urls": {"api": {"public": "http://127.0.0.1:1"}}}, False),
        ({"hostname": "elsewhere"}, False),
    ],
)
def test_an_endpoint_of_ones_own_has_a_name_of_its_own(
    *, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, config: dict[str, Any], own: bool
):
    """A test server's candles aren't taken for the exchange's; a proxy or a time-out changes nothing."""
    path = tmp_path / "ccxt.json"
    path.write_text(json.dumps(config))
    monkeypatch.setenv("CCXT_CONFIG", str(path))

    tag = endpoint_tag("binance")

    assert (tag == "") is own
    assert tag == endpoint_tag("binance")


@pytest.mark.parametrize("config", [{"urls": None}, {"urls": "here"}])
def test_addresses_that_are_none_are_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, config: dict[str, Any]
):
    """Whatever stands in CCXT_CONFIG."""
    path = tmp_path / "ccxt.json"
    path.write_text(json.dumps(config))
    monkeypatch.setenv("CCXT_CONFIG", str(path))

    assert "CCXT_CONFIG" in refusal(lambda: endpoint_tag("binance"))


@pytest.mark.parametrize("config", [{"testnet": True}, {"options": {"sandbox": True}}, {"sandbox": True}])
def test_a_sandbox_has_a_name_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, config: dict[str, Any]
):
    """Its candles are made up."""
    path = tmp_path / "ccxt.json"
    path.write_text(json.dumps(config))
    monkeypatch.setenv("CCXT_CONFIG", str(path))

    assert endpoint_tag("binance").startswith("@")


def test_only_spot_markets_are_listed(exchange: Any):
    """Otherwise ccxt asks Binance's hosts for futures too, which this server would refuse."""
    assert list(exchange.markets) == ["BTC/USDT"]


def test_a_web_page_is_no_list_of_markets(exchange_server: ExchangeServer, waits: list[float]):
    """It doesn't pass for an exchange without the symbol."""
    exchange_server.answer = lambda *_: HTML  # type: ignore[method-assign]
    with closing(open_exchange("binance")) as exchange:
        message = refusal(lambda: load_markets(exchange, ["BTC/USDT"]))

    assert message.endswith(
        f"binance gave something else than what it was asked for, {TRIES} times in a row."
    )


@pytest.mark.parametrize(
    "config",
    [
        {"urls": {"api": {"public": "http://user:secret@127.0.0.1:1/secret"}}},
        {"urls": {"api": {"public": "nowhere/secret"}}, "apiKey": "secret"},
        {"urls": {"api": {"public": "http://127.0.0.1:1"}}, "httpProxy": "http://user:secret@127.0.0.1:1"},
        {"urls": {"api": {"public": "http://127.0.0.1:1"}}, "timeout": "secret"},
    ],
)
def test_no_key_is_shown(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    waits: list[float],
    capsys: pytest.CaptureFixture[str],
    config: object,
):
    """What CCXT_CONFIG holds reaches neither the error nor the log."""
    path = tmp_path / "ccxt.json"
    path.write_text(json.dumps(config))
    monkeypatch.setenv("CCXT_CONFIG", str(path))

    with closing(open_exchange("binance")) as exchange:
        message = refusal(lambda: load_markets(exchange, ["BTC/USDT"]))

    assert message.startswith("fetch.exchange.name must be an exchange that answers; binance")
    assert "secret" not in message + capsys.readouterr().err


def test_options_that_ccxt_cant_read_are_told_at_once(
    exchange_server: ExchangeServer, exchange: Any, waits: list[float]
):
    """No answer came, so there is nothing to wait for."""
    exchange.timeout = "soon"

    assert "CCXT_CONFIG, gave TypeError in ccxt" in refusal(lambda: fetch(exchange))
    assert sum(waits) < 0.1


def test_an_unknown_exchange_is_told_the_nearest():
    """A misspelt exchange is refused without any network."""
    message = refusal(lambda: open_exchange("binanse"))

    assert message.startswith(f"fetch.exchange.name must be an exchange that ccxt {ccxt.__version__} knows")
    assert message.endswith("received 'binanse'; the nearest one is binance.")


@pytest.mark.parametrize("content", [None, b"", b"{", b"[]", b"\xff"])
def test_config_must_be_a_json_object(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes | None
):
    """A CCXT_CONFIG without a file, or with another one, is named."""
    path = tmp_path / "ccxt.json"
    if content is not None:
        path.write_bytes(content)
    monkeypatch.setenv("CCXT_CONFIG", str(path))

    message = refusal(lambda: open_exchange("binance"))

    assert message.startswith("CCXT_CONFIG must name a ")
    assert str(path) in message


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


@pytest.mark.parametrize("asked", ["0", "1"])
def test_a_short_retry_after_doesnt_shorten_the_waits(
    exchange_server: ExchangeServer, exchange: Any, waits: list[float], asked: str
):
    """An exchange that says "now" while it is busy is still given time."""
    exchange_server.klines = lambda _: BUSY._replace(headers={"Retry-After": asked})

    refusal(lambda: fetch(exchange))

    assert sum(waits) > 60


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


def test_an_answer_that_repeats_a_key_is_shown_without(
    exchange_server: ExchangeServer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
):
    """Some servers say which path they don't know."""
    config = exchange_server.config
    config["urls"]["api"]["public"] = config["urls"]["api"]["public"].replace("/api/v3", "/SECRETKEY")
    path = tmp_path / "ccxt.json"
    path.write_text(json.dumps({**config, "apiKey": "SECRETTOO", "verbose": True}))
    monkeypatch.setenv("CCXT_CONFIG", str(path))

    def answer(path: str, _: Query) -> Answer:
        return as_json({"msg": f"No {path} for SECRETTOO"}, 404)

    monkeypatch.setattr(exchange_server, "answer", answer)
    with closing(open_exchange("binance")) as exchange:
        message = refusal(lambda: load_markets(exchange, ["BTC/USDT"]))

    printed = capsys.readouterr()
    assert "SECRET" not in message + printed.out + printed.err
    assert "No /***/exchangeInfo for ***" in message


@pytest.mark.parametrize(
    "config",
    [{"apiKey": "ab1/cd2+ef3/gh4/x5="}, {"secret": "k9x2"}, {"password": "päss wört"}, {"uid": 73921}],
)
def test_a_key_of_any_form_is_hidden(
    exchange_server: ExchangeServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, config: dict[str, Any]
):
    """Short ones, ones with signs in them, and numbers."""
    path = tmp_path / "ccxt.json"
    path.write_text(json.dumps({**exchange_server.config, **config}))
    monkeypatch.setenv("CCXT_CONFIG", str(path))
    [key] = map(str, config.values())
    monkeypatch.setattr(exchange_server, "answer", lambda *_: Answer(f"No {key} here", 404))
    with closing(open_exchange("binance")) as exchange:
        message = refusal(lambda: load_markets(exchange, ["BTC/USDT"]))

    assert key not in message
    assert "No *** here" in message


def test_ccxts_own_retries_are_off(
    exchange_server: ExchangeServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, waits: list[float]
):
    """They would come at once, whatever the rate limit."""
    path = tmp_path / "ccxt.json"
    path.write_text(json.dumps({**exchange_server.config, "options": {"maxRetriesOnFailure": 5}}))
    monkeypatch.setenv("CCXT_CONFIG", str(path))
    with closing(open_exchange("binance")) as exchange:
        load_markets(exchange, ["BTC/USDT"])
        first_answer(exchange_server, *[Answer("", 503)] * 2)
        fetch(exchange)

    assert len(exchange_server.queries) == 3
    assert len([wait for wait in waits if wait > 0.1]) == 2


def test_certificates_that_arent_there_are_one_line(
    exchange: Any, monkeypatch: pytest.MonkeyPatch, waits: list[float]
):
    """It's the environment that names them, and no disk that is full."""
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/nowhere/ca.pem")
    exchange.urls["api"]["public"] = "https://127.0.0.1:1"

    message = refusal(lambda: fetch(exchange))

    assert message.startswith("fetch.exchange.name must be an exchange that answers; ")
    assert "/nowhere/ca.pem" in message
    assert sum(waits) < 0.1


def test_what_all_threads_meet_is_told_once(
    exchange_server: ExchangeServer, exchange: Any, waits: list[float], capsys: pytest.CaptureFixture[str]
):
    """Two connections that are told the same share a line of the log."""
    with closing(twin(exchange)) as other:
        for each in (exchange, other):
            first_answer(exchange_server, BUSY)
            fetch(each)

    assert capsys.readouterr().err.count("try 2 of") == 1


def test_a_large_page_is_told_in_a_line(exchange_server: ExchangeServer, exchange: Any, waits: list[float]):
    """Also one without a space: what looks for addresses in it takes no longer than the page is long."""
    exchange_server.klines = lambda _: Answer(f"<img src='data:{'a' * 3_000_000}'>", 503, "text/html")

    message = refusal(lambda: fetch(exchange))

    assert message.endswith(f"aaa, {TRIES} times in a row.")
    assert len(message) < 500


def test_a_region_block_stays_one_whatever_the_words(
    exchange_server: ExchangeServer, exchange: Any, waits: list[float]
):
    """A 451 that speaks of rate limits is none."""
    exchange_server.klines = lambda _: as_json({"msg": "no rate limit applies"}, 451)

    assert "must be an exchange that serves your region" in refusal(lambda: fetch(exchange))
    assert len(exchange_server.queries) == 1

import json
from pathlib import Path

import ccxt
import pandas as pd
import pytest
from pandas.testing import assert_frame_equal

from stages.common.errors import InputError
from stages.fetch.clean import clean
from stages.fetch.exchange import fetch_candles, holds_list
from stages.fetch.params import FetchParams
from tests.exchange_server import Answer, ExchangeServer, Query, as_json
from tests.fetch.conftest import MakeParams

FIRST_MS = 1_641_168_000_000  # 2022-01-03
HOUR_MS = 3_600_000
WHOLE = "2022-04-17T04:00"  # the market's end


def refusal(params: FetchParams, now: pd.Timestamp | None = None) -> str:
    """What the source says to these settings."""
    with pytest.raises(InputError) as caught:
        fetch_candles(params, now)
    assert "\n" not in str(caught.value)
    assert "://" not in str(caught.value)
    return str(caught.value)


def test_the_market_comes_as_it_is(
    exchange_server: ExchangeServer, market: pd.DataFrame, make_params: MakeParams
):
    """2,500 hours over three pages, gaps and all, to the last bit."""
    params = make_params(end=WHOLE)

    found = clean(fetch_candles(params)["BTC/USDT"], "BTC/USDT", params)

    assert_frame_equal(found, market, check_exact=True)


def test_pages_are_fixed_windows(exchange_server: ExchangeServer, make_params: MakeParams):
    """The windows asked for depend on the settings alone; a page that ends early is asked for its rest."""
    fetch_candles(make_params(end=WHOLE))

    asked = [(int(query["startTime"]), int(query["endTime"])) for query in exchange_server.queries]
    hours = [((start - FIRST_MS) / HOUR_MS, (end + 1 - FIRST_MS) / HOUR_MS) for start, end in asked]
    assert hours == [(0, 1000), (997, 1000), (1000, 2000), (2000, 2500)]


def test_an_exchange_without_a_stated_limit_has_pages_too(
    exchange_server: ExchangeServer,
    market: pd.DataFrame,
    make_params: MakeParams,
    monkeypatch: pytest.MonkeyPatch,
):
    """Of some exchanges ccxt knows that they have candles, but not how many they send at once."""
    monkeypatch.setattr(ccxt.binance, "feature_value", lambda *_: None)
    params = make_params(end=WHOLE)

    found = clean(fetch_candles(params)["BTC/USDT"], "BTC/USDT", params)

    assert_frame_equal(found, market, check_exact=True)


def test_window_includes_its_start_and_not_its_end(
    exchange_server: ExchangeServer, make_params: MakeParams
):
    """`end` is exclusive, though ccxt's `until` is not."""
    params = make_params(start="2022-01-04T01:00", end="2022-01-04T04:00")

    assert fetch_candles(params)["BTC/USDT"]["open_time"].dt.hour.tolist() == [1, 2, 3]


def test_the_forming_candle_is_dropped(
    exchange_server: ExchangeServer, market: pd.DataFrame, make_params: MakeParams
):
    """An exchange that sends on to the present, past the end asked for, adds nothing."""

    def without_end(query: Query) -> Answer:
        del query["endTime"], query["limit"]
        return exchange_server.honest_klines(query)

    exchange_server.klines = without_end
    params = make_params(end="2022-01-03T12:00")

    found = fetch_candles(params, pd.Timestamp("2022-01-03T12:30", tz="UTC"))["BTC/USDT"]

    assert found["open_time"].max() == pd.Timestamp("2022-01-03T11:00", tz="UTC")
    assert len(found) == 10


def test_a_lower_cap_on_rows_loses_none(
    exchange_server: ExchangeServer, market: pd.DataFrame, make_params: MakeParams
):
    """An exchange that sends fewer rows than it says is asked again."""
    exchange_server.klines = lambda query: exchange_server.honest_klines({**query, "limit": "300"})
    params = make_params(end=WHOLE)

    assert_frame_equal(
        clean(fetch_candles(params)["BTC/USDT"], "BTC/USDT", params), market, check_exact=True
    )


def test_a_page_without_candles_is_a_gap(
    exchange_server: ExchangeServer, market: pd.DataFrame, make_params: MakeParams
):
    """A market that starts later than the window has empty pages first."""
    params = make_params(start="2021-08-01", end="2022-01-04")

    found = clean(fetch_candles(params)["BTC/USDT"], "BTC/USDT", params)

    assert_frame_equal(found, market[:22], check_exact=True)


@pytest.mark.parametrize(
    ("timeframe", "end", "closed"),
    [
        ("1h", "2022-01-05", "2022-01-05T00:00"),
        ("1h", "2022-01-05T00:30", "2022-01-05T01:00"),
        ("1d", "2022-01-05", "2022-01-05T00:00"),
        ("1d", "2022-01-05T01:00", "2022-01-06T00:00"),
        ("1w", "2022-01-10", "2022-01-10T00:00"),
        ("1w", "2022-01-11", "2022-01-17T00:00"),
        ("3d", "2022-01-05", "2022-01-07T00:00"),
    ],
)
def test_end_must_leave_closed_candles_only(
    exchange_server: ExchangeServer, make_params: MakeParams, timeframe: str, end: str, closed: str
):
    """The last candle of the window may close right now, and no later; the exchange isn't even asked."""
    params = make_params(timeframe=timeframe, end=end)
    close = pd.Timestamp(closed, tz="UTC")

    message = refusal(params, close - pd.Timedelta("1ms"))
    assert message.startswith("fetch.end must leave closed candles only")
    assert message.endswith(f"received {end}, and the candle before it closes at {closed}.")
    assert exchange_server.queries == []
    # When it has closed, this server is asked, which has hourly candles alone.
    if timeframe == "1h":
        assert len(fetch_candles(params, close)["BTC/USDT"]) > 40


def test_an_unknown_exchange_is_told_the_nearest(make_params: MakeParams):
    """A misspelt exchange is refused without any network."""
    message = refusal(make_params(exchange={"name": "binanse"}))

    assert message.startswith("fetch.exchange.name must be an exchange that ccxt ")
    assert message.endswith("received 'binanse'; the nearest one is binance.")


def test_an_unknown_symbol_is_told_the_nearest(exchange_server: ExchangeServer, make_params: MakeParams):
    """A symbol in lower case is no market."""
    assert refusal(make_params(symbols=["btc/usdt"])) == (
        "fetch.symbols must be markets of binance; received 'btc/usdt'; the nearest one is BTC/USDT."
    )


def test_an_unknown_timeframe_is_told_all(exchange_server: ExchangeServer, make_params: MakeParams):
    """The error lists the timeframes that there are."""
    message = refusal(make_params(timeframe="7h"))

    assert message.startswith("fetch.timeframe must be one of binance's, 1s, 1m, 3m, ")
    assert message.endswith("received '7h'.")


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (as_json({"code": 0, "msg": "restricted location"}, 451), "ExchangeNotAvailable 451 Unavailable"),
        (as_json({"code": -1003, "msg": "too many"}, 429), "429 Too Many Requests"),
        ((500, "text/html", "<html>\noops</html>"), "500 Internal Server Error <html> oops</html>"),
        ((200, "text/html", "<html>maintenance</html>"), "gave something else"),
        ((200, "application/json", '[[1641168000000, "1'), "gave something else"),
        ((200, "application/json", ""), "gave something else"),
        ((200, "application/json", "null"), "gave something else"),
        ((200, "application/json", "{}"), "gave something else"),
    ],
)
def test_a_bad_answer_is_no_empty_page(
    exchange_server: ExchangeServer, make_params: MakeParams, answer: Answer, reason: str
):
    """An error, a web page or half an answer ends in one line, even after a sound page."""

    def second_page(query: Query) -> Answer:
        return exchange_server.honest_klines(query) if query["startTime"] == str(FIRST_MS) else answer

    exchange_server.klines = second_page
    message = refusal(make_params(end=WHOLE))

    assert message.startswith("fetch.exchange.name must be an exchange that answers; binance")
    assert reason in message


def test_a_web_page_is_no_list_of_markets(
    exchange_server: ExchangeServer, make_params: MakeParams, monkeypatch: pytest.MonkeyPatch
):
    """It doesn't pass for an exchange without the symbol."""
    monkeypatch.setattr(exchange_server, "answer", lambda *_: (200, "text/html", "<html></html>"))

    assert refusal(make_params()).endswith("binance gave something else than its list of markets.")


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
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, make_params: MakeParams, config: object
):
    """What CCXT_CONFIG holds doesn't reach the error."""
    path = tmp_path / "ccxt.json"
    path.write_text(json.dumps(config))
    monkeypatch.setenv("CCXT_CONFIG", str(path))

    message = refusal(make_params())

    assert message.startswith("fetch.exchange.name must be an exchange that answers; binance")
    assert "secret" not in message


@pytest.mark.parametrize("content", [None, b"", b"{", b"[]", b"\xff"])
def test_config_must_be_a_json_object(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, make_params: MakeParams, content: bytes | None
):
    """A CCXT_CONFIG without a file, or with another one, is named."""
    path = tmp_path / "ccxt.json"
    if content is not None:
        path.write_bytes(content)
    monkeypatch.setenv("CCXT_CONFIG", str(path))

    message = refusal(make_params())

    assert message.startswith("CCXT_CONFIG must name a ")
    assert str(path) in message


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ([], True),
        ({"code": "0", "data": []}, True),
        ({"error": [], "result": {"XXBTZUSD": [], "last": 1}}, True),
        ({"result": {"list": [[1]]}}, True),
        (None, False),
        ("[]", False),
        ({}, False),
        ({"msg": "soon"}, False),
    ],
)
def test_an_answer_with_a_list_may_be_empty(answer: object, expected: object):
    """Exchanges wrap their rows differently, but they send a list."""
    assert holds_list(answer) is expected

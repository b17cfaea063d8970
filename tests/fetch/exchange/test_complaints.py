from contextlib import closing
from typing import Any

import pytest

from stages.fetch.exchange.connection import load_markets, open_exchange
from stages.fetch.exchange.retries import TRIES
from tests.fetch.exchange.conftest import Configure, fetch, refusal
from tools.exchange_server import Answer, ExchangeServer, Query, as_json


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
    configure: Configure,
    waits: list[float],
    capsys: pytest.CaptureFixture[str],
    config: object,
):
    """What CCXT_CONFIG holds reaches neither the error nor the log."""
    configure(config)

    with closing(open_exchange("binance")) as exchange:
        message = refusal(lambda: load_markets(exchange, ["BTC/USDT"]))

    assert message.startswith("fetch.exchange.name must be an exchange that answers; binance")
    assert "secret" not in message + capsys.readouterr().err


def test_an_answer_that_repeats_a_key_is_shown_without(
    exchange_server: ExchangeServer,
    configure: Configure,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
):
    """Some servers say which path they don't know."""
    config = exchange_server.config
    config["urls"]["api"]["public"] = config["urls"]["api"]["public"].replace("/api/v3", "/SECRETKEY")
    configure({**config, "apiKey": "SECRETTOO", "verbose": True})

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
    exchange_server: ExchangeServer,
    configure: Configure,
    monkeypatch: pytest.MonkeyPatch,
    config: dict[str, Any],
):
    """Short ones, ones with signs in them, and numbers."""
    configure({**exchange_server.config, **config})
    [key] = map(str, config.values())
    monkeypatch.setattr(exchange_server, "answer", lambda *_: Answer(f"No {key} here", 404))
    with closing(open_exchange("binance")) as exchange:
        message = refusal(lambda: load_markets(exchange, ["BTC/USDT"]))

    assert key not in message
    assert "No *** here" in message


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


def test_a_large_page_is_told_in_a_line(exchange_server: ExchangeServer, exchange: Any, waits: list[float]):
    """Also one without a space: what looks for addresses in it takes no longer than the page is long."""
    exchange_server.klines = lambda _: Answer(f"<img src='data:{'a' * 3_000_000}'>", 503, "text/html")

    message = refusal(lambda: fetch(exchange))

    assert message.endswith(f"aaa, {TRIES} times in a row.")
    assert len(message) < 500

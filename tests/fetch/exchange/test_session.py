"""Requests to a server that answers so slowly that it might as well not answer."""

from contextlib import closing
from threading import Timer
from time import monotonic

import pytest
import requests

from stages.fetch.exchange import session
from stages.fetch.exchange.connection import load_markets, open_exchange
from stages.fetch.exchange.pacing import Pacer, StoppedError
from stages.fetch.exchange.session import Session
from tests.fetch.exchange.conftest import fetch
from tools.exchange_server import Answer, ExchangeServer

DRIPPING = Answer("[" + " " * 1000 + "]", drip=True)


def get(server: ExchangeServer, pacer: Pacer) -> requests.Response:
    """An answer of the server's; each byte may take five seconds."""
    with Session(pacer) as asking:
        asking.trust_env = False
        return asking.request("GET", f"{server.config['urls']['api']['public']}/klines", timeout=5)


def test_an_answer_comes_as_from_any_session(exchange_server: ExchangeServer):
    """Whole, with status and headers."""
    exchange_server.klines = lambda _: Answer("[1]", 418, headers={"Retry-After": "5"})

    answer = get(exchange_server, Pacer())

    assert (answer.status_code, answer.json(), answer.headers["Retry-After"]) == (418, [1], "5")


def test_what_goes_wrong_is_raised_where_it_was_asked_for(exchange_server: ExchangeServer):
    """Not in a thread that nobody waits for."""
    exchange_server.klines = lambda _: Answer("[1, 2, 3]", cut=True)

    with pytest.raises(requests.RequestException, match=r"reset|broken"):
        get(exchange_server, Pacer())


def test_an_answer_that_drips_is_given_up(exchange_server: ExchangeServer, monkeypatch: pytest.MonkeyPatch):
    """A byte a second keeps the connection alive, but not the request."""
    monkeypatch.setattr(session, "LONGEST_SECONDS", 0.5)
    exchange_server.klines = lambda _: DRIPPING

    with pytest.raises(requests.ReadTimeout):
        get(exchange_server, Pacer())


def test_a_stop_isnt_kept_waiting_by_an_answer_that_drips(exchange_server: ExchangeServer):
    """Whoever presses Ctrl-C, or has met the end elsewhere, needn't wait for the last byte."""
    pacer = Pacer()
    exchange_server.klines = lambda _: DRIPPING
    Timer(0.5, pacer.stop).start()
    begin = monotonic()

    with pytest.raises(StoppedError):
        get(exchange_server, pacer)

    assert monotonic() - begin < session.LONGEST_SECONDS / 10


def test_one_that_dripped_is_asked_for_again(
    exchange_server: ExchangeServer, monkeypatch: pytest.MonkeyPatch
):
    """To ccxt it is a time-out like others."""
    monkeypatch.setattr(session, "LONGEST_SECONDS", 0.5)
    answers = [DRIPPING]
    exchange_server.klines = lambda query: (
        answers.pop() if answers else exchange_server.honest_klines(query)
    )

    with closing(open_exchange("binance")) as exchange:
        load_markets(exchange, ["BTC/USDT"])
        assert len(fetch(exchange)) == 10
    assert len(exchange_server.queries) == 2

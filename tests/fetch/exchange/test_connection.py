from contextlib import closing
from typing import Any

import ccxt
import pytest

from stages.fetch.exchange.connection import endpoint_tag, load_markets, open_exchange, twin
from stages.fetch.exchange.pacing import Pacer
from stages.fetch.exchange.retries import TRIES
from stages.fetch.exchange.transfer import holds_rows
from tests.fetch.exchange.conftest import HTML, Configure, fetch, first_answer, refusal
from tools.exchange_server import Answer, ExchangeServer


def test_requests_take_up_what_ccxt_states_for_the_endpoint(exchange: Any, monkeypatch: pytest.MonkeyPatch):
    """Binance's candles cost .4 of 50 ms: 50 requests a second; of a twin's too."""
    taken: list[float] = []
    monkeypatch.setattr(exchange, "rateLimit", 50)
    monkeypatch.setattr(Pacer, "wait", lambda _, seconds: taken.append(seconds))
    with closing(twin(exchange)) as other:
        for each in (exchange, other):
            fetch(each)

    assert [seconds for seconds in taken if seconds] == pytest.approx([0.02, 0.02])


def test_the_rate_limit_cant_be_switched_off(exchange_server: ExchangeServer, configure: Configure):
    """An option of ccxt's would do so: the ban would hit everyone behind the same address."""
    configure({**exchange_server.config, "enableRateLimit": False, "rateLimit": 50})
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
def test_proxies_of_the_environment_count(configure: Configure, config: dict[str, Any], *, expected: bool):
    """By itself, ccxt ignores HTTPS_PROXY; CCXT_CONFIG may have it so again."""
    configure(config)

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
    *, configure: Configure, config: dict[str, Any], own: bool
):
    """A test server's candles aren't taken for the exchange's; a proxy or a time-out changes nothing."""
    configure(config)

    tag = endpoint_tag("binance")

    assert (tag == "") is own
    assert tag == endpoint_tag("binance")


@pytest.mark.parametrize("config", [{"urls": None}, {"urls": "here"}])
def test_addresses_that_are_none_are_one_line(configure: Configure, config: dict[str, Any]):
    """Whatever stands in CCXT_CONFIG."""
    configure(config)

    assert "CCXT_CONFIG" in refusal(lambda: endpoint_tag("binance"))


@pytest.mark.parametrize("config", [{"testnet": True}, {"options": {"sandbox": True}}, {"sandbox": True}])
def test_a_sandbox_has_a_name_of_its_own(configure: Configure, config: dict[str, Any]):
    """Its candles are made up."""
    configure(config)

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


def test_an_unknown_exchange_is_told_the_nearest():
    """A misspelt exchange is refused without any network."""
    message = refusal(lambda: open_exchange("binanse"))

    assert message.startswith(f"fetch.exchange.name must be an exchange that ccxt {ccxt.__version__} knows")
    assert message.endswith("received 'binanse'; the nearest one is binance.")


def test_ccxts_own_retries_are_off(
    exchange_server: ExchangeServer, configure: Configure, waits: list[float]
):
    """They would come at once, whatever the rate limit."""
    configure({**exchange_server.config, "options": {"maxRetriesOnFailure": 5}})
    with closing(open_exchange("binance")) as exchange:
        load_markets(exchange, ["BTC/USDT"])
        first_answer(exchange_server, *[Answer("", 503)] * 2)
        fetch(exchange)

    assert len(exchange_server.queries) == 3
    assert len([wait for wait in waits if wait > 0.1]) == 2

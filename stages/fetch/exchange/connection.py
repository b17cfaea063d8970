"""An exchange as ccxt speaks to it, opened with the user's options, and its markets."""

import copy
import hashlib
import json
from typing import Any

import ccxt

from stages.common.errors import InputError
from stages.common.params import nearest
from stages.fetch.exchange.complaints import one_line_errors
from stages.fetch.exchange.options import read_options
from stages.fetch.exchange.pacing import Pacer
from stages.fetch.exchange.retries import ask
from stages.fetch.exchange.session import Session
from stages.fetch.params import FetchParams


def open_exchange(name: str) -> Any:
    """The exchange's ccxt object, with the options that CCXT_CONFIG adds. Raises InputError if unknown.

    It sends its requests when its `pacer` lets it, and notes each answer's status as `http_status`.
    """
    if name not in ccxt.exchanges:
        raise InputError(
            f"fetch.exchange.name must be an exchange that ccxt {ccxt.__version__} knows; "
            f"received {name!r}{nearest(name, '', ccxt.exchanges)}."
        )
    options = {
        "requests_trust_env": True,  # or ccxt ignores the proxies that the environment names
        **read_options(name),
        "id": name,  # lines name the exchange by it
        "enableRateLimit": True,
        "verbose": False,  # it prints addresses
        "enableLastJsonResponse": True,
        "enableLastResponseHeaders": True,
    }
    with one_line_errors(name):
        exchange = getattr(ccxt, name)(options)
        exchange.options["maxRetriesOnFailure"] = 0  # ccxt's own retries neither wait nor keep to the limit
        exchange.pacer = Pacer()
        return hooked(exchange)


def hooked(exchange: Any) -> Any:
    """The exchange, with ccxt's own hooks used, one before each request and one after, and our session."""

    def throttle(cost: float | None = None) -> None:
        exchange.pacer.wait(exchange.rateLimit / 1000 * (1.0 if cost is None else cost))

    def on_rest_response(code: int, *others: Any) -> Any:
        exchange.http_status = code
        return type(exchange).on_rest_response(exchange, code, *others)

    exchange.throttle, exchange.on_rest_response = throttle, on_rest_response
    exchange.session = Session(exchange.pacer)
    exchange.session.trust_env = exchange.requests_trust_env
    # BitoPro's class would fill gaps with candles of its own, those before a market began from its future.
    exchange.insert_missing_candles = lambda candles, *_: candles
    return exchange


def twin(exchange: Any) -> Any:
    """The same exchange, markets included, for another thread: ccxt keeps the last answer in the object."""
    return hooked(copy.copy(exchange))


def load_markets(exchange: Any, symbols: list[str]) -> None:
    """Have the exchange list its markets: only those of spot trading, if the symbols need no more."""
    listed = exchange.options.get("fetchMarkets")
    types = listed.get("types") if isinstance(listed, dict) else None
    # Otherwise Binance's list needs three hosts to answer, two of them for futures.
    if isinstance(types, list) and "spot" in types and not any(":" in symbol for symbol in symbols):
        listed["types"] = ["spot"]
    ask(exchange, lambda: exchange.load_markets(reload=True), lambda: bool(exchange.markets))


def check_known(exchange: Any, params: FetchParams) -> None:
    """Raise InputError unless the exchange has the candles of every symbol at this timeframe."""
    if not exchange.has["fetchOHLCV"]:
        raise InputError(f"fetch.exchange.name must be an exchange with candles; received {exchange.id!r}.")
    if params.timeframe not in exchange.timeframes:
        raise InputError(
            f"fetch.timeframe must be one of {exchange.id}'s, {', '.join(exchange.timeframes)}; "
            f"received {params.timeframe!r}."
        )
    for symbol in params.symbols:
        if symbol not in exchange.markets:
            raise InputError(
                f"fetch.symbols must be markets of {exchange.id}; "
                f"received {symbol!r}{nearest(symbol.upper(), '', list(exchange.markets))}."
            )


def endpoint_tag(name: str) -> str:
    """What tells another endpoint's candles apart, as a test server's: empty for the exchange's own."""
    if name not in ccxt.exchanges:
        return ""
    config = read_options(name)
    with one_line_errors(name):
        both = (getattr(ccxt, name)(options) for options in ({}, config))
        ends = [json.dumps([exchange.urls["api"], exchange.hostname]) for exchange in both]
    return "" if ends[0] == ends[1] else f"@{hashlib.sha256(ends[1].encode()).hexdigest()[:8]}"

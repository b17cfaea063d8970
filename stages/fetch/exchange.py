"""Candles from any exchange that ccxt knows.

Endpoint, proxy and timeout are ccxt's own options, in the JSON file that the environment variable
CCXT_CONFIG names: they don't change what the data is, so they are no settings of params.yaml.
"""

import json
import os
import re
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import ccxt
import pandas as pd
from tqdm import tqdm

from stages.common.bars import bar_length
from stages.common.errors import InputError
from stages.common.params import nearest
from stages.fetch.clean import COLUMNS, MILLISECOND, MONDAY, grid_ms
from stages.fetch.params import FetchParams

CONFIG_VARIABLE = "CCXT_CONFIG"

Row = list[float]


def fetch_candles(params: FetchParams, now: pd.Timestamp | None = None) -> dict[str, pd.DataFrame]:
    """Every symbol's candles in [fetch.start, fetch.end), still to be cleaned; `now` is the clock's time.

    Raises InputError where the window isn't over, or the exchange doesn't know or doesn't answer.
    """
    check_window(params, now or pd.Timestamp.now("UTC"))
    with one_line_errors(params.exchange.name), closing(open_exchange(params.exchange.name)) as exchange:
        load_markets(exchange, params.symbols)
        check_known(exchange, params)
        return {symbol: download(exchange, symbol, params) for symbol in params.symbols}


def check_window(params: FetchParams, now: pd.Timestamp) -> None:
    """Raise InputError unless every candle of the window has closed, so that none can change any more."""
    bar = bar_length(params.timeframe)
    just_before = params.end_time - MILLISECOND
    since_open = (just_before - MONDAY) // MILLISECOND % grid_ms(bar) * MILLISECOND
    last_close = just_before - since_open + bar
    if last_close > now:
        raise InputError(
            "fetch.end must leave closed candles only, or the same setting means other candles tomorrow; "
            f"received {params.end}, and the candle before it closes at {last_close:%Y-%m-%dT%H:%M}."
        )


@contextmanager
def one_line_errors(name: str) -> Iterator[None]:
    """What ccxt raises becomes an InputError of one line, without the URL: a URL may hold a key."""
    rule = "fetch.exchange.name must be an exchange that answers"
    try:
        yield
    except InputError:
        raise
    except ccxt.BaseError as error:
        words = re.sub(rf"^{name} [A-Z]+ \S+|\S+://\S+", "", str(error)).split()
        cause = f" ({type(error.__cause__).__name__})" if error.__cause__ else ""
        reason = " ".join([type(error).__name__, *words])[:300]
        raise InputError(f"{rule}; {name} gave {reason}{cause}.") from None
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        # What ccxt can't read ends in whatever Python raises.
        kind = type(error).__name__
        raise InputError(f"{rule}; {name}'s answer, or {CONFIG_VARIABLE}, gave {kind} in ccxt.") from None


def open_exchange(name: str) -> Any:
    """The exchange's ccxt object, with the options that CCXT_CONFIG adds. Raises InputError if unknown."""
    if name not in ccxt.exchanges:
        raise InputError(
            f"fetch.exchange.name must be an exchange that ccxt {ccxt.__version__} knows; "
            f"received {name!r}{nearest(name, '', ccxt.exchanges)}."
        )
    return getattr(ccxt, name)({**read_config(), "enableLastJsonResponse": True})


def read_config() -> dict[str, Any]:
    """Options for ccxt from the file that CCXT_CONFIG names, if any. Raises InputError if it is no JSON."""
    path = os.environ.get(CONFIG_VARIABLE)
    if not path:
        return {}
    try:
        config = json.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(
            f"{CONFIG_VARIABLE} must name a readable file; {path}: {error.strerror}."
        ) from None
    except ValueError as error:
        raise InputError(f"{CONFIG_VARIABLE} must name a JSON file; {path}: {error}.") from None
    if not isinstance(config, dict):
        raise InputError(
            f"{CONFIG_VARIABLE} must name a JSON file of ccxt's options; {path} has no object."
        )
    return config


def load_markets(exchange: Any, symbols: list[str]) -> None:
    """Have the exchange list its markets: only those of spot trading, if the symbols need no more."""
    listed = exchange.options.get("fetchMarkets")
    types = listed.get("types") if isinstance(listed, dict) else None
    # Otherwise Binance's list needs three hosts to answer, two of them for futures.
    if isinstance(types, list) and "spot" in types and not any(":" in symbol for symbol in symbols):
        listed["types"] = ["spot"]
    exchange.load_markets()
    if not exchange.markets:
        raise InputError(
            "fetch.exchange.name must be an exchange that answers; "
            f"{exchange.id} gave something else than its list of markets."
        )


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


def download(exchange: Any, symbol: str, params: FetchParams) -> pd.DataFrame:
    """A symbol's candles, page after page; columns COLUMNS, in time's order."""
    bar_ms = bar_length(params.timeframe) // MILLISECOND
    start, end = (int(time.timestamp() * 1000) for time in (params.start_time, params.end_time))
    limit = exchange.feature_value(symbol, "fetchOHLCV", "limit") or 500  # of some, ccxt states none
    page_ms = limit * bar_ms
    rows: list[Row] = []
    with tqdm(total=(end - start) // bar_ms, desc=symbol, unit=" candles", disable=None) as progress:
        for first in range(start, end, page_ms):
            last = min(first + page_ms, end)
            rows += fetch_page(exchange, symbol, params.timeframe, first, last)
            progress.update((last - first) // bar_ms)
    candles = pd.DataFrame(rows, columns=COLUMNS, dtype="float64")
    candles["open_time"] = pd.to_datetime(candles["open_time"], unit="ms", utc=True)
    return candles


def fetch_page(exchange: Any, symbol: str, timeframe: str, first: int, last: int) -> list[Row]:
    """Rows (open time in ms, open, high, low, close, volume) with first <= open time < last, in ms."""
    bar_ms = bar_length(timeframe) // MILLISECOND
    rows: list[Row] = []
    while first < last:
        # ccxt's `until` is inclusive.
        window = {"since": first, "limit": -(-(last - first) // bar_ms), "params": {"until": last - 1}}
        answer = exchange.fetch_ohlcv(symbol, timeframe, **window)
        check_answer(exchange, symbol)
        # Some exchanges send more than they were asked for, up to the candle that is still forming.
        inside = [row for row in answer if first <= row[0] < last]
        rows += inside
        # An answer that ends early was cut by the exchange, or has a gap there: the next one tells.
        first = int(inside[-1][0]) + bar_ms if inside else last
    return rows


def check_answer(exchange: Any, symbol: str) -> None:
    """Raise InputError where the answer holds no list: ccxt takes HTML, or half an answer, for no rows."""
    if not holds_list(exchange.last_json_response):
        raise InputError(
            "fetch.exchange.name must be an exchange that answers; "
            f"{exchange.id}, asked for candles of {symbol}, gave something else."
        )


def holds_list(answer: Any) -> bool:
    """Whether parsed JSON is a list, or has one in it."""
    return isinstance(answer, list) or (
        isinstance(answer, dict) and any(holds_list(value) for value in answer.values())
    )

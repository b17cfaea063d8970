"""An exchange as ccxt speaks to it: opened with the user's options, and asked until it answers.

Endpoint, proxy and timeout are ccxt's own options, in the JSON file that the environment variable
CCXT_CONFIG names: they don't change what the data is, so they are no settings of params.yaml.
"""

import copy
import hashlib
import json
import os
import random
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, TypeVar

import ccxt
import pandas as pd
from tqdm import tqdm

from stages.common.errors import InputError, printable
from stages.common.params import nearest
from stages.common.settings import read_text
from stages.fetch.exchange.pacing import Pacer
from stages.fetch.exchange.session import Session

CONFIG_VARIABLE = "CCXT_CONFIG"
LONGEST_ANSWER = 300  # characters of it that a line repeats
LONGEST_CONFIG = 20_000  # bytes; each word of it is looked for in every answer that a line repeats
DEEPEST_CONFIG = 20  # blocks in blocks; ccxt joins them with its own by recursion
JSON_TYPES = (bool, int, float, str, list, dict, type(None))
RULE = "fetch.exchange.name must be an exchange that answers"

TRIES = 8  # of one request, in a row
FIRST_WAIT_SECONDS, LONGEST_WAIT_SECONDS = 1.0, 60.0  # between tries; doubling, with jitter
LONGEST_PAUSE_SECONDS = 600.0  # that an exchange may ask for

# Statuses after which the same request can't succeed, though ccxt calls most of them worth another try.
FINAL = {400, 401, 403, 404, 405, 407, 410, 422, 451, 511}
TOO_FAST = {418, 429}
# Some exchanges say so with another status, as Bybit with 403, in words that ccxt doesn't know.
TOO_FAST_WORDS = re.compile(r"rate.?limit|too (frequent|many (requests|visits))", re.IGNORECASE)
BROKEN_OFF = {"ChunkedEncodingError", "ContentDecodingError"}  # of requests; to ccxt they are any error
MIRRORS = {"binance": "its public mirror, data-api.binance.vision, through CCXT_CONFIG, "}

# What ccxt can't read ends in whatever Python raises.
UNREADABLE = (ArithmeticError, AttributeError, LookupError, TypeError, ValueError)

Answer = TypeVar("Answer")


class HopelessError(InputError):
    """To ask for the same again is no use: something else has to change first."""


def open_exchange(name: str, pacer: Pacer | None = None) -> Any:
    """The exchange's ccxt object, with the options that CCXT_CONFIG adds. Raises InputError if unknown.

    It sends its requests when `pacer` lets it, and notes each answer's status as `http_status`.
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
        return hooked(exchange, pacer or Pacer())


def hooked(exchange: Any, pacer: Pacer) -> Any:
    """The exchange, with ccxt's own hooks used, one before each request and one after, and our session."""

    def throttle(cost: float | None = None) -> None:
        pacer.wait(exchange.rateLimit / 1000 * (1.0 if cost is None else cost))

    def on_rest_response(code: int, *others: Any) -> Any:
        exchange.http_status = code
        return type(exchange).on_rest_response(exchange, code, *others)

    exchange.pacer, exchange.throttle, exchange.on_rest_response = pacer, throttle, on_rest_response
    exchange.session = Session(pacer)
    exchange.session.trust_env = exchange.requests_trust_env
    # BitoPro's class would fill gaps with candles of its own, those before a market began from its future.
    exchange.insert_missing_candles = lambda candles, *_: candles
    return exchange


def read_config() -> dict[str, Any]:
    """Options for ccxt from the file that CCXT_CONFIG names, if any. Raises InputError if it is no JSON."""
    path = os.environ.get(CONFIG_VARIABLE)
    if not path:
        return {}
    place = printable(path)
    text = read_text(path, LONGEST_CONFIG, f"{CONFIG_VARIABLE} must name a readable file ({place})")
    try:
        config = json.loads(text)
    except ValueError as error:
        raise InputError(f"{CONFIG_VARIABLE} must name a JSON file; {place}: {error}.") from None
    except RecursionError:
        config = None
    if not isinstance(config, dict) or depth(config) > DEEPEST_CONFIG:
        rule = f"a JSON file of ccxt's options, {DEEPEST_CONFIG} blocks deep at most"
        raise InputError(f"{CONFIG_VARIABLE} must name {rule}; {place} has something else.")
    return config


def depth(value: Any) -> int:
    """How many lists and objects are in one another, the value itself among them."""
    found, blocks = 0, [value]
    while blocks := [block for block in blocks if isinstance(block, dict | list)]:
        found += 1
        blocks = [
            each for block in blocks for each in (block.values() if isinstance(block, dict) else block)
        ]
    return found


def read_options(name: str) -> dict[str, Any]:
    """The options of CCXT_CONFIG. Raises InputError where one would replace a part of ccxt's own code."""
    config, usual = read_config(), getattr(ccxt, name)()
    for key in config:
        is_code = key.startswith("_") or not isinstance(getattr(usual, key, None), JSON_TYPES)
        if hasattr(usual, key) and is_code:
            raise InputError(
                f"{CONFIG_VARIABLE} must hold options of ccxt's; received {key}, which is none."
            )
    return config


def endpoint_tag(name: str) -> str:
    """What tells another endpoint's candles apart, as a test server's: empty for the exchange's own."""
    if name not in ccxt.exchanges:
        return ""
    config = read_options(name)
    with one_line_errors(name):
        both = (getattr(ccxt, name)(options) for options in ({}, config))
        ends = [json.dumps([exchange.urls["api"], exchange.hostname]) for exchange in both]
    return "" if ends[0] == ends[1] else f"@{hashlib.sha256(ends[1].encode()).hexdigest()[:8]}"


def clock_of(exchange: Any) -> pd.Timestamp | None:
    """What time it was at the exchange when it last answered, as far as it says so."""
    time = date_in(exchange.last_response_headers, "Date")
    return None if time is None else pd.Timestamp(time)


def date_in(headers: Mapping[str, str] | None, name: str) -> datetime | None:
    """The time that one of an answer's headers tells, if it does."""
    try:
        time = parsedate_to_datetime((headers or {}).get(name, ""))
    except (OverflowError, ValueError):
        return None
    return time.replace(tzinfo=UTC) if time.tzinfo is None else time


def twin(exchange: Any) -> Any:
    """The same exchange, markets included, for another thread: ccxt keeps the last answer in the object."""
    return hooked(copy.copy(exchange), exchange.pacer)


@contextmanager
def one_line_errors(name: str) -> Iterator[None]:
    """What ccxt raises becomes an InputError of one line."""
    try:
        yield
    except InputError:
        raise
    except (ccxt.BaseError, *UNREADABLE) as error:
        raise InputError(f"{complaint(name, error)}.") from None


def complaint(name: str, error: Exception) -> str:
    """The rule and what ccxt raised, in one line, without the URL: a URL may hold a key."""
    if isinstance(error, OSError):  # as of requests, for certificates that aren't there
        return f"{RULE}; {repeated(' '.join(str(error).split()))}"
    if not isinstance(error, ccxt.BaseError):
        kind = type(error).__name__
        return f"{RULE}; {name}'s answer, or {CONFIG_VARIABLE}, gave {kind} in ccxt"
    words = [word for word in str(error).split() if "://" not in word]
    while words and words[0] in {name, "GET", "POST"}:
        words.pop(0)
    cause = f" ({type(error.__cause__).__name__})" if error.__cause__ else ""
    return f"{RULE}; {name} gave {repeated(' '.join([type(error).__name__, *words]))}{cause}"


def repeated(text: str) -> str:
    """As much of what an exchange or ccxt says as a line may repeat."""
    return printable(without_secrets(text)[:LONGEST_ANSWER], LONGEST_ANSWER)


def without_secrets(text: str) -> str:
    """A text less what CCXT_CONFIG holds: an exchange's answer may repeat an address or a key."""
    config = read_config()
    secrets = {
        str(leaf) for name in ccxt.Exchange().requiredCredentials for leaf in leaves(config.get(name, ""))
    }
    for word in sorted((secrets | words_in(config)) - {""}, key=len, reverse=True):
        text = text.replace(word, "***")
    return text


def words_in(config: Any) -> set[str]:
    """All texts and numbers of six characters or more that a JSON value holds, whole and by words."""
    texts = [str(leaf) for leaf in leaves(config)]
    words = {
        word for text in texts for word in [text, " ".join(text.split()), *re.split(r"[^\w.-]+", text)]
    }
    return {word for word in words if len(word) > 5}


def leaves(value: Any) -> Iterator[Any]:
    """Every value of a JSON value that is no list and no object."""
    if not isinstance(value, dict | list):
        yield value
        return
    for each in value.values() if isinstance(value, dict) else value:
        yield from leaves(each)


def ask(exchange: Any, call: Callable[[], Answer], sound: Callable[[], bool]) -> Answer:
    """What a call of ccxt's gives, once it is sound; tried again where that may help, and no more often.

    Raises HopelessError where it can't help, another InputError where it hasn't, and StoppedError where
    another thread has met the end.
    """
    for tries in range(1, TRIES + 1):
        exchange.http_status = exchange.last_json_response = exchange.last_response_headers = None
        exchange.pacer.wait(0)
        problem, too_fast = f"{RULE}; {exchange.id} gave something else than what it was asked for", False
        try:
            answer = call()
        except (ccxt.BaseError, OSError, *UNREADABLE) as error:
            problem, status = complaint(exchange.id, error), exchange.http_status
            too_fast = says_too_fast(error, status)
            if status == 451 or (status == 403 and not too_fast):
                raise HopelessError(region_block(exchange.id, status)) from None
            if not (too_fast or worth_another_try(error, status)):
                raise HopelessError(f"{problem}.") from None
        else:
            if sound():
                return answer
        if tries < TRIES:
            back_off(exchange, tries, problem, too_fast=too_fast)
    raise InputError(f"{problem}, {TRIES} times in a row.")


def says_too_fast(error: Exception, status: int | None) -> bool:
    """Whether the exchange says that it was asked too fast, by a status, in a code or in words."""
    # ccxt takes Bybit's 403 for nothing else, though it is a region block as well.
    in_code = isinstance(error, (ccxt.DDoSProtection, ccxt.RateLimitExceeded))
    in_words = isinstance(error, ccxt.BaseError) and TOO_FAST_WORDS.search(str(error)) is not None
    return status in TOO_FAST or in_words or (in_code and status != 403)


def worth_another_try(error: Exception, status: int | None) -> bool:
    """Whether the same request may well succeed later; `status` of the answer, None if there was none.

    What ccxt reads in an answer counts for more than its status: OKX's time-outs have 400, and all of
    Bitfinex's errors 500, an unknown symbol too.
    """
    cause = error.__cause__
    if "CERTIFICATE_VERIFY_FAILED" in str(cause):
        return False
    if isinstance(error, ccxt.RequestTimeout) or type(cause).__name__ in BROKEN_OFF:
        return True
    if status in FINAL:
        return False
    if type(error) is ccxt.ExchangeError:  # nothing that ccxt can read
        return status is not None and status >= 500
    if isinstance(error, ccxt.BaseError):
        return isinstance(error, ccxt.OperationFailed)
    return status is not None  # without an answer, it is the options that ccxt can't read


def region_block(name: str, status: int) -> str:
    """What to do about an exchange that doesn't serve the place from which it is asked."""
    or_else = "; or a firewall that has had enough for a while" if status == 403 else ""
    return (
        f"fetch.exchange.name must be an exchange that serves your region; {name} refused "
        f"(status {status}{or_else}): take {MIRRORS.get(name, '')}another exchange, or fetch.source: file."
    )


def back_off(exchange: Any, tries: int, problem: str, *, too_fast: bool) -> None:
    """Wait before the next try twice as long as the last time, or as long as the exchange asks, if longer.

    Where it asks for a pause, or was asked too fast, all threads wait. Raises InputError where it asks
    for more than LONGEST_PAUSE_SECONDS.
    """
    asked = retry_after(exchange.last_response_headers)
    doubled = min(FIRST_WAIT_SECONDS * 2 ** (tries - 1), LONGEST_WAIT_SECONDS)
    seconds = max(asked or 0.0, doubled * random.uniform(0.5, 1))  # noqa: S311  # no secret
    if seconds > LONGEST_PAUSE_SECONDS:
        raise InputError(f"{problem}, and asks to be left alone for {seconds:,.0f} seconds.")
    event = f"fetch: {problem.removeprefix(f'{RULE}; ')}; try {tries + 1} of {TRIES}"
    if exchange.pacer.is_news(event):
        say(f"{event} in {seconds:.1f} s")
    if too_fast or asked is not None:
        exchange.pacer.pause(seconds)
    else:
        exchange.pacer.nap(seconds)


def say(text: str) -> None:
    """A line for the log, above the bar that shows progress on a terminal."""
    if sys.stderr.isatty():
        tqdm.write(text, file=sys.stderr)
    else:
        print(text, file=sys.stderr, flush=True)


def retry_after(headers: Mapping[str, str] | None) -> float | None:
    """Seconds that an answer's Retry-After asks to wait, or the time that it names is away; None without.

    Source: RFC 9110, section 10.2.3.
    """
    value = (headers or {}).get("Retry-After", "")
    if value.isdecimal():
        return float(value)
    time = date_in(headers, "Retry-After")
    if time is None:
        return None
    # By the clock of the one who names it, if it tells.
    return max(0.0, (time - (date_in(headers, "Date") or datetime.now(UTC))).total_seconds())


def load_markets(exchange: Any, symbols: list[str]) -> None:
    """Have the exchange list its markets: only those of spot trading, if the symbols need no more."""
    listed = exchange.options.get("fetchMarkets")
    types = listed.get("types") if isinstance(listed, dict) else None
    # Otherwise Binance's list needs three hosts to answer, two of them for futures.
    if isinstance(types, list) and "spot" in types and not any(":" in symbol for symbol in symbols):
        listed["types"] = ["spot"]
    ask(exchange, lambda: exchange.load_markets(reload=True), lambda: bool(exchange.markets))


def holds_rows(answer: Any) -> bool:
    """Whether parsed JSON is a list of rows, or of a column, or has one in it; the list may be empty.

    Otherwise it is HTML, half an answer or an error, all of which ccxt takes for no rows.
    """
    if isinstance(answer, dict):
        # Kraken has a list of errors beside the rows; it is empty then, as rows may be.
        return any(holds_rows(value) for key, value in answer.items() if key not in {"error", "errors"})
    return isinstance(answer, list) and all(
        isinstance(item, int | float) or (isinstance(item, list | dict) and len(item) >= 5)
        for item in answer
    )

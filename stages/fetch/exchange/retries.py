"""A request that is tried again: only where that may help, and each time after a longer wait."""

import random
import re
from collections.abc import Callable
from typing import Any, TypeVar

import ccxt

from stages.common.errors import InputError
from stages.fetch.exchange.complaints import RULE, UNREADABLE, complaint
from stages.fetch.exchange.headers import retry_after
from stages.fetch.exchange.progress import say

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

Answer = TypeVar("Answer")


class HopelessError(InputError):
    """To ask for the same again is no use: something else has to change first."""


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

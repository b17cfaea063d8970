"""What goes wrong with an exchange, in one line, without an address or a key of the user's."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import ccxt

from stages.common.errors import InputError, printable
from stages.fetch.exchange.options import CONFIG_VARIABLE, read_config

LONGEST_ANSWER = 300  # characters of it that a line repeats
RULE = "fetch.exchange.name must be an exchange that answers"

# What ccxt can't read ends in whatever Python raises.
UNREADABLE = (ArithmeticError, AttributeError, LookupError, TypeError, ValueError)


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

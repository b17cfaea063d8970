"""The user's options for ccxt: endpoint, proxy, time-out, in the JSON file that CCXT_CONFIG names.

They don't change what the data is, so they are no settings of params.yaml.
"""

import json
import os
from typing import Any

import ccxt

from stages.common.errors import InputError, printable
from stages.common.settings import read_text

CONFIG_VARIABLE = "CCXT_CONFIG"
LONGEST_CONFIG = 20_000  # bytes; each word of it is looked for in every answer that a line repeats
DEEPEST_CONFIG = 20  # blocks in blocks; ccxt joins them with its own by recursion
JSON_TYPES = (bool, int, float, str, list, dict, type(None))


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


def read_config() -> dict[str, Any]:
    """Options for ccxt from the file that CCXT_CONFIG names, if any. Raises InputError if it is no JSON."""
    path = os.environ.get(CONFIG_VARIABLE)
    if not path:
        return {}
    place = printable(path)
    text = read_text(path, LONGEST_CONFIG, f"{CONFIG_VARIABLE} must name a readable file ({place})")
    try:
        config = json.loads(text)
        usable = isinstance(config, dict) and depth(config) <= DEEPEST_CONFIG
    except ValueError as error:
        raise InputError(f"{CONFIG_VARIABLE} must name a JSON file; {place}: {error}.") from None
    except RecursionError:
        usable = False
    if not usable:
        rule = f"a JSON file of ccxt's options, {DEEPEST_CONFIG} blocks deep at most"
        raise InputError(f"{CONFIG_VARIABLE} must name {rule}; {place} has something else.")
    return config


def depth(value: Any) -> int:
    """How many lists and objects are in one another, the value itself among them."""
    if not isinstance(value, dict | list):
        return 0
    return 1 + max(map(depth, value.values() if isinstance(value, dict) else value), default=0)

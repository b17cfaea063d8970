"""The settings of params.yaml, with some of them changed."""

from collections.abc import Mapping
from copy import deepcopy
from functools import reduce
from operator import getitem
from typing import Any


def changed(values: dict[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """A copy of what params.yaml holds, with other values; `changes`: by dotted key."""
    values = deepcopy(values)
    for key, value in changes.items():
        *blocks, last = key.split(".")
        reduce(getitem, blocks, values)[last] = value
    return values

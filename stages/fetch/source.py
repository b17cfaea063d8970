"""What every source of candles has, and the one that the settings name."""

import importlib
from collections.abc import Callable
from dataclasses import dataclass

import pandas as pd

from stages.fetch.params import FetchParams


@dataclass(frozen=True)
class Source:
    """A source of candles, as SOURCE in stages/fetch/<its name>/candles.py.

    `fetch_candles`: every symbol's candles in [fetch.start, fetch.end), and maybe others, still to be
    cleaned: clean.COLUMNS, `open_time` in UTC. `check`: raises InputError where it can't have them, as far
    as can be told offline; left out where any can be had. `has_order`: whether the order and repetition of
    its rows are facts of the source, as a file's are; elsewhere they would be accidents of the transfer.
    `has_clock`: whether its candles come as time goes by, so that one that still forms will change; those
    of a made-up market don't.
    """

    fetch_candles: Callable[[FetchParams], dict[str, pd.DataFrame]]
    check: Callable[[FetchParams], object] = lambda _: None
    has_order: bool = False
    has_clock: bool = True


def source_of(params: FetchParams) -> Source:
    """The source that fetch.source names: of all of them it alone is imported, which may take a while."""
    source = importlib.import_module(f"stages.fetch.{params.source}.candles").SOURCE
    assert isinstance(source, Source)
    return source

"""A market of 50,000 candles, and settings that fetch all of it."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml

from stages.common.params import read_params
from stages.fetch.exchange.pages import Span
from tests.conftest import random_candles
from tests.fetch.conftest import ROOT, fetch_settings
from tools.exchange_server import ExchangeServer, serve

N_BARS = 50_000
START, END = "2018-01-01", "2023-09-15T08:00"  # N_BARS hours
HOUR_MS = 3_600_000


@pytest.fixture(scope="session")
def long_market() -> pd.DataFrame:
    """N_BARS hours less some gaps, with a hundred hours more behind the end."""
    missing = [0, 1, *range(700, 730), *range(990, 1003), 20_000, 33_333, *range(49_990, 50_002)]
    return random_candles(N_BARS + 100, missing=missing, start=START)


@pytest.fixture(scope="module")
def server(long_market: pd.DataFrame) -> Iterator[ExchangeServer]:
    """A server of the long market."""
    with serve({"BTC/USDT": long_market}) as running:
        yield running


def write_params(folder: Path) -> None:
    """params.yaml that fetches the whole market from the exchange, into a folder."""
    settings: dict[str, Any] = fetch_settings(source="exchange", start=START, end=END)
    values = {**read_params(str(ROOT / "params.yaml")), "fetch": settings}
    (folder / "params.yaml").write_text(yaml.safe_dump(values))


def outputs(folder: Path) -> dict[str, bytes]:
    """What fetch wrote."""
    return {path.name: path.read_bytes() for path in (folder / "data/candles").iterdir()}


def kept_spans(folder: Path) -> list[Span]:
    """The stretches of time that are safely stored."""
    names = (path.stem.split("_") for path in (folder / ".cache/candles").rglob("[0-9]*_*.parquet"))
    return sorted(Span(int(first), int(last)) for first, last in names)

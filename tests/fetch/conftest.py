"""Settings of fetch, and an exchange that answers on this machine."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, get_args

import pandas as pd
import pytest

from stages.fetch.exchange.pacing import Pacer, StoppedError
from stages.fetch.params import FetchParams
from tests.conftest import MakeCandles
from tests.settings import shipped
from tools.exchange_server import ExchangeServer, running

ROOT = Path(__file__).parents[2]

SOURCES = get_args(FetchParams.model_fields["source"].annotation)

MakeParams = Callable[..., FetchParams]


def fetch_settings(**changes: Any) -> dict[str, Any]:
    """The block `fetch` of params.yaml, its window where the small markets start, with changes."""
    block: dict[str, Any] = shipped()["fetch"]
    return {**block, "start": "2022-01-03", "end": "2022-01-10", **changes}


def changed(candles: pd.DataFrame, row: int, **values: Any) -> pd.DataFrame:
    """The candles with one row changed."""
    candles = candles.copy()
    for name, value in values.items():
        candles.loc[row, name] = value
    return candles


@pytest.fixture
def make_params() -> MakeParams:
    """`make_params(end="2022-02-01")` gives valid settings."""
    return lambda **changes: FetchParams.model_validate(fetch_settings(**changes))


@pytest.fixture
def market(make_candles: MakeCandles) -> pd.DataFrame:
    """Hourly candles of 2,500 hours from 2022-01-03 on, some of them missing."""
    return make_candles(2500, missing=[5, 6, 997, 998, 999, 1000, 1700])


@pytest.fixture
def exchange_server(
    market: pd.DataFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[ExchangeServer]:
    """A server of that market as BTC/USDT, which CCXT_CONFIG makes ccxt's Binance, for an empty folder."""
    monkeypatch.chdir(tmp_path)
    with running(ExchangeServer({"BTC/USDT": market})) as server:
        config = tmp_path / "ccxt.json"
        config.write_text(json.dumps(server.config))
        monkeypatch.setenv("CCXT_CONFIG", str(config))
        yield server


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Makes time pass only where fetch waits for it, and at once; each wait is noted here, in seconds."""
    found: list[float] = []

    def nap(pacer: Pacer, seconds: float) -> None:
        if pacer.stopped.is_set():
            raise StoppedError
        found.append(seconds)

    monkeypatch.setattr(Pacer, "clock", lambda _: sum(found))
    monkeypatch.setattr(Pacer, "nap", nap)
    return found

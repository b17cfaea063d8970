from pathlib import Path

import pandas as pd
import pytest

from stages.fetch.clean import COLUMNS
from stages.fetch.receipt import content_sha256
from stages.fetch.stage import fetch
from tests.fetch.conftest import SOURCES, MakeParams
from tools.exchange_server import ExchangeServer


@pytest.mark.parametrize("source", SOURCES)
def test_candles_and_receipt_of_any_source(
    exchange_server: ExchangeServer, market: pd.DataFrame, make_params: MakeParams, source: str
):
    """A table a symbol, all of one schema, and a receipt that is of these; no output is written."""
    folder = Path("data/import/file")
    folder.mkdir(parents=True)
    market.to_csv(folder / "BTC-USDT.csv", index=False)
    params = make_params(source=source)

    candles, receipt = fetch(params)

    table = candles.pop("BTC/USDT")
    assert candles == {}
    assert list(table) == COLUMNS
    assert table.dtypes.equals(market.dtypes)
    assert table["open_time"].between(params.start_time, params.end_time, inclusive="left").all()
    assert [*receipt["source"]] == [source]
    assert receipt["symbols"]["BTC/USDT"]["sha256"] == content_sha256(table)
    assert not Path("data/candles").exists()

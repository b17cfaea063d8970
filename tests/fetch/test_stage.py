from pathlib import Path

import pandas as pd
import pytest

from stages.common.errors import InputError
from stages.fetch import stage
from stages.fetch.clean import COLUMNS
from stages.fetch.receipt import content_sha256
from stages.fetch.source import Source
from stages.fetch.stage import fetch
from tests.fetch.conftest import SOURCES, MakeParams
from tools.exchange_server import ExchangeServer


def test_no_source_gets_a_candle_that_still_forms_past(
    market: pd.DataFrame, make_params: MakeParams, monkeypatch: pytest.MonkeyPatch
):
    """Also one whose author never thought of it; the made-up market alone has no clock to wait for."""
    close = market["open_time"].iloc[-1] + pd.Timedelta("1h")
    params, forms = make_params(end=str(close.tz_localize(None))), close + pd.Timedelta("30s")
    for has_clock in (False, True):
        source = Source(lambda _: {"BTC/USDT": market}, has_clock=has_clock)
        monkeypatch.setattr(stage, "source_of", lambda _, source=source: source)
        if not has_clock:
            assert len(fetch(params, forms).candles["BTC/USDT"]) == len(market)
    with pytest.raises(InputError, match=r"^fetch\.end must leave closed candles only"):
        fetch(params, forms)
    assert len(fetch(params, close + pd.Timedelta("1min")).candles["BTC/USDT"]) == len(market)


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

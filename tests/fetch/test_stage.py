from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from stages.common.errors import InputError
from stages.fetch import stage
from stages.fetch.clean import COLUMNS
from stages.fetch.receipt import content_sha256
from stages.fetch.source import Source
from stages.fetch.stage import fetch
from tests.fetch.conftest import ROOT, SOURCES, MakeParams, changed
from tools.exchange_server import ExchangeServer

# How BTC/USDT gets into data/import/<source>/, of each source that reads files there. Times are in ms, UTC.
PUT: dict[str, Callable[[pd.DataFrame, Path], None]] = {
    "file": lambda market, folder: market.to_csv(folder / "BTC-USDT.csv", index=False),
}


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


@pytest.mark.parametrize("row", ["2034-01-27", "1970-01-01"])
def test_no_source_gets_a_row_past_that_is_of_no_past_time(
    market: pd.DataFrame, make_params: MakeParams, monkeypatch: pytest.MonkeyPatch, row: str
):
    """Beyond the window, too, where nobody else looks: a clock, or a unit, is wrong."""
    rows = changed(market, 2400, open_time=pd.Timestamp(row, tz="UTC"))
    monkeypatch.setattr(stage, "source_of", lambda _: Source(lambda _: {"BTC/USDT": rows}))

    with pytest.raises(InputError, match=f"times of BTC/USDT must .* received {row} .* row 2,401"):
        fetch(make_params(), pd.Timestamp("2026-01-01", tz="UTC"))


@pytest.mark.parametrize("source", SOURCES)
def test_candles_and_receipt_of_any_source(
    exchange_server: ExchangeServer, market: pd.DataFrame, make_params: MakeParams, source: str
):
    """A table a symbol, all of one schema, and a receipt that is of these; no output is written."""
    folder = Path("data/import", source)
    folder.mkdir(parents=True)
    if source in PUT:
        PUT[source](market, folder)
    params = make_params(source=source)

    candles, receipt = fetch(params)

    [(symbol, table)] = candles.items()
    assert symbol == "BTC/USDT"
    assert list(table) == COLUMNS
    assert table.dtypes.equals(market.dtypes)
    assert table["open_time"].between(params.start_time, params.end_time, inclusive="left").all()
    assert [*receipt["source"]] == [source]
    assert receipt["symbols"]["BTC/USDT"]["sha256"] == content_sha256(table)
    assert not Path("data/candles").exists()


@pytest.mark.parametrize("source", SOURCES)
def test_a_source_has_a_folder_in_git_unless_it_reads_it(source: str):
    """DVC wants one, and refuses to track candles in one that git has: who has some makes the folder."""
    texts = [path.read_text(encoding="utf-8") for path in (ROOT / "stages/fetch" / source).rglob("*.py")]
    reads = any("data/import" in text for text in texts)

    in_git = (ROOT / "data/import" / source / ".gitkeep").exists()
    assert in_git != reads, f"data/import/{source}/.gitkeep must be there just if {source} reads no files"
    assert reads == (source in PUT), "PUT must have each source that reads data/import/, and no other"
    if reads:
        for page in ("docs/real-candles.md", "SECURITY.md"):
            text = (ROOT / page).read_text(encoding="utf-8")
            assert f"data/import/{source}" in text, f"{page} must say what of {source} is read, and how"

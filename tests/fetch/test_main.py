import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from pandas.testing import assert_frame_equal

from stages.common.errors import InputError
from stages.common.tables import read_tables
from stages.fetch.__main__ import main
from stages.params import load_params
from tests import settings
from tests.fetch.conftest import ROOT, fetch_settings
from tools.exchange_server import ExchangeServer


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder to run the stage in, which is where the test runs."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data/import/file").mkdir(parents=True)
    return tmp_path


def write_params(**changes: Any) -> None:
    """params.yaml with other settings of fetch, in this folder."""
    settings.write_params({"fetch": fetch_settings(**changes)})


def written() -> dict[str, bytes]:
    """What stands in data/candles/."""
    return {path.name: path.read_bytes() for path in Path("data/candles").iterdir()}


def fails() -> subprocess.CompletedProcess[str]:
    """The stage, run in this folder as DVC runs it."""
    return subprocess.run(
        [sys.executable, "-m", "stages.fetch"],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )


def test_exchange_and_file_give_the_same_bytes(
    checkout: Path,
    exchange_server: ExchangeServer,
    market: pd.DataFrame,
    capsys: pytest.CaptureFixture[str],
):
    """The same candles give the same Parquet, whether an exchange or a file has them."""
    end = "2022-04-01"
    write_params(source="exchange", end=end)
    main(load_params())
    from_exchange = written()
    market.to_csv("data/import/file/BTC-USDT.csv", index=False)
    write_params(source="file", end=end)
    main(load_params())
    from_file = written()

    assert from_exchange.keys() == {"BTC-USDT.parquet", "receipt.json"}
    assert from_exchange["BTC-USDT.parquet"] == from_file["BTC-USDT.parquet"]
    receipts = [json.loads(found["receipt.json"]) for found in (from_exchange, from_file)]
    assert [receipt.pop("source").popitem()[0] for receipt in receipts] == ["exchange", "file"]
    of_file = receipts[1]["symbols"]["BTC/USDT"]
    assert [of_file.pop(key) for key in ("duplicate_rows_dropped", "out_of_order_rows_sorted")] == [0, 0]
    assert receipts[0] == receipts[1]
    [(name, table)] = read_tables("data/candles").items()
    assert name == "BTC-USDT"
    assert_frame_equal(table, market[market["open_time"] < pd.Timestamp(end, tz="UTC")], check_exact=True)
    assert "fetch: BTC/USDT: 2,105 candles, " in capsys.readouterr().out


def test_same_input_same_bytes(checkout: Path, market: pd.DataFrame):
    """A second run writes nothing else, the receipt included, which says nothing of time or place."""
    market.to_parquet("data/import/file/BTC-USDT.parquet")
    shutil.copy("data/import/file/BTC-USDT.parquet", "data/import/file/ETH-USDT.parquet")
    write_params(source="file", symbols=["ETH/USDT", "BTC/USDT"])
    main(load_params())
    first = written()
    main(load_params())

    assert written() == first
    assert first.keys() == {"BTC-USDT.parquet", "ETH-USDT.parquet", "receipt.json"}
    assert list(json.loads(first["receipt.json"])["symbols"]) == ["BTC/USDT", "ETH/USDT"]


def test_a_shuffled_file_gives_the_same_candles(
    checkout: Path, market: pd.DataFrame, capsys: pytest.CaptureFixture[str]
):
    """Rows in any order, some of them twice, give the same Parquet; the receipt and the line tell."""
    market.to_csv("data/import/file/BTC-USDT.csv", index=False)
    write_params(source="file")
    main(load_params())
    sound = written()
    rough = pd.concat([market, market[7:10]]).sample(frac=1, random_state=1)
    rough.to_csv("data/import/file/BTC-USDT.csv", index=False)
    main(load_params())

    assert written()["BTC-USDT.parquet"] == sound["BTC-USDT.parquet"]
    before, after = (json.loads(found["receipt.json"]) for found in (sound, written()))
    facts = after["symbols"]["BTC/USDT"]
    assert facts["duplicate_rows_dropped"] == 3
    n_sorted = facts["out_of_order_rows_sorted"]
    assert n_sorted > 0
    counts = {"duplicate_rows_dropped": 0, "out_of_order_rows_sorted": 0}
    assert before == {**after, "symbols": {"BTC/USDT": {**facts, **counts}}}
    told = capsys.readouterr().out.splitlines()
    assert told[1] == f"{told[0]}, 3 duplicate rows dropped, {n_sorted} rows put in order"


def test_rows_beyond_the_window_change_nothing(checkout: Path, market: pd.DataFrame):
    """A file that has grown since gives the same bytes, the receipt included."""
    write_params(source="file", end="2022-01-31")
    found = []
    for rows in (market[:800], market, pd.concat([market[:800], market[:700:-1]])):
        rows.to_csv("data/import/file/BTC-USDT.csv", index=False)
        main(load_params())
        found.append(written())

    assert found[0] == found[1] == found[2]


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda market: market.assign(close=-1.0), "ETH/USDT must have 99% sound rows or more"),
        (
            lambda market: market[:100],
            "longest gap of ETH/USDT from its first candle to fetch.end, 2022-01-10",
        ),
        (lambda market: market.drop(index=range(50, 100)), "it lacks 50 bars from 2022-01-05T04:00"),
    ],
)
def test_bad_input_changes_no_output(
    checkout: Path,
    market: pd.DataFrame,
    spoil: Callable[[pd.DataFrame], pd.DataFrame],
    message: str,
):
    """One bad file, such as one that ends long before fetch.end, leaves all of data/candles/ as it was."""
    for name in ("BTC-USDT", "ETH-USDT"):
        market.to_parquet(f"data/import/file/{name}.parquet")
    write_params(source="file", symbols=["BTC/USDT", "ETH/USDT"])
    main(load_params())
    before = written()
    spoil(market).to_parquet("data/import/file/ETH-USDT.parquet")

    with pytest.raises(InputError, match=message):
        main(load_params())

    assert written() == before
    assert [path.name for path in Path("data").iterdir() if path.name != "import"] == ["candles"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"max_gap_bars": -1}, "fetch.max_gap_bars should be greater than or equal to 0"),
        ({"end": "2021-01-01"}, "fetch.end must be later than fetch.start"),
        ({"source": "file"}, "fetch.symbols: BTC/USDT must have one of BTC-USDT.parquet, "),
    ],
)
def test_bad_input_is_one_line_and_a_failure(checkout: Path, changes: dict[str, Any], message: str):
    """The command says what is wrong in a line, and its exit status isn't 0."""
    write_params(**changes)

    run = fails()

    assert run.returncode == 1
    assert run.stdout == ""
    assert run.stderr.startswith(f"error: {message}")
    assert run.stderr.count("\n") == 1

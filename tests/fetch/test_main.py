import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml
from pandas.testing import assert_frame_equal

from stages.common.errors import InputError
from stages.common.params import read_params
from stages.common.tables import read_tables
from stages.fetch.__main__ import main
from tests.exchange_server import ExchangeServer
from tests.fetch.conftest import ROOT, fetch_settings


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder to run the stage in, which is where the test runs."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data/import/file").mkdir(parents=True)
    return tmp_path


def write_params(**changes: Any) -> None:
    """params.yaml with other settings of fetch, in this folder."""
    values = {**read_params(str(ROOT / "params.yaml")), "fetch": fetch_settings(**changes)}
    Path("params.yaml").write_text(yaml.safe_dump(values))


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
    main()
    from_exchange = written()
    market.to_csv("data/import/file/BTC-USDT.csv", index=False)
    write_params(source="file", end=end)
    main()
    from_file = written()

    assert from_exchange.keys() == {"BTC-USDT.parquet", "receipt.json"}
    assert from_exchange["BTC-USDT.parquet"] == from_file["BTC-USDT.parquet"]
    receipts = [json.loads(found["receipt.json"]) for found in (from_exchange, from_file)]
    assert [receipt.pop("source").popitem()[0] for receipt in receipts] == ["exchange", "file"]
    assert receipts[0] == receipts[1]
    name, table = next(read_tables("data/candles"))
    assert name == "BTC-USDT"
    assert_frame_equal(table, market[market["open_time"] < pd.Timestamp(end, tz="UTC")], check_exact=True)
    assert "fetch: BTC/USDT: 2,105 candles, " in capsys.readouterr().out


def test_same_input_same_bytes(checkout: Path, market: pd.DataFrame):
    """A second run writes nothing else, the receipt included, which says nothing of time or place."""
    market.to_parquet("data/import/file/BTC-USDT.parquet")
    shutil.copy("data/import/file/BTC-USDT.parquet", "data/import/file/ETH-USDT.parquet")
    write_params(source="file", symbols=["ETH/USDT", "BTC/USDT"])
    main()
    first = written()
    main()

    assert written() == first
    assert first.keys() == {"BTC-USDT.parquet", "ETH-USDT.parquet", "receipt.json"}
    assert list(json.loads(first["receipt.json"])["symbols"]) == ["BTC/USDT", "ETH/USDT"]


def test_bad_input_changes_no_output(checkout: Path, market: pd.DataFrame):
    """One broken symbol leaves all of data/candles/ as it was."""
    market.to_parquet("data/import/file/BTC-USDT.parquet")
    write_params(source="file")
    main()
    before = written()
    market.assign(close=-1.0).to_parquet("data/import/file/ETH-USDT.parquet")
    write_params(source="file", symbols=["BTC/USDT", "ETH/USDT"], end="2022-01-05")

    with pytest.raises(InputError, match="ETH/USDT must have finite prices above 0"):
        main()

    assert written() == before
    assert [path.name for path in Path("data").iterdir() if path.name != "import"] == ["candles"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"end": "2021-01-01"}, "fetch.end: must be later than fetch.start"),
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

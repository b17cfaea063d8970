from pathlib import Path

import pandas as pd
import pytest
from pandas.testing import assert_frame_equal

from stages.common.calendar import read_releases
from stages.common.errors import InputError
from stages.common.tables import read_table, write_table
from stages.featurize.__main__ import main
from stages.featurize.groups import make_features
from stages.params import load_params
from tests.settings import write_params

COINS = ["BTC-USDT", "ETH-USDT"]


@pytest.fixture
def folder(tmp_path, monkeypatch, make_candles) -> Path:
    """A working folder with candles of two symbols and params.yaml with short windows."""
    write_params({"featurize.windows": [1, 4, 24]}, tmp_path)
    for seed, symbol in enumerate(COINS):
        write_table(tmp_path / f"data/candles/{symbol}.parquet", make_candles(200, seed=seed))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_each_symbol_gets_its_table(folder, capsys, make_candles):
    """data/features/ holds what the pure function makes of each symbol's candles, and a line sums up."""
    params = load_params()
    main(params)

    for seed, symbol in enumerate(COINS):
        candles = make_candles(200, seed=seed)
        expected = make_features(candles, read_releases(), pd.Timedelta(hours=1), 3, params.featurize)
        actual = read_table(folder / f"data/features/{symbol}.parquet")
        expected["close_time"] = expected["close_time"].dt.as_unit("ms")
        assert_frame_equal(actual, expected, check_exact=True)
    assert "334 rows" in capsys.readouterr().out


def test_the_same_candles_give_the_same_bytes(folder):
    """Running twice changes no byte."""
    main(load_params())
    first = [(folder / f"data/features/{symbol}.parquet").read_bytes() for symbol in COINS]
    main(load_params())
    assert first == [(folder / f"data/features/{symbol}.parquet").read_bytes() for symbol in COINS]


def test_bad_input_changes_no_output(folder, make_candles):
    """If one symbol's candles are too few, the old features of all symbols stay."""
    main(load_params())
    before = (folder / "data/features/BTC-USDT.parquet").read_bytes()
    write_table(folder / "data/candles/BTC-USDT.parquet", make_candles(100))
    write_table(folder / "data/candles/ETH-USDT.parquet", make_candles(20))

    with pytest.raises(InputError, match="received 20"):
        main(load_params())
    assert (folder / "data/features/BTC-USDT.parquet").read_bytes() == before
    assert {path.name for path in (folder / "data").iterdir()} == {"candles", "features"}

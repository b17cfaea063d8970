from pathlib import PurePath
from typing import Any

import numpy as np
import pandas as pd
import pytest

from stages.common.cache import VARIABLE
from stages.evaluate.ledger import (
    Trial,
    ledger_folder,
    market_hashes,
    md5,
    read_trial,
    write_trial,
)

TIMES = pd.date_range("2024-01-01 12:00", periods=72, freq="h", tz="UTC", unit="ms")  # of four days


def returns(seed: int) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Of 72 hours."""
    return np.random.default_rng(seed).standard_normal(72) / 100


def by_time(seed: int = 1) -> pd.DataFrame:
    """What a test's market and a strategy returned."""
    table = pd.DataFrame({"close_time": TIMES, "market_return": returns(seed), "net_return": returns(2)})
    return table.astype({"market_return": "float32", "net_return": "float32"})


def rows(**markets: int) -> pd.DataFrame:
    """Test rows of symbols, each with the returns of its seed."""
    tables = [
        pd.DataFrame({"symbol": symbol, "close_time": TIMES, "return_next": returns(seed)})
        for symbol, seed in markets.items()
    ]
    return pd.concat(tables, ignore_index=True)


def trial(**changes: Any) -> Trial:
    """A trial, but for the changes."""
    made = Trial(
        forecast=("predictions", "labels"),
        scores=("returns", "metrics"),
        settings={"task": "direction", "featurize.windows": [1, 4], "evaluate.cost_bps": 5.0},
        code={"stages/train/networks.py": "v1"},
        figures={"signal": 0, "skill_pct": 0.1 + 0.2},
        market=market_hashes(by_time(), rows(BTC=1)),
        by_time=by_time()[["close_time", "net_return"]],
        experiment="bold-ant",
    )
    return made._replace(**changes)


def test_a_trial_is_read_as_it_was_entered(tmp_path):
    """To the last digit."""
    entered = trial()

    found = read_trial(write_trial(tmp_path, entered))

    pd.testing.assert_frame_equal(found.by_time, entered.by_time, check_exact=True)
    assert found._replace(by_time=entered.by_time) == entered


@pytest.mark.parametrize("again", [{}, {"experiment": ""}, {"code": {}}], ids=str)
def test_the_same_result_has_one_file(tmp_path, again):
    """Whatever it is called, and whatever code came to it."""
    write_trial(tmp_path, trial())
    write_trial(tmp_path, trial(**again))

    assert len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize(
    "other",
    [
        {"forecast": ("others", "labels")},
        {"forecast": ("predictions", "others")},
        {"scores": ("others", "metrics")},
        {"scores": ("returns", "others")},
        {"settings": {"task": "direction", "evaluate.cost_bps": 1.0}},
    ],
    ids=str,
)
def test_another_result_has_another_file(tmp_path, other):
    """So has the same forecast traded at other costs, though no trade was made."""
    write_trial(tmp_path, trial())
    write_trial(tmp_path, trial(**other))

    assert len(list(tmp_path.iterdir())) == 2


def test_the_same_trial_gives_the_same_bytes(tmp_path):
    """No clock, no random order."""
    files = [write_trial(tmp_path / name, trial()) for name in ("one", "other")]

    assert files[0].read_bytes() == files[1].read_bytes()


def test_a_trial_that_cannot_be_entered_is_an_error(tmp_path):
    """The caller says so."""
    (tmp_path / "trials").write_text("", encoding="utf-8")

    with pytest.raises(OSError, match="trials"):
        write_trial(tmp_path / "trials", trial())


def test_the_ledger_is_in_the_cache_folder(tmp_path, monkeypatch):
    """Of the workspace, also where DVC runs evaluate in a temporary folder."""
    folder = tmp_path / ".dvc/tmp/exps/standalone/tmp1"
    folder.mkdir(parents=True)
    monkeypatch.chdir(folder)
    monkeypatch.delenv(VARIABLE, raising=False)

    assert ledger_folder() == tmp_path / ".cache/trials"


def test_a_folder_is_hashed_by_the_names_and_contents_of_its_tables(tmp_path):
    """And not by what a desktop drops there; tests/test_tries.py holds it against DVC's own hashes."""

    def hashed(**contents: bytes) -> str:
        folder = tmp_path / str(len(list(tmp_path.iterdir())))
        folder.mkdir()
        for name, content in contents.items():
            (folder / f"{name}.parquet").write_bytes(content)
        (folder / ".DS_Store").write_bytes(str(folder).encode())
        return md5(folder)

    reference = hashed(BTC=b"1", ETH=b"2")

    assert hashed(ETH=b"2", BTC=b"1") == reference
    assert len({reference, hashed(BTC=b"2", ETH=b"1"), hashed(BTC=b"1"), hashed(BTC=b"1", SOL=b"2")}) == 4


def test_a_folder_has_dvcs_hash_on_windows_too(tmp_path, monkeypatch):
    """There paths compare without case, and DVC's names with it."""
    for name in ("aUSD", "BTC"):
        (tmp_path / f"{name}.parquet").write_bytes(b"1")
    expected = md5(tmp_path)
    monkeypatch.setattr(PurePath, "__lt__", lambda self, other: str(self).lower() < str(other).lower())

    assert md5(tmp_path) == expected


def test_a_market_has_a_hash_a_day():
    """The mean's alone for one symbol; for several, each symbol's beside it."""
    (alone,) = market_hashes(by_time(1), rows(BTC=1))
    mean, *both = market_hashes(by_time(9), rows(BTC=1, ETH=2))

    assert len(alone) == 4
    assert all(len(each) == 8 for each in alone)
    assert both[0] == alone
    assert len({tuple(market) for market in (mean, *both)}) == 3


def test_the_last_bits_of_returns_and_the_order_of_rows_make_no_other_market():
    """Nor do negative zeros: all of that is code, not the market."""
    table = rows(BTC=1, ETH=2)
    table.loc[5, "return_next"] = 0.0
    noisy = table.assign(return_next=table["return_next"] * (1 + 1e-15))
    noisy.loc[5, "return_next"] = -0.0

    assert market_hashes(by_time(), noisy[::-1]) == market_hashes(by_time(), table)


def test_days_without_a_move_or_a_row_have_no_hash():
    """They look alike on every market."""
    table = rows(BTC=1, ETH=2)
    table.loc[:11, "return_next"] = 0.0  # BTC's first day
    late = table.drop(index=range(72, 84))  # ETH's

    _, btc, eth = market_hashes(by_time(), late)

    assert btc[0] == eth[0] == ""
    assert all([*btc[1:], *eth[1:]])


def test_the_same_returns_at_other_times_are_another_market():
    """A test that begins an hour later shares none of its days with this one unless the candles do."""
    table = rows(BTC=1, ETH=2)
    later = table.assign(close_time=table["close_time"] + pd.Timedelta(hours=1))

    hashes, moved = market_hashes(by_time(), table), market_hashes(by_time(), later)

    assert not set(hashes[1]) & set(moved[1])

from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq
import pytest
from pandas.testing import assert_frame_equal

from stages.common.tables import file_name, read_table, read_tables, write_table


@pytest.fixture
def table() -> pd.DataFrame:
    """A time column, a number and a text."""
    times = pd.date_range("2024-03-01", periods=3, freq="h", tz="UTC", unit="ms")
    return pd.DataFrame({"close_time": times, "y": [0.1, float("nan"), -3.0], "fold": ["1", "1", "live"]})


def names(folder: Path) -> list[str]:
    """Everything in a folder, hidden files too."""
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize(
    ("symbol", "stem"), [("BTC/USDT", "BTC-USDT"), ("BTC/USDT:USDT", "BTC-USDT_USDT"), ("EURUSD", "EURUSD")]
)
def test_a_symbol_becomes_the_stem_of_a_file(symbol, stem):
    """Slashes and colons, which file names can't have, are replaced."""
    assert file_name(symbol) == stem


def test_a_table_comes_back_as_it_was(tmp_path, table):
    """Values, order and types survive, missing numbers among them."""
    write_table(tmp_path / "table.parquet", table)
    assert_frame_equal(read_table(tmp_path / "table.parquet"), table, check_exact=True)


@pytest.mark.parametrize("unit", ["s", "us", "ns"])
def test_times_are_milliseconds_in_utc(tmp_path, table, unit):
    """Whatever a time's unit in memory, it is datetime64[ms, UTC] on disk: the bytes are the same."""
    write_table(tmp_path / "ms.parquet", table)
    write_table(tmp_path / "other.parquet", table.assign(close_time=table["close_time"].dt.as_unit(unit)))

    assert read_table(tmp_path / "other.parquet")["close_time"].dtype == "datetime64[ms, UTC]"
    assert (tmp_path / "other.parquet").read_bytes() == (tmp_path / "ms.parquet").read_bytes()


def test_times_in_another_zone_are_the_same_instants(tmp_path, table):
    """A time of another zone is written as the UTC time that it is."""
    local = table.assign(close_time=table["close_time"].dt.tz_convert("Asia/Tokyo"))
    write_table(tmp_path / "table.parquet", local)
    assert_frame_equal(read_table(tmp_path / "table.parquet"), table, check_exact=True)


def test_equal_frames_give_equal_bytes(tmp_path, table):
    """The index, and how a frame came about, leave no trace in the file."""
    shuffled = table.sample(frac=1, random_state=1).sort_values("close_time")
    shuffled.index = pd.Index([7, 8, 9], name="left over")
    shuffled.attrs["note"] = "not data"
    write_table(tmp_path / "first.parquet", table)
    write_table(tmp_path / "second.parquet", shuffled)
    assert (tmp_path / "first.parquet").read_bytes() == (tmp_path / "second.parquet").read_bytes()


def test_files_carry_no_notes_of_pandas(tmp_path, table):
    """The version of pandas is not part of the bytes."""
    write_table(tmp_path / "table.parquet", table)
    assert pq.read_schema(tmp_path / "table.parquet").metadata is None


def test_writing_takes_the_place_of_the_old_table(tmp_path, table):
    """A table is replaced as a whole, its folder made if need be, and nothing else is left behind."""
    path = tmp_path / "new" / "table.parquet"
    write_table(path, table)
    write_table(path, table.iloc[:1])
    assert len(read_table(path)) == 1
    assert names(path.parent) == ["table.parquet"]


def test_what_cannot_be_written_leaves_the_old_table(tmp_path, table):
    """A frame that Parquet can't hold raises before the file is touched."""
    write_table(tmp_path / "table.parquet", table)
    with pytest.raises(Exception, match="Conversion failed"):
        write_table(tmp_path / "table.parquet", table.assign(y=[1.0, "two", object()]))
    assert_frame_equal(read_table(tmp_path / "table.parquet"), table, check_exact=True)
    assert names(tmp_path) == ["table.parquet"]


def test_tables_come_in_the_order_of_their_names(tmp_path, table):
    """One table a symbol; the folds beside them, receipts and half-written files are none."""
    for name in ("SOL-USDT", "BTC-USDT", "folds", "ETH-USDT"):
        write_table(tmp_path / f"{name}.parquet", table)
    (tmp_path / "receipt.json").write_text("{}", encoding="utf-8")
    assert [name for name, _ in read_tables(str(tmp_path))] == ["BTC-USDT", "ETH-USDT", "SOL-USDT"]

from collections.abc import Callable
from pathlib import Path, PurePath

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pandas.testing import assert_frame_equal

from stages.common.errors import InputError
from stages.common.tables import TablesIn, file_name, read_table, read_tables, write_table


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
    """The version of pandas is not part of the bytes; the checksum is all that is noted."""
    write_table(tmp_path / "table.parquet", table)
    assert set(pq.read_schema(tmp_path / "table.parquet").metadata) == {b"barometer.sha256"}


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
    """One table a symbol; receipts and half-written files are none."""
    for name in ("SOL-USDT", "BTC-USDT", "ETH-USDT"):
        write_table(tmp_path / f"{name}.parquet", table)
    (tmp_path / "receipt.json").write_text("{}", encoding="utf-8")
    assert list(read_tables(str(tmp_path))) == ["BTC-USDT", "ETH-USDT", "SOL-USDT"]


@pytest.fixture
def windows_order(monkeypatch) -> None:
    """Paths compare as they do on Windows: without case."""
    monkeypatch.setattr(PurePath, "__lt__", lambda self, other: str(self).lower() < str(other).lower())


@pytest.mark.parametrize(
    "symbols", [["AAVE-USDT", "BTC-USDT", "aUSD"], ["BTC-USDT_USDT", "BTC-USDT_USDT-250328"]]
)
def test_the_order_is_that_of_the_names_on_every_machine(tmp_path, table, windows_order, symbols):
    """And not of the files, whose ending would count: a future's name may begin as another's."""
    for name in symbols:
        write_table(tmp_path / f"{name}.parquet", table)

    assert list(read_tables(str(tmp_path), symbols[::-1])) == symbols


def edited(path: Path, change: Callable[[pd.DataFrame], pd.DataFrame]) -> None:
    """Open a table and save it again, as a person would."""
    change(pd.read_parquet(path)).to_parquet(path)


def cut_short(path: Path) -> None:
    """Leave the first half of a file."""
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def kept_schema(path: Path) -> None:
    """Change a value, and leave everything else as it is, the checksum too."""
    arrow = pq.read_table(path)
    changed = pa.Table.from_pandas(arrow.to_pandas().assign(y=[0.1, 0.2, -3.0]), arrow.schema)
    pq.write_table(changed.replace_schema_metadata(arrow.schema.metadata), path)


CHANGES: dict[str, tuple[Callable[[Path], object], str]] = {
    "gone": (lambda path: path.unlink(), "no such file"),
    "empty": (lambda path: path.write_bytes(b""), "a file that can't be read: "),
    "cut short": (cut_short, "a file that can't be read: "),
    "a text": (lambda path: path.write_text("y\n1\n", encoding="utf-8"), "a file that can't be read: "),
    "a value": (
        lambda path: edited(path, lambda t: t.fillna({"y": 0.5})),
        "one that was changed",
    ),
    "a value alone": (kept_schema, "one that was changed"),
    "the order": (lambda path: edited(path, lambda t: t[::-1]), "one that was changed"),
    "a row": (lambda path: edited(path, lambda t: t[:-1]), "one that was changed"),
    "a column": (lambda path: edited(path, lambda t: t.drop(columns="y")), "one that was changed"),
    "a name": (lambda path: edited(path, lambda t: t.rename(columns={"y": "z"})), "one that was changed"),
    "a type": (lambda path: edited(path, lambda t: t.astype({"y": "float32"})), "one that was changed"),
}


@pytest.mark.parametrize(("change", "received"), CHANGES.values(), ids=CHANGES)
def test_a_table_that_is_not_as_it_was_written_is_refused(tmp_path, table, change, received):
    """In one line that names the file, what is wrong with it, and what mends it."""
    path = tmp_path / "table.parquet"
    write_table(path, table)
    change(path)

    with pytest.raises(InputError) as caught:
        read_table(path)

    message = str(caught.value)
    assert message.startswith(f"{path} must be as its stage wrote it; received {received}")
    assert message.endswith("`dvc repro` makes it anew.")
    assert len(message.splitlines()) == 1


def test_every_bit_counts(tmp_path, table):
    """A file with a byte that flipped on the disk is refused, or gives the very same table."""
    path = tmp_path / "table.parquet"
    write_table(path, table)
    sound, refused = path.read_bytes(), 0
    for place in range(len(sound)):
        path.write_bytes(sound[:place] + bytes([sound[place] ^ 1 << place % 8]) + sound[place + 1 :])
        try:
            assert_frame_equal(read_table(path), table, check_exact=True)
        except InputError:
            refused += 1
    assert refused > len(sound) / 2


@pytest.mark.parametrize(
    ("written", "wanted", "received"),
    [
        ([], None, "a symbol; received none"),
        ([], ["BTC-USDT"], r"a symbol \(BTC-USDT\); received none"),
        (["BTC-USDT"], ["ETH-USDT", "BTC-USDT"], r"\(BTC-USDT, ETH-USDT\); received BTC-USDT"),
        (["BTC-USDT", "ETH-USDT"], ["BTC-USDT"], "received BTC-USDT, ETH-USDT"),
    ],
)
def test_a_folder_with_other_symbols_is_refused(tmp_path, table, written, wanted, received):
    """A symbol is never left out in silence, and none comes from an earlier run."""
    for name in written:
        write_table(tmp_path / f"{name}.parquet", table)
    with pytest.raises(InputError, match=rf"must hold a table .*{received}\. `dvc repro`"):
        read_tables(str(tmp_path), wanted)


def test_a_folders_tables_are_read_as_they_are_asked_for(tmp_path):
    """By symbol and in order; what has changed since is seen."""
    for name in ("ETH-USDT", "BTC-USDT"):
        write_table(tmp_path / f"{name}.parquet", pd.DataFrame({"y": [1.0]}))
    tables = TablesIn(str(tmp_path))

    write_table(tmp_path / "ETH-USDT.parquet", pd.DataFrame({"y": [2.0]}))

    assert list(tables) == ["BTC-USDT", "ETH-USDT"]
    assert len(tables) == 2
    assert [table["y"].item() for table in tables.values()] == [1.0, 2.0]
    with pytest.raises(InputError, match="must hold a table a symbol"):
        TablesIn(str(tmp_path), ["BTC-USDT"])

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from pandas.testing import assert_frame_equal

from stages.common.errors import InputError
from stages.fetch.clean import clean
from stages.fetch.file.candles import fetch_candles, read_candles
from tests.conftest import MakeCandles
from tests.fetch.conftest import MakeParams

NUMBERS = ["open", "high", "low", "close", "volume"]


def unix(candles: pd.DataFrame, per_second: int) -> pd.Series:
    """Open times as Unix time."""
    ms = candles["open_time"].astype("int64")
    return ms * (per_second // 1000) if per_second > 1000 else ms // (1000 // per_second)


def freqtrade(candles: pd.DataFrame, folder: Path) -> None:
    """As freqtrade keeps it."""
    candles.rename(columns={"open_time": "date"}).to_feather(folder / "BTC-USDT.feather", compression="lz4")


def binance(candles: pd.DataFrame, folder: Path) -> None:
    """As Binance's public dumps have it: no header, in us from 2025 on, here from the 50th row on."""
    ms = unix(candles, 1000)
    times = ms.where(ms.index < 50, ms * 1000)
    rows = candles.assign(
        open_time=times, close_time=times + 3_599_999, quote=1.5, n=3, tb=0.5, tq=0.7, ignore=0
    )
    rows.to_csv(folder / "BTC-USDT.csv", header=False, index=False)


def binance_futures(candles: pd.DataFrame, folder: Path) -> None:
    """As Binance's dumps of futures have it: with a header, in ms."""
    rows = candles.assign(open_time=unix(candles, 1000), close_time=1, quote_volume=2.5, count=3, ignore=0)
    rows.to_csv(folder / "BTC-USDT.csv", index=False)


def cryptodatadownload(
    candles: pd.DataFrame, folder: Path, *, upper: bool = True, per_second: int = 1000
) -> None:
    """As CryptoDataDownload has it: an address above the header, newest first, two volumes."""
    title = str.title if upper else str.lower
    table = pd.DataFrame({title("unix"): unix(candles, per_second)})
    table[title("date")] = candles["open_time"].dt.strftime("%Y-%m-%d %I-%p")
    table[title("symbol")] = "BTCUSDT"
    for name in NUMBERS[:4]:
        table[title(name)] = candles[name]
    table["Volume USDT"] = candles["volume"] * candles["close"]
    table.insert(7, "Volume BTC", candles["volume"])
    text = "https://www.example.com\n" + table[::-1].assign(tradecount=7).to_csv(index=False)
    (folder / "BTC-USDT.csv").write_text(text)


def cryptodatadownload_lower(candles: pd.DataFrame, folder: Path) -> None:
    """As it has it at other times: in lower case, in seconds."""
    cryptodatadownload(candles, folder, upper=False, per_second=1)


def parquet_ns(candles: pd.DataFrame, folder: Path) -> None:
    """Parquet with a `timestamp` in ns."""
    named = candles.rename(columns={"open_time": "timestamp"})
    named.assign(timestamp=named["timestamp"].dt.as_unit("ns")).to_parquet(folder / "BTC-USDT.parquet")


def parquet_indexed(candles: pd.DataFrame, folder: Path) -> None:
    """Parquet with the times in pandas' index."""
    candles.rename(columns={"open_time": "timestamp"}).set_index("timestamp").to_parquet(
        folder / "BTC-USDT.parquet"
    )


def parquet_unix_ns(candles: pd.DataFrame, folder: Path) -> None:
    """Parquet with a `timestamp` in Unix time, ns."""
    table = candles.rename(columns={"open_time": "timestamp"})
    table.assign(timestamp=unix(candles, 10**9)).to_parquet(folder / "BTC-USDT.parquet")


def csv_iso(candles: pd.DataFrame, folder: Path) -> None:
    """CSV with a `timestamp` in ISO 8601, as pandas writes it."""
    candles.rename(columns={"open_time": "timestamp"}).to_csv(folder / "BTC-USDT.csv", index=False)


def csv_float_seconds(candles: pd.DataFrame, folder: Path) -> None:
    """CSV without a header, with seconds that carry a decimal point."""
    candles.assign(open_time=unix(candles, 1) / 1.0).to_csv(
        folder / "BTC-USDT.csv", header=False, index=False
    )


@pytest.mark.parametrize(
    "write",
    [
        freqtrade,
        binance,
        binance_futures,
        cryptodatadownload,
        cryptodatadownload_lower,
        parquet_ns,
        parquet_indexed,
        parquet_unix_ns,
        csv_iso,
        csv_float_seconds,
    ],
)
def test_every_format_gives_the_same_candles(
    make_candles: MakeCandles,
    make_params: MakeParams,
    folder: Path,
    write: Callable[[pd.DataFrame, Path], None],
):
    """What the publishers write is read as it is, to the last bit."""
    candles = make_candles(100, missing=[20])
    write(candles, folder)
    params = make_params(source="file", end="2022-01-07T04:00")

    found = clean(fetch_candles(params)["BTC/USDT"], "BTC/USDT", params)

    assert_frame_equal(found.candles, candles, check_exact=True)


def test_each_symbol_has_its_file(make_candles: MakeCandles, make_params: MakeParams, folder: Path):
    """Several symbols come from as many files, of any format; other files are left alone."""
    csv_iso(make_candles(30), folder)
    make_candles(40, seed=2).to_parquet(folder / "ETH-USDT_USDT.parquet")
    (folder / "notes.txt").write_text("nothing")

    found = fetch_candles(make_params(source="file", symbols=["ETH/USDT:USDT", "BTC/USDT"]))

    assert {symbol: len(table) for symbol, table in found.items()} == {"BTC/USDT": 30, "ETH/USDT:USDT": 40}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2022-07-01 02:00:00", "2022-07-01T00:00"),
        ("2022-07-01T02:00", "2022-07-01T00:00"),
        ("2022-07-01", "2022-06-30T22:00"),
        ("2022-07-01T00:00:00Z", "2022-07-01T00:00"),
        ("2022-07-01 00:00:00+00:00", "2022-07-01T00:00"),
        ("2022-07-01 05:00:00+05:00", "2022-07-01T00:00"),
        ("2022-06-30T19:00-0500", "2022-07-01T00:00"),
        ("1656633600", "2022-07-01T00:00"),
        ("1656633600.0", "2022-07-01T00:00"),
        ("1656633600000", "2022-07-01T00:00"),
        ("2022/7/1 2:00", "2022-07-01T00:00"),
        ("  2022-07-01T00:00:00Z ", "2022-07-01T00:00"),
        ("2022-07-01 02:00:00 +0200", "2022-07-01T00:00"),
        ("2022-07-01T02", "2022-07-01T00:00"),
    ],
)
def test_timezone_counts_where_a_time_has_none(folder: Path, text: str, expected: str):
    """fetch.file.timezone is that of times without an offset; Unix time is UTC."""
    path = folder / "BTC-USDT.csv"
    path.write_text(f"date,open,high,low,close,volume\n{text},1,1,1,1,1\n")

    found = read_candles(path, "BTC/USDT", "Europe/Berlin")

    assert found["open_time"].tolist() == [pd.Timestamp(expected, tz="UTC")]


def test_timezone_counts_for_date_times_without_one(make_candles: MakeCandles, folder: Path):
    """So it does where the file has date-times instead of text."""
    candles = make_candles(10)
    local = candles["open_time"].dt.tz_convert("Asia/Tokyo").dt.tz_localize(None)
    candles.assign(open_time=local).to_parquet(folder / "BTC-USDT.parquet")

    found = read_candles(folder / "BTC-USDT.parquet", "BTC/USDT", "Asia/Tokyo")

    assert found["open_time"].tolist() == candles["open_time"].tolist()


@pytest.mark.parametrize(
    "time",
    [
        "",
        "soon",
        "12-AM",
        "0",
        "-5",
        "44562.5",
        "16412256",
        "99999999999",
        "1e30",
        "2022-10-30 02:30",  # Berlin's clocks show it twice
        "2022-03-27 02:30",  # and this not at all
        "now",
        "today",
        "2022",
        "2022-01",
        "20220103",
        "202201030000",
        "44562",  # a day in Excel
        "01/02/2022",
        "13/01/2022 05:00",
        "01/13/2022 05:00",
        "3.1.2022",
        "2022-01-03 01:00 PM",
        "2022-01-03 00:00 UTC",
        "2022-01-03T00:00:00z",
        "2022-13-01",
        "9999-12-31 23:59",
    ],
)
def test_a_time_that_could_be_anything_is_refused(folder: Path, time: str):
    """No guess is made: the error shows the value."""
    path = folder / "BTC-USDT.csv"
    path.write_text(f"date,open,high,low,close,volume\n{time},1,1,1,1,1\n")

    with pytest.raises(InputError, match=r"must be ISO 8601, or Unix time.*fetch\.file\.timezone"):
        read_candles(path, "BTC/USDT", "Europe/Berlin")


def test_a_missing_file_is_told_with_what_is_there(make_params: MakeParams, folder: Path):
    """The error names the files looked for, and those found."""
    (folder / "BTCUSDT-1h.csv").write_text("")

    with pytest.raises(InputError) as caught:
        fetch_candles(make_params(source="file"))

    assert str(caught.value) == (
        "fetch.symbols: BTC/USDT must have one of BTC-USDT.parquet, BTC-USDT.feather, BTC-USDT.csv in "
        "data/import/file; received BTCUSDT-1h.csv."
    )


def test_an_empty_folder_is_told(make_params: MakeParams, folder: Path):
    """The file that keeps the folder in git doesn't count."""
    with pytest.raises(InputError, match="received an empty folder"):
        fetch_candles(make_params(source="file"))


def test_two_files_of_a_symbol_are_refused(
    make_candles: MakeCandles, make_params: MakeParams, folder: Path
):
    """Which of them counts is not for the program to say."""
    csv_iso(make_candles(3), folder)
    freqtrade(make_candles(3), folder)

    with pytest.raises(InputError, match=r"must have one of .*; received BTC-USDT.csv, BTC-USDT.feather"):
        fetch_candles(make_params(source="file"))


@pytest.mark.parametrize("suffix", ["parquet", "feather", "csv"])
@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\n",
        b"\x00\xff\xfe\x81",
        b"<html>no such page</html>",
        b"PAR1PAR1",
        b"1,2\n3,4\n",
        b"a,b\n1,2\n",
    ],
)
def test_nonsense_is_refused(make_params: MakeParams, folder: Path, suffix: str, content: bytes):
    """A file that holds no table, or another one, ends in one line that names it."""
    (folder / f"BTC-USDT.{suffix}").write_bytes(content)

    with pytest.raises(InputError) as caught:
        fetch_candles(make_params(source="file"))

    assert str(caught.value).startswith(f"fetch.symbols: data/import/file/BTC-USDT.{suffix} must h")
    assert "\n" not in str(caught.value)


def test_a_missing_column_is_named(folder: Path):
    """The error names the columns that are missing, and those that arrived."""
    path = folder / "BTC-USDT.csv"
    path.write_text("date,open,high,low,last,volume eth\n2022-01-03,1,1,1,1,1\n")

    with pytest.raises(
        InputError, match="columns close, volume; received date, open, high, low, last, volume_eth"
    ):
        read_candles(path, "BTC/USDT", "UTC")


def test_a_header_without_rows_leaves_no_candle(make_params: MakeParams, folder: Path):
    """A file of a header alone is refused when the candles are cleaned."""
    (folder / "BTC-USDT.csv").write_text("date,open,high,low,close,volume\n")
    params = make_params(source="file")

    with pytest.raises(InputError, match="BTC/USDT has none"):
        clean(fetch_candles(params)["BTC/USDT"], "BTC/USDT", params)


def test_a_column_given_twice_is_refused(tmp_path):
    """`Open` and `open` are one name: which of them counts is not for us to guess."""
    path = tmp_path / "BTC-USDT.csv"
    path.write_text("timestamp,Open,open,high,low,close,volume\n1640995200,1,1,1,1,1,1\n", encoding="utf-8")

    with pytest.raises(InputError, match="each column once"):
        read_candles(path, "BTC/USDT", "UTC")


def test_a_column_of_whole_numbers_may_have_others_later(tmp_path: Path):
    """Types are those of the whole file, also where a reader looks at its first MiB alone."""
    path = tmp_path / "BTC-USDT.csv"
    times = 1_640_995_200 + 60 * np.arange(60_000)
    lines = [f"{time},5,5,5,5,0\n" for time in times]
    path.write_text("".join([*lines, f"{times[-1] + 60},5.5,5.5,5.5,5.5,0.25\n"]))

    found = read_candles(path, "BTC/USDT", "UTC")

    assert found["close"].iloc[-1] == 5.5
    assert found["volume"].iloc[-1] == 0.25
    assert len(found) == 60_001

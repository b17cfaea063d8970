from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pandas.testing import assert_frame_equal

from stages.common.errors import InputError
from stages.fetch.clean import COLUMNS
from stages.fetch.file.candles import read_candles
from tests.fetch.file.dirt import SYMBOL, WEEK, binary, csv


@given(data=st.data(), header=st.booleans())
@settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_csv_cut_anywhere_is_refused_or_ends_early(tmp_path: Path, data: st.DataObject, *, header: bool):
    """No cut changes a number: what is read are the first candles as they were."""
    whole = csv(WEEK[:20], header=header)
    path = tmp_path / "BTC-USDT.csv"
    path.write_bytes(whole[: data.draw(st.integers(0, len(whole)))])

    try:
        found = read_candles(path, SYMBOL, "UTC")
    except InputError:
        return

    expected = WEEK[: len(found)]
    assert found["open_time"].tolist() == expected["open_time"].tolist()
    assert_frame_equal(found[COLUMNS[1:]].astype("float64"), expected[COLUMNS[1:]], check_exact=True)


@pytest.mark.parametrize("suffix", ["parquet", "feather"])
def test_a_binary_file_cut_anywhere_is_refused(tmp_path: Path, suffix: str):
    """Its end has what is needed to read it."""
    whole, path = binary(WEEK[:20], suffix), tmp_path / f"BTC-USDT.{suffix}"
    for length in range(0, len(whole), 53):
        path.write_bytes(whole[:length])
        with pytest.raises(InputError, match="must hold candles; received: "):
            read_candles(path, SYMBOL, "UTC")


def test_parquets_own_checksum_is_checked(tmp_path: Path):
    """A bit that turned over on the way is found where the file has checksums."""
    path = tmp_path / "BTC-USDT.parquet"
    plain: dict[str, Any] = {"compression": "none", "use_dictionary": False}
    whole = bytearray(binary(WEEK, "parquet", write_page_checksum=True, **plain))
    path.write_bytes(whole)
    close = pq.ParquetFile(path).metadata.row_group(0).column(COLUMNS.index("close"))
    assert_frame_equal(read_candles(path, SYMBOL, "UTC"), WEEK)

    whole[close.data_page_offset + close.total_compressed_size - 8] ^= 1
    path.write_bytes(whole)

    with pytest.raises(InputError, match=r"must hold candles; received: .*CRC"):
        read_candles(path, SYMBOL, "UTC")

import errno
import math
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pandas.testing import assert_frame_equal

from stages.fetch.exchange.pages import Span, cut, last_candle, missing_spans, read_pages, write_page
from stages.fetch.grid import EPOCH
from tests.conftest import MakeCandles

TIMES = st.integers(-5, 40)
SPANS = st.builds(lambda first, length: Span(first, first + length), TIMES, st.integers(1, 20))


def covered(spans: list[Span]) -> set[int]:
    """Every moment of some spans."""
    return {time for span in spans for time in range(*span)}


@given(kept=st.lists(SPANS, max_size=6), wanted=SPANS)
@settings(deadline=None)
def test_kept_and_missing_are_the_whole(kept: list[Span], wanted: Span):
    """What is missing is just what no span has, in time's order, nothing twice."""
    found = missing_spans(kept, wanted)

    assert covered(found) == covered([wanted]) - covered(kept)
    assert sum(span.last - span.first for span in found) == len(covered(found))
    assert found == sorted(found)
    assert all(span.first < span.last for span in found)


@given(span=SPANS, longest=st.integers(1, 25))
@settings(deadline=None)
def test_parts_make_the_span(span: Span, longest: int):
    """Each part begins where the one before ends, and all but the last are as long as may be."""
    parts = cut(span, longest)

    assert [part.first for part in parts] == [span.first, *(part.last for part in parts[:-1])]
    assert parts[-1].last == span.last
    assert {part.last - part.first for part in parts[:-1]} <= {longest}
    assert 0 < parts[-1].last - parts[-1].first <= longest


def test_a_page_comes_back_as_it_went(tmp_path: Path, make_candles: MakeCandles):
    """To the last bit, under its span; spans before 1970 too."""
    for span in (Span(0, 10), Span(-20, -10)):
        write_page(tmp_path, span, make_candles(30, seed=abs(span.first)))

    found = read_pages(tmp_path, Span(-100, 100))

    assert list(found) == [Span(-20, -10), Span(0, 10)]
    assert_frame_equal(found[Span(-20, -10)], make_candles(30, seed=20), check_exact=True)


def test_only_pages_of_the_window_are_read(tmp_path: Path, make_candles: MakeCandles):
    """Neither those that end where it begins nor those that begin where it ends."""
    for span in (Span(0, 10), Span(10, 20), Span(20, 30)):
        write_page(tmp_path, span, make_candles(3))

    assert list(read_pages(tmp_path, Span(10, 20))) == [Span(10, 20)]


@pytest.mark.parametrize("content", [b"", b"PAR1", b"PAR1" + bytes(100), None])
def test_a_page_that_cant_be_read_is_fetched_again(
    tmp_path: Path, make_candles: MakeCandles, content: bytes | None
):
    """An empty or cut file, which a power failure may leave, counts as none and is removed."""
    write_page(tmp_path, Span(0, 10), make_candles(3))
    broken = tmp_path / "10_20.parquet"
    broken.write_bytes((tmp_path / "0_10.parquet").read_bytes()[:-9] if content is None else content)

    assert list(read_pages(tmp_path, Span(0, 20))) == [Span(0, 10)]
    assert not broken.exists()


def test_a_page_half_written_is_none(tmp_path: Path, make_candles: MakeCandles):
    """What a killed process leaves under a temporary name is left alone."""
    write_page(tmp_path, Span(0, 10), make_candles(3))
    (tmp_path / "0_10.parquet").rename(tmp_path / ".0_10.parquet.4711")

    assert read_pages(tmp_path, Span(0, 10)) == {}
    assert read_pages(tmp_path / "nowhere", Span(0, 10)) == {}


def test_a_flipped_bit_is_noticed(tmp_path: Path, make_candles: MakeCandles):
    """Whichever of these bits changes, candles come out as they went in, or the page counts as none."""
    candles = make_candles(50)
    write_page(tmp_path, Span(0, 10), candles)
    path = tmp_path / "0_10.parquet"
    sound = path.read_bytes()
    rng = np.random.default_rng(1)
    values: list[pd.DataFrame] = []
    for bit in rng.integers(0, 8 * len(sound), 200):
        broken = bytearray(sound)
        broken[bit // 8] ^= 1 << (bit % 8)
        path.write_bytes(broken)
        values += read_pages(tmp_path, Span(0, 10)).values()

    assert len(values) < 150
    for value in values:
        assert value["close"].tolist() == candles["close"].tolist()


def test_a_page_with_fewer_rows_counts_as_none(tmp_path: Path, make_candles: MakeCandles):
    """Also where the file is sound: a bit that flips in a header may cut it so."""
    write_page(tmp_path, Span(0, 10), make_candles(50))
    path = tmp_path / "0_10.parquet"
    pq.write_table(pq.read_table(path)[:48], path)

    assert read_pages(tmp_path, Span(0, 10)) == {}


@pytest.mark.parametrize(
    ("first", "last", "expected"), [(0, 5, 4), (0, 4, 2), (0, 3, 2), (0, 1, 0), (0, 0, None), (9, 30, None)]
)
def test_the_last_candle_of_a_span(
    tmp_path: Path, make_candles: MakeCandles, first: int, last: int, expected: int | None
):
    """In hours: before the span's end, whatever gaps there are; pages without a candle are passed by."""
    hour = 3_600_000
    candles = make_candles(5, missing=[1, 3], start="1970-01-01")
    for begin, end in ((0, 3), (3, 9), (9, 30)):
        opens = (candles["open_time"] - EPOCH) // pd.Timedelta("1h")
        write_page(tmp_path, Span(begin * hour, end * hour), candles[(opens >= begin) & (opens < end)])

    found = last_candle(tmp_path, Span(first * hour, last * hour))

    assert found == (None if expected is None else expected * hour)


@pytest.mark.parametrize("spans", [[(0, 3), (2, 9)], [(0, 9), (2, 3)], [(0, 9), (2, 9)]])
def test_the_last_candle_of_pages_that_overlap(tmp_path: Path, make_candles: MakeCandles, spans):
    """Whichever of them has it."""
    hour = 3_600_000
    candles = make_candles(5, start="1970-01-01")
    for first, last in spans:
        write_page(tmp_path, Span(first * hour, last * hour), candles[first:last])

    assert last_candle(tmp_path, Span(0, 9 * hour)) == 4 * hour


def test_every_kind_of_nan_is_one(tmp_path: Path, make_candles: MakeCandles):
    """A price that isn't there has several patterns of bits, of which Parquet keeps one."""
    page = make_candles(3).assign(volume=[math.nan, -math.nan, np.float64("-nan")])
    write_page(tmp_path, Span(0, 10), page)

    assert_frame_equal(read_pages(tmp_path, Span(0, 10))[Span(0, 10)], page)


def test_other_files_are_left_alone(tmp_path: Path, make_candles: MakeCandles):
    """What a person copied into the folder is no page."""
    write_page(tmp_path, Span(0, 10), make_candles(3))
    for name in ("0_10 (1).parquet", "old_copy.parquet", "notes.txt"):
        (tmp_path / name).write_bytes(b"")

    assert list(read_pages(tmp_path, Span(0, 10))) == [Span(0, 10)]
    assert len(list(tmp_path.iterdir())) == 4


def test_a_page_that_cant_be_opened_is_no_broken_one(
    tmp_path: Path, make_candles: MakeCandles, monkeypatch: pytest.MonkeyPatch
):
    """A lack of permission, or too many open files, says nothing of what is kept."""
    write_page(tmp_path, Span(0, 10), make_candles(3))

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(pq, "ParquetFile", refuse)

    with pytest.raises(PermissionError):
        read_pages(tmp_path, Span(0, 10))
    assert (tmp_path / "0_10.parquet").exists()

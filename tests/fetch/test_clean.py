import hashlib
import struct
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pandas.testing import assert_frame_equal

from stages.common.bars import bar_length
from stages.common.errors import InputError
from stages.fetch.clean import COLUMNS, clean, content_sha256, gaps, receipt
from stages.fetch.params import FetchParams
from tests.conftest import MakeCandles, random_candles
from tests.fetch.conftest import MakeParams, fetch_settings

SYMBOL = "BTC/USDT"
HOUR = pd.Timedelta("1h")
WEEK = FetchParams.model_validate(fetch_settings())


def changed(candles: pd.DataFrame, row: int, **values: Any) -> pd.DataFrame:
    """The candles with one row changed."""
    candles = candles.copy()
    for name, value in values.items():
        candles.loc[row, name] = value
    return candles


def refusal(candles: pd.DataFrame, params: FetchParams = WEEK) -> str:
    """What `clean` says to these candles."""
    with pytest.raises(InputError) as caught:
        clean(candles, SYMBOL, params)
    message = str(caught.value)
    assert "\n" not in message
    assert SYMBOL in message
    return message


def test_sound_candles_stay_as_they_are(make_candles: MakeCandles):
    """Candles within the window come out as they went in."""
    candles = make_candles(100, missing=[3, 50, 51])

    assert_frame_equal(clean(candles, SYMBOL, WEEK), candles, check_exact=True)


@given(seed=st.integers(0, 99))
@settings(deadline=None, max_examples=20)
def test_order_and_repetition_dont_matter(seed: int):
    """Shuffled rows, some of them twice, give the same table."""
    candles = random_candles(60, missing=[7])
    rng = np.random.default_rng(seed)
    rows = rng.permutation(np.append(np.arange(59), rng.integers(0, 59, size=10)))

    assert_frame_equal(clean(candles.iloc[rows], SYMBOL, WEEK), candles, check_exact=True)


def test_window_includes_its_start_and_not_its_end(make_candles: MakeCandles, make_params: MakeParams):
    """A candle that opens at fetch.start is in, one that opens at fetch.end is out."""
    params = make_params(start="2022-01-03T05:00", end="2022-01-03T08:00")

    opens = clean(make_candles(24), SYMBOL, params)["open_time"]

    assert opens.dt.hour.tolist() == [5, 6, 7]


def test_schema_is_fixed(make_candles: MakeCandles):
    """Whatever types arrive, times leave in ms and UTC, numbers as float64, and nothing else."""
    candles = make_candles(10)
    odd = candles.assign(
        open_time=candles["open_time"].dt.tz_convert("Asia/Tokyo").dt.as_unit("ns"),
        volume=[str(value) for value in candles["volume"]],
        trades=1,
    )[["trades", *reversed(COLUMNS)]]

    assert_frame_equal(clean(odd, SYMBOL, WEEK), candles, check_exact=True)


def test_no_candle_in_the_window_is_refused(make_candles: MakeCandles):
    """The error says where the candles lie instead."""
    message = refusal(make_candles(5, start="2021-01-01"))

    assert message.startswith("fetch.start and fetch.end must enclose a candle of each symbol")
    assert "2021-01-01 00:00:00+00:00 to 2021-01-01 04:00:00+00:00" in message


def test_no_candle_at_all_is_refused(make_candles: MakeCandles):
    """An empty table is refused."""
    assert "BTC/USDT has none." in refusal(make_candles(5).iloc[:0])


@pytest.mark.parametrize(
    ("values", "rule"),
    [
        ({"close": 0.0}, "finite prices above 0"),
        ({"open": -1.0}, "finite prices above 0"),
        ({"close": float("nan")}, "finite prices above 0"),
        ({"high": float("inf")}, "finite prices above 0"),
        ({"volume": -0.1}, "a finite volume, 0 or more"),
        ({"volume": float("nan")}, "a finite volume, 0 or more"),
        ({"low": 30_000.0}, "no price below low or above high"),
        ({"high": 10_000.0}, "no price below low or above high"),
        ({"open": 30_000.0}, "no price below low or above high"),
        ({"open": 10_000.0}, "no price below low or above high"),
        ({"open_time": pd.Timestamp("2022-01-03T11:30", tz="UTC")}, "times on the timeframe's grid"),
        ({"open_time": pd.Timestamp("2022-01-03T12:00", tz="UTC")}, "one candle a time"),
    ],
)
def test_a_broken_row_is_shown(make_candles: MakeCandles, values: dict[str, Any], rule: str):
    """The error names the rule and the first row that breaks it."""
    message = refusal(changed(make_candles(48), 11, **values))

    assert message.startswith(f"fetch.symbols: {SYMBOL} must have {rule}; received open ")
    time = values.get("open_time", pd.Timestamp("2022-01-03T11:00", tz="UTC"))
    assert message.endswith(f"at {time}.")


def test_a_bar_of_one_price_and_no_volume_is_sound(make_candles: MakeCandles):
    """A quiet hour has open, high, low and close alike, and nobody traded."""
    candles = changed(make_candles(48), 11, open=5.0, high=5.0, low=5.0, close=5.0, volume=0.0)

    assert_frame_equal(clean(candles, SYMBOL, WEEK), candles, check_exact=True)


def test_broken_rows_outside_the_window_dont_matter(make_candles: MakeCandles, make_params: MakeParams):
    """Only what is used is checked."""
    candles = changed(make_candles(48), 40, close=0.0)

    assert len(clean(candles, SYMBOL, make_params(end="2022-01-04"))) == 24


def test_text_is_no_price(make_candles: MakeCandles):
    """The error shows the text."""
    candles = make_candles(5).astype({"close": object})

    assert (
        "close of BTC/USDT must be a number; received: could not convert string to float: 'n/a'"
        in refusal(changed(candles, 2, close="n/a"))
    )


def test_timeframe_must_be_the_step(make_candles: MakeCandles, make_params: MakeParams):
    """Hourly candles are neither 4h nor 30m ones."""
    for timeframe in ("4h", "30m"):
        message = refusal(make_candles(48), make_params(timeframe=timeframe))
        assert message.startswith(
            f"fetch.timeframe must be the step from candle to candle; received {timeframe}"
        )
        assert "every 0 days 01:00:00" in message


@pytest.mark.parametrize(
    ("timeframe", "start", "sound"),
    [
        ("15m", "2022-01-03T00:15", True),
        ("15m", "2022-01-03T00:05", False),
        ("4h", "2022-01-03T04:00", True),
        ("4h", "2022-01-03T02:00", False),
        ("1d", "2022-01-03", True),
        ("1d", "2022-01-03T01:00", False),
        ("1w", "2022-01-03", True),
        ("1w", "2022-01-04", False),
        ("3d", "2022-01-04", True),
        ("3d", "2022-01-04T12:00", False),
    ],
)
def test_grid_starts_at_midnight_and_weeks_on_mondays(
    make_candles: MakeCandles, make_params: MakeParams, timeframe: str, start: str, *, sound: bool
):
    """Bars open where exchanges open them; 2022-01-03 is a Monday."""
    times = pd.Timestamp(start, tz="UTC") + bar_length(timeframe) * np.arange(5)
    candles = make_candles(5).assign(open_time=times)
    params = make_params(timeframe=timeframe, end="2022-03-01")

    if sound:
        assert len(clean(candles, SYMBOL, params)) == 5
    else:
        assert "grid" in refusal(candles, params)


@given(present=st.lists(st.booleans(), min_size=3, max_size=40))
@settings(deadline=None)
def test_gaps_and_rows_make_the_whole(present: list[bool]):
    """Every missing hour between the first and the last candle is in exactly one gap."""
    hours = pd.Series(pd.date_range("2022-01-03", periods=len(present), freq="h", tz="UTC"))
    found = hours[present].reset_index(drop=True)

    missing = [
        pd.Timestamp(gap["start"]) + HOUR * k
        for gap in gaps(found, HOUR)
        for k in range(gap["missing_bars"])
    ]

    between = hours[(hours >= found.min()) & (hours <= found.max())]
    assert sorted([*found, *missing]) == between.to_list()


def test_hash_is_of_the_bytes_that_its_docstring_says(make_candles: MakeCandles):
    """The columns one after the other: int64 milliseconds, then float64, little-endian."""
    candles = make_candles(3)
    times = [int(time.timestamp() * 1000) for time in candles["open_time"]]
    written = struct.pack("<3q", *times)
    for name in ("open", "high", "low", "close", "volume"):
        written += struct.pack("<3d", *candles[name])

    assert content_sha256(candles) == hashlib.sha256(written).hexdigest()


def test_receipt_tells_each_symbols_candles(make_candles: MakeCandles, make_params: MakeParams):
    """Rows, ends, gaps and hash of each symbol; the source's own settings, and not the others'."""
    params = make_params(symbols=[SYMBOL, "ETH/USDT"], source="exchange")
    tables = {SYMBOL: make_candles(10, missing=[4, 5]), "ETH/USDT": make_candles(10, seed=2)}

    found = receipt(tables, params)

    assert found["source"] == {"exchange": {"name": "binance"}}
    assert found["start"] == "2022-01-03T00:00:00+00:00"
    assert found["symbols"][SYMBOL] == {
        "rows": 8,
        "first": "2022-01-03T00:00:00+00:00",
        "last": "2022-01-03T09:00:00+00:00",
        "gaps": [{"start": "2022-01-03T04:00:00+00:00", "missing_bars": 2}],
        "sha256": content_sha256(tables[SYMBOL]),
    }
    assert found["symbols"]["ETH/USDT"]["gaps"] == []
    assert found["symbols"]["ETH/USDT"]["sha256"] != found["symbols"][SYMBOL]["sha256"]

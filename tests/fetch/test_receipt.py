import hashlib
import json
import struct
from typing import Any

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stages.fetch.clean import PRICES, clean
from stages.fetch.params import FetchParams
from stages.fetch.receipt import content_sha256, in_one_line, receipt
from tests.conftest import MakeCandles, random_candles
from tests.fetch.conftest import MakeParams, changed, fetch_settings

SYMBOL = "BTC/USDT"
WEEK_BARS = 168
NAN, INFINITY = float("nan"), float("inf")


def test_hash_is_of_the_bytes_that_its_docstring_says(make_candles: MakeCandles):
    """The columns one after the other: int64 milliseconds, then float64, little-endian."""
    candles = make_candles(3)
    times = [int(time.timestamp() * 1000) for time in candles["open_time"]]
    written = struct.pack("<3q", *times)
    for name in ("open", "high", "low", "close", "volume"):
        written += struct.pack("<3d", *candles[name])

    assert content_sha256(candles) == hashlib.sha256(written).hexdigest()


def test_receipt_tells_each_symbols_candles(make_candles: MakeCandles, make_params: MakeParams):
    """Rows, ends, gaps over the whole window and hash of each symbol; the source's own settings alone."""
    params = make_params(symbols=[SYMBOL, "ETH/USDT"], source="exchange", max_gap_bars=WEEK_BARS)
    tables = {SYMBOL: make_candles(10, missing=[4, 5]), "ETH/USDT": make_candles(WEEK_BARS, seed=2)}

    cleaned = {symbol: clean(table, symbol, params) for symbol, table in tables.items()}

    found = receipt(cleaned, params, has_order=False)

    assert found["source"] == {"exchange": {"name": "binance"}}
    assert found["start"] == "2022-01-03T00:00:00+00:00"
    assert found["symbols"][SYMBOL] == {
        "rows": 8,
        "first": "2022-01-03T00:00:00+00:00",
        "last": "2022-01-03T09:00:00+00:00",
        "phase": "0 days 00:00:00",
        "gaps": [
            {"start": "2022-01-03T04:00:00+00:00", "missing_bars": 2},
            {"start": "2022-01-03T10:00:00+00:00", "missing_bars": 158},
        ],
        "jumps": [],
        "broken_rows_left_out": [],
        "suspect_rows_kept": [],
        "highs_or_lows_widened": 0,
        "sha256": content_sha256(tables[SYMBOL]),
    }
    assert found["symbols"]["ETH/USDT"]["gaps"] == []
    assert found["symbols"]["ETH/USDT"]["sha256"] != found["symbols"][SYMBOL]["sha256"]


def facts_of(candles: pd.DataFrame, params: FetchParams, *, has_order: bool = False) -> dict[str, Any]:
    """What the receipt says of these candles."""
    found = receipt({SYMBOL: clean(candles, SYMBOL, params)}, params, has_order=has_order)
    return found["symbols"][SYMBOL]


@pytest.mark.parametrize(
    ("rows", "line"),
    [([50], "2 jumps of the price level"), (range(50, WEEK_BARS), "1 jump of the price level")],
)
def test_jumps_are_told(make_candles: MakeCandles, make_params: MakeParams, rows: list[int], line: str):
    """When the first candle after each opens, and how many times apart the levels lie; the line counts."""
    candles = make_candles(WEEK_BARS)
    candles.loc[[*rows], PRICES] *= 3

    facts = facts_of(candles, make_params())

    assert facts["jumps"][0]["open_time"] == "2022-01-05T02:00:00+00:00"
    assert facts["jumps"][0]["times"] == pytest.approx(3, rel=0.05)
    assert f", 0 missing in 0 gaps, {line}" in in_one_line(facts)
    assert facts["sha256"] == content_sha256(candles)


def test_candles_that_were_widened_are_counted(make_candles: MakeCandles, make_params: MakeParams):
    """By how little isn't told."""
    candles = make_candles(WEEK_BARS)
    rough = changed(candles, 10, open=candles["high"].iloc[10] * (1 + 6e-8))

    facts = facts_of(rough, make_params())

    assert facts["highs_or_lows_widened"] == 1
    assert in_one_line(facts).endswith(", 1 candle widened by a rounding error")


@pytest.mark.parametrize(
    ("start", "phase"), [("2022-01-03", "0 days 00:00:00"), ("2022-01-03T16:00", "0 days 16:00:00")]
)
def test_how_late_bars_open_is_told(
    make_candles: MakeCandles, make_params: MakeParams, start: str, phase: str
):
    """The line says so only where it is later than usual."""
    times = pd.date_range(start, periods=6, freq="1D", tz="UTC", unit="ms")

    facts = facts_of(make_candles(6).assign(open_time=times), make_params(timeframe="1d"))

    assert facts["phase"] == phase
    assert (f"bars open {phase} later than usual" in in_one_line(facts)) == (phase != "0 days 00:00:00")


def test_a_late_beginning_is_a_gap(make_candles: MakeCandles, make_params: MakeParams):
    """From fetch.start on, though no setting forbids it."""
    facts = facts_of(make_candles(WEEK_BARS), make_params(start="2021-01-04", max_gap_bars=0))

    assert facts["gaps"] == [{"start": "2021-01-04T00:00:00+00:00", "missing_bars": 364 * 24}]


@pytest.mark.parametrize("has_order", [True, False])
def test_order_and_repetition_are_told_where_they_are_facts(
    make_candles: MakeCandles, make_params: MakeParams, *, has_order: bool
):
    """Elsewhere they come from the transfer: the receipt would change from one to the next."""
    params = make_params()
    candles = make_candles(WEEK_BARS)
    rough = candles.iloc[[5, *range(WEEK_BARS), 7, 6]]

    told, smooth = (facts_of(table, params, has_order=has_order) for table in (rough, candles))

    counts = {key: told[key] for key in told if told[key] != smooth[key]}
    expected = {"duplicate_rows_dropped": 3, "out_of_order_rows_sorted": 7}
    assert counts == (expected if has_order else {})
    assert told.keys() == smooth.keys()


def dirty(seed: int) -> pd.DataFrame:
    """Candles with broken and suspect rows, some of them twice, in an order of their own."""
    candles = changed(random_candles(WEEK_BARS), 11, close=NAN, volume=-INFINITY)
    candles = changed(candles, 50, high=1e9)
    return candles.iloc[[*range(WEEK_BARS), 3, 11]].sample(frac=1, random_state=seed)


def test_receipt_is_json_of_any_candles(make_params: MakeParams):
    """Also what isn't finite is written as strict JSON, for any program to read."""
    params = make_params()

    found = receipt({SYMBOL: clean(dirty(1), SYMBOL, params)}, params, has_order=True)

    assert json.loads(json.dumps(found, allow_nan=False)) == found
    assert found["symbols"][SYMBOL]["broken_rows_left_out"][0]["row"].endswith("close nan, volume -inf")


@given(seed=st.integers(0, 1000))
@settings(deadline=None, max_examples=20)
def test_without_an_order_the_receipt_is_the_same_however_rows_came(seed: int):
    """As of an exchange: the rows in another order give the same, faults and all."""
    params = FetchParams.model_validate(fetch_settings())

    found, again = (facts_of(dirty(n), params) for n in (seed, 0))

    assert json.dumps(found) == json.dumps(again)


def test_the_line_for_a_person_names_what_there_is_and_no_more(make_params: MakeParams):
    """What was done to the rows is in the line that the stage prints; what wasn't isn't."""
    params = make_params()

    assert in_one_line(facts_of(random_candles(WEEK_BARS), params)) == (
        "168 candles, 2022-01-03T00:00:00+00:00 to 2022-01-09T23:00:00+00:00, 0 missing in 0 gaps"
    )
    told = in_one_line(facts_of(dirty(1), params, has_order=True))
    assert told.startswith("167 candles, ")
    assert "1 missing in 1 gap, 1 broken row left out, 1 suspect row kept, 2 duplicate rows" in told

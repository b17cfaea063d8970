from typing import Any

import pandas as pd
import pytest

from stages.params import check_params
from tests.fetch.conftest import MakeParams, fetch_settings
from tests.refusals import refusal_of
from tests.settings import shipped


def refusal(**changes: Any) -> str:
    """What the check of params.yaml says to settings of fetch."""
    return refusal_of(lambda: check_params(shipped() | {"fetch": fetch_settings(**changes)}))


def test_times_without_a_zone_are_utc(make_params: MakeParams):
    """A date is its first moment in UTC; an offset counts."""
    params = make_params(start="2022-01-03", end="2022-01-04T02:30+02:00")

    assert params.start_time == pd.Timestamp("2022-01-03T00:00", tz="UTC")
    assert params.end_time == pd.Timestamp("2022-01-04T00:30", tz="UTC")


@pytest.mark.parametrize("end", ["2022-01-02", "2022-01-03", "2022-01-03T01:00+02:00"])
def test_end_must_lie_after_start(end: str):
    """The error names the setting, the rule with the start's value, and what arrived."""
    expected = f"fetch.end must be later than fetch.start, 2022-01-03; received {end!r}."

    assert refusal(end=end) == expected


@pytest.mark.parametrize(
    "start",
    ["yesterday", "now", "", "2022-13-01", "1640995200", 2022, pd.Timestamp(0).date(), "1969-12-31"],
)
def test_start_must_be_an_iso_date_in_quotes(start: Any):
    """Words, numbers and the date that YAML makes of an unquoted one are refused alike."""
    assert refusal(start=start) == (
        "fetch.start must be an ISO date or date-time from 1970 to 2100, in quotes, as "
        f'"2022-01-01"; received {start!r}.'
    )


@pytest.mark.parametrize(
    "symbol", ["BTCUSDT", "BTC-USDT", "BTC/", "/USDT", "BTC/USDT/X", "../../BTC", "B C/D", ""]
)
def test_symbols_must_have_ccxts_form(symbol: str):
    """BASE/QUOTE, or nothing."""
    assert refusal(symbols=["ETH/USDT", symbol]).startswith("fetch.symbols must each be written BASE/QUOTE")


@pytest.mark.parametrize("symbols", [["BTC/USDT", "BTC/USDT"], ["A-B/C", "A/B-C"]])
def test_symbols_must_have_a_file_each(symbols: list[str]):
    """A symbol given twice is refused, and so are two that would share a file."""
    assert refusal(symbols=symbols).startswith("fetch.symbols must each be given once")


@pytest.mark.parametrize(
    "symbol",
    [
        "\N{CJK UNIFIED IDEOGRAPH-5E01}" * 40 + "/" + "\N{CJK UNIFIED IDEOGRAPH-5E01}" * 40,
        "CON.X/USDT",
        "nul./USDT",
    ],
)
def test_symbols_must_be_names_of_files(symbol: str):
    """A letter may be several bytes, and Windows keeps some names for devices."""
    assert refusal(symbols=[symbol]).startswith("fetch.symbols must each be a file's name everywhere")


def test_symbols_may_settle_in_something(make_params: MakeParams):
    """Futures are written BASE/QUOTE:SETTLE."""
    symbols = ["BTC/USDT", "BTC/USDT:USDT"]

    assert make_params(symbols=symbols).symbols == symbols


@pytest.mark.parametrize("name", ["Mars/Olympus", "Europe", "", "/etc/passwd", "../UTC"])
def test_timezone_must_exist(name: str):
    """A name that the time zone database doesn't have is refused."""
    assert refusal(file={"timezone": name}).startswith("fetch.file.timezone must be a time zone's name")


@pytest.mark.parametrize("timeframe", ["", "1", "h", "0h", "1H", "1 hour", "1M", "60"])
def test_timeframe_must_have_ccxts_form(timeframe: str):
    """A number and its unit, minutes to weeks."""
    assert refusal(timeframe=timeframe).startswith(("fetch.timeframe must", "fetch.timeframe should"))


@pytest.mark.parametrize("bars", [-1, 1.5, "48 bars", None])
def test_max_gap_bars_must_be_a_count(bars: Any):
    """Whole bars, 0 or more."""
    assert refusal(max_gap_bars=bars).startswith(("fetch.max_gap_bars must", "fetch.max_gap_bars should"))


def test_max_gap_bars_may_be_none_at_all(make_params: MakeParams):
    """0: no candle may be missing."""
    assert make_params(max_gap_bars=0).max_gap_bars == 0


@pytest.mark.parametrize("times", [1.4999, 1.0, 0.0, -5.0, float("inf"), float("nan"), "5", None])
def test_max_jump_must_be_a_number_of_times(times: Any):
    """At least what counts as a jump, and finite."""
    assert refusal(max_jump=times).startswith(("fetch.max_jump must", "fetch.max_jump should"))


def test_max_jump_says_its_least():
    """The rule and what arrived, in one line."""
    assert refusal(max_jump=1.0) == (
        "fetch.max_jump must be at least 1.5, the least that counts as a jump; received 1.0."
    )


@pytest.mark.parametrize("times", [1.5, 5, 1e12])
def test_max_jump_may_be_any_such_number(make_params: MakeParams, times: float):
    """A whole one too, up to the widest redenomination there was."""
    assert make_params(max_jump=times).max_jump == times

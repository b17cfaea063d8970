import re

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pandas.testing import assert_frame_equal

from stages.common.bars import bar_length
from stages.fetch.clean import COLUMNS, N_SHOWN, ON_GRID, OTHER_STEPS, PRICES, clean, jumps
from stages.fetch.grid import gaps, phase_of
from stages.fetch.params import JUMP, FetchParams
from tests.conftest import MakeCandles, random_candles
from tests.fetch.conftest import MakeParams, changed, fetch_settings
from tests.refusals import refusal_of

SYMBOL = "BTC/USDT"
HOUR = pd.Timedelta("1h")
WEEK_BARS = 168
WEEK = FetchParams.model_validate(fetch_settings(max_gap_bars=WEEK_BARS))
MONDAY = WEEK.start_time
NAN, INFINITY = float("nan"), float("inf")

PRICE_RULE = "prices must be finite and above 0"
VOLUME_RULE = "volume must be finite, 0 or more"
ORDER_RULE = "no price may be below low or above high"

BROKEN = [
    ({"close": 0.0}, PRICE_RULE),
    ({"open": -1.0}, PRICE_RULE),
    ({"close": NAN}, PRICE_RULE),
    ({"high": INFINITY}, PRICE_RULE),
    ({"low": -INFINITY}, PRICE_RULE),
    ({"volume": -0.1}, VOLUME_RULE),
    ({"volume": NAN}, VOLUME_RULE),
    ({"volume": INFINITY}, VOLUME_RULE),
    ({"low": 30_000.0}, ORDER_RULE),
    ({"high": 10_000.0}, ORDER_RULE),
    ({"open": 30_000.0}, ORDER_RULE),
    ({"open": 10_000.0}, ORDER_RULE),
]


def without(candles: pd.DataFrame, *rows: int) -> pd.DataFrame:
    """The candles less some rows."""
    return candles.drop(index=[*rows]).reset_index(drop=True)


def refusal(candles: pd.DataFrame, params: FetchParams = WEEK) -> str:
    """What `clean` says to these candles."""
    message = refusal_of(lambda: clean(candles, SYMBOL, params))
    assert SYMBOL in message
    return message


def test_sound_candles_stay_as_they_are(make_candles: MakeCandles):
    """Candles within the window come out as they went in, and nothing is told of them."""
    candles = make_candles(100, missing=[3, 50, 51])

    found = clean(candles, SYMBOL, WEEK)

    assert_frame_equal(found.candles, candles, check_exact=True)
    assert found[1:] == (0, 0, [], [], 0)


def test_what_is_given_isnt_changed(make_candles: MakeCandles):
    """The rows that a source read are its own."""
    candles = changed(make_candles(168)[::-1], 11, close=0.0)
    before = candles.copy()

    clean(candles, SYMBOL, WEEK)

    assert_frame_equal(candles, before, check_exact=True)


@given(
    order=st.permutations(range(WEEK_BARS)),
    twice=st.lists(st.integers(0, WEEK_BARS - 1), max_size=20),
    broken=st.one_of(st.none(), st.tuples(st.integers(0, WEEK_BARS - 1), st.sampled_from(BROKEN))),
)
@settings(deadline=None, max_examples=50)
def test_dirt_leaves_the_sound_candles(
    order: list[int], twice: list[int], broken: tuple[int, tuple[dict[str, float], str]] | None
):
    """Shuffled rows, some of them twice, one of them broken, give the sound candles and exact counts."""
    candles = sound = random_candles(WEEK_BARS)
    if broken:
        row, (values, _) = broken
        candles, sound = changed(candles, row, **values), without(candles, row)
    rows = order + twice

    found = clean(candles.iloc[rows], SYMBOL, WEEK)

    assert_frame_equal(found.candles, sound, check_exact=True)
    assert found.n_duplicates == len(twice)
    assert found.n_out_of_order == sum(row < max(rows[:place], default=0) for place, row in enumerate(rows))
    assert [fault["rule"] for fault in found.broken] == ([broken[1][1]] if broken else [])
    assert found.suspect == []


def test_newest_first_is_put_in_order(make_candles: MakeCandles):
    """Of a table that runs backwards, every row but the first is out of order."""
    candles = make_candles(100)

    found = clean(candles[::-1], SYMBOL, WEEK)

    assert_frame_equal(found.candles, candles, check_exact=True)
    assert found.n_out_of_order == 99


def test_window_includes_its_start_and_not_its_end(make_candles: MakeCandles, make_params: MakeParams):
    """A candle that opens at fetch.start is in, one that opens at fetch.end is out."""
    params = make_params(start="2022-01-03T05:00", end="2022-01-03T08:00")

    opens = clean(make_candles(24), SYMBOL, params).candles["open_time"]

    assert opens.dt.hour.tolist() == [5, 6, 7]


def test_rows_outside_the_window_dont_matter(make_candles: MakeCandles, make_params: MakeParams):
    """Only what is used is checked, counted and told: longer files give the same."""
    candles = changed(make_candles(48), 40, close=0.0, high=1e6)
    candles = changed(candles, 45, open_time=pd.Timestamp("2022-01-04T17:17", tz="UTC"))
    longer = pd.concat([candles[24:][::-1], candles, candles[30:]])

    found = clean(longer, SYMBOL, make_params(end="2022-01-04"))

    assert_frame_equal(found.candles, candles[:24], check_exact=True)
    assert found[1:] == (0, 0, [], [], 0)


def test_schema_is_fixed(make_candles: MakeCandles):
    """Whatever types arrive, times leave in ms and UTC, numbers as float64, and nothing else."""
    candles = make_candles(10)
    odd = candles.assign(
        open_time=candles["open_time"].dt.tz_convert("Asia/Tokyo").dt.as_unit("ns"),
        volume=[str(value) for value in candles["volume"]],
        trades=1,
    )[["trades", *reversed(COLUMNS)]]

    assert_frame_equal(clean(odd, SYMBOL, WEEK).candles, candles, check_exact=True)


def test_no_candle_in_the_window_is_refused(make_candles: MakeCandles):
    """The error says where the candles lie instead."""
    message = refusal(make_candles(5, start="2021-01-01"))

    assert message.startswith("fetch.start and fetch.end must enclose a candle of each symbol")
    assert "2021-01-01 00:00:00+00:00 to 2021-01-01 04:00:00+00:00" in message


def test_no_candle_at_all_is_refused(make_candles: MakeCandles):
    """An empty table is refused as that: no window would help."""
    assert "BTC/USDT has none, nor at any other time: not a row came." in refusal(make_candles(5).iloc[:0])


@pytest.mark.parametrize(("values", "rule"), BROKEN)
def test_a_broken_row_is_left_out_and_listed(
    make_candles: MakeCandles, values: dict[str, float], rule: str
):
    """One of a hundred rows that is no candle leaves a gap; rule and row are told."""
    candles = make_candles(100)
    dirty = changed(candles, 11, **values)

    found = clean(dirty, SYMBOL, WEEK)

    assert_frame_equal(found.candles, without(candles, 11), check_exact=True)
    (fault,) = found.broken
    assert fault["open_time"] == "2022-01-03T11:00:00+00:00"
    assert fault["rule"] == rule
    assert fault["row"] == ", ".join(f"{name} {dirty[name].iloc[11]}" for name in COLUMNS[1:])


def test_broken_rows_are_listed_by_time_each_with_its_first_rule(
    make_candles: MakeCandles, make_params: MakeParams
):
    """A row that breaks two rules is listed once; the order is that of time, not of rows."""
    candles = make_candles(500)
    for row, values in {
        490: {"volume": -1.0},
        7: {"volume": -1.0, "close": 0.0},
        100: {"high": 1.0},
    }.items():
        candles = changed(candles, row, **values)

    found = clean(candles[::-1], SYMBOL, make_params(end="2022-02-01", max_gap_bars=WEEK_BARS * 2))

    hour = [(pd.Timestamp(fault["open_time"]) - MONDAY) // HOUR for fault in found.broken]
    assert hour == [7, 100, 490]
    assert [fault["rule"] for fault in found.broken] == [PRICE_RULE, ORDER_RULE, VOLUME_RULE]


@pytest.mark.parametrize(("n_broken", "n_rows"), [(1, 100), (2, 200), (1, 150)])
def test_up_to_a_hundredth_may_be_broken(
    make_candles: MakeCandles, make_params: MakeParams, n_broken: int, n_rows: int
):
    """One row in a hundred is left out; one more is the end, and the error shows the first."""
    params = make_params(end="2022-02-01", max_gap_bars=1000)
    candles = make_candles(n_rows)
    candles.loc[: n_broken - 1, "close"] = 0.0

    assert len(clean(candles, SYMBOL, params).candles) == n_rows - n_broken

    candles.loc[n_broken, "close"] = 0.0
    message = refusal(candles, params)
    assert message.startswith(f"fetch.symbols: {SYMBOL} must have 99% sound rows or more; received ")
    assert f"received {n_broken + 1} broken ones of {n_rows}, the first open 20000.0, " in message
    assert message.endswith(f"at 2022-01-03 00:00:00+00:00: {PRICE_RULE}.")


def test_broken_copies_count_once(make_candles: MakeCandles):
    """A broken row that came twice is one row that came twice, and one that is broken."""
    candles = changed(make_candles(100), 11, close=NAN)

    found = clean(candles.iloc[[*range(100), 11, 11]], SYMBOL, WEEK)

    assert found.n_duplicates == 2
    assert len(found.broken) == 1


@pytest.mark.parametrize("high", [1.6, 3.0, 1000.0])
@pytest.mark.parametrize("row", [0, 11, 99])
def test_a_bad_print_is_kept_and_listed(make_candles: MakeCandles, row: int, high: float):
    """A price far beyond both neighbours may be a mistake or a crash: it stays, and the receipt tells."""
    candles = make_candles(100)
    for name, factor in {"high": high, "low": 1 / high}.items():
        printed = changed(candles, row, **{name: candles[name].iloc[row] * factor})

        found = clean(printed, SYMBOL, WEEK)

        assert_frame_equal(found.candles, printed, check_exact=True)
        (fault,) = found.suspect
        assert fault["open_time"] == (MONDAY + row * HOUR).isoformat()
        assert fault["rule"] == "no price should be 1.5 times beyond those of both neighbours"
        assert f"{name} {printed[name].iloc[row]}" in fault["row"]


def scaled(candles: pd.DataFrame, times: float, first: int, last: int) -> pd.DataFrame:
    """The candles, with the prices of the rows first ... last multiplied."""
    candles = candles.copy()
    candles.loc[first:last, PRICES] *= times
    return candles


def kept_jumps(candles: pd.DataFrame, params: FetchParams = WEEK) -> pd.DataFrame:
    """The jumps of these candles, all of which `clean` keeps."""
    found = clean(candles, SYMBOL, params).candles
    assert_frame_equal(found, candles, check_exact=True)
    return jumps(found)


@pytest.mark.parametrize("last", [50, 51, 99])
@pytest.mark.parametrize("times", [2.0, 4.5, 1 / 2, 1 / 4.5])
def test_a_jump_of_the_price_level_is_kept_and_found(make_candles: MakeCandles, times: float, last: int):
    """For a bar, for two, or for good: wherever the ranges of two neighbours lie so far apart."""
    found = kept_jumps(scaled(make_candles(100), times, 50, last))

    rows = ((found["open_time"] - MONDAY) // HOUR).to_list()
    assert rows == [50, last + 1][: 1 if last == 99 else 2]
    for apart in found["times"]:
        assert apart == pytest.approx(max(times, 1 / times), rel=0.05)


@pytest.mark.parametrize("last", [50, 51, 99])
@pytest.mark.parametrize("times", [5.5, 100.0, 1000.0, 1 / 5.5, 1 / 100, 1e-9])
def test_a_jump_beyond_the_setting_is_refused(
    make_candles: MakeCandles, make_params: MakeParams, times: float, last: int
):
    """A redenomination, another unit, two symbols glued together: unless the setting admits it."""
    candles = scaled(make_candles(100), times, 50, last)

    message = refusal(candles)

    assert message.startswith(
        f"fetch.max_jump must be at least the widest distance between two neighbours of {SYMBOL}"
    )
    assert "; received 5.0, while they jump " in message
    assert re.search(r" by a factor of [\d.e+]+ at 2022-01-05T02:00:00\+00:00", message)
    assert message.count(" by a factor of ") == (1 if last == 99 else 2)
    assert len(clean(candles, SYMBOL, make_params(max_jump=2e9, max_gap_bars=WEEK_BARS)).candles) == 100


@pytest.mark.parametrize("times", [5.5, 1000.0, 1 / 5.5, 1 / 1000])
def test_a_jump_within_a_candle_is_refused(
    make_candles: MakeCandles, make_params: MakeParams, times: float
):
    """A redenomination while the market is open: one candle has both prices, and touches its neighbours."""
    candles = scaled(make_candles(100), times, 51, 99)
    torn = changed(candles, 50, **{"high" if times > 1 else "low": candles["close"].iloc[50] * times})

    assert " by a factor of " in refusal(torn)
    admitted = kept_jumps(torn, make_params(max_jump=2e9, max_gap_bars=WEEK_BARS))
    assert admitted["open_time"].to_list() == [MONDAY + 51 * HOUR]


def test_a_wide_candle_between_neighbours_alike_is_no_jump(make_candles: MakeCandles):
    """A spike to a tenth and back within the hour, as in a crash."""
    candles = make_candles(100)
    crash = changed(candles, 50, low=candles["low"].iloc[50] / 10)

    assert kept_jumps(crash).empty


@pytest.mark.parametrize("apart", [1.4, 1.6])
def test_a_distance_is_measured_between_ranges(make_candles: MakeCandles, apart: float):
    """From the upper end of the lower range to the lower end of the upper one, whichever comes first."""
    candles = make_candles(2)
    candles[["open", "close", "high", "low"]] = [
        [110.0, 90.0, 120.0, 80.0],
        [200.0, 200.0, 250.0, 120 * apart],
    ]
    for pair in (candles, candles[::-1].reset_index(drop=True)):
        found = kept_jumps(pair.assign(open_time=candles["open_time"]))["times"].to_list()
        assert found == ([pytest.approx(apart)] if apart > JUMP else [])


def test_a_jump_across_a_gap_counts_as_any(make_candles: MakeCandles):
    """A market that is halted to be redenominated has its jump there."""
    candles = scaled(make_candles(100, missing=range(50, 70)), 3.0, 50, 99)
    assert kept_jumps(candles)["open_time"].to_list() == [MONDAY + 70 * HOUR]

    assert re.search(
        r"while they jump by a factor of [89]\.\d+ at 2022-01-05T22", refusal(scaled(candles, 3.0, 50, 99))
    )


def test_a_wick_is_no_jump(make_candles: MakeCandles):
    """A range that reaches far but touches its neighbours' is a bad print or a crash: suspect, and kept."""
    candles = make_candles(100)
    candles = changed(candles, 50, high=candles["high"].iloc[50] * 1000)

    assert kept_jumps(candles).empty
    assert len(clean(candles, SYMBOL, WEEK).suspect) == 1


def test_a_lasting_move_isnt_suspect(make_candles: MakeCandles):
    """Prices that double and stay there have a neighbour on the same level: a jump, but no bad print."""
    candles = scaled(make_candles(100), 2.0, 50, 99)

    assert clean(candles, SYMBOL, WEEK).suspect == []
    assert len(kept_jumps(candles)) == 1


@pytest.mark.parametrize("error", [6e-16, 6e-8, 9.9e-7])
@pytest.mark.parametrize("name", ["open", "close"])
def test_a_rounding_error_beyond_the_range_is_sound(make_candles: MakeCandles, name: str, error: float):
    """High and low are moved to hold the price, all else stays to the bit, and it is counted."""
    candles = make_candles(100)
    rough = candles.copy()
    for row, end in {10: "high", 20: "low"}.items():
        rough.loc[row, name] = rough[end].iloc[row] * (1 + error if end == "high" else 1 - error)

    found = clean(rough, SYMBOL, WEEK)

    expected = changed(changed(rough, 10, high=rough[name].iloc[10]), 20, low=rough[name].iloc[20])
    assert_frame_equal(found.candles, expected, check_exact=True)
    assert found.broken == []
    assert found.n_widened == 2


@pytest.mark.parametrize("factor", [1 + 2e-6, 1 - 2e-6])
def test_a_price_further_beyond_the_range_is_not(make_candles: MakeCandles, factor: float):
    """Two millionths are no rounding error."""
    candles = make_candles(100)
    end = "high" if factor > 1 else "low"

    found = clean(changed(candles, 10, close=candles[end].iloc[10] * factor), SYMBOL, WEEK)

    assert [fault["rule"] for fault in found.broken] == [ORDER_RULE]


@pytest.mark.parametrize(
    "rough", [["open"], ["high", "low"], ["open", "high", "low", "close"], ["close", "volume"]]
)
def test_prices_kept_as_float32_are_sound(make_candles: MakeCandles, rough: list[str]):
    """Whichever columns were rounded so: no candle is left out, none moved by more than was lost."""
    candles = make_candles(100)

    found = clean(candles.astype(dict.fromkeys(rough, "float32")), SYMBOL, WEEK)

    assert found.broken == []
    np.testing.assert_allclose(found.candles[PRICES], candles[PRICES], rtol=1e-7)
    assert (found.candles["high"] == found.candles[PRICES].max(axis=1)).all()
    assert (found.candles["low"] == found.candles[PRICES].min(axis=1)).all()


@pytest.mark.parametrize("name", ["low", "high"])
def test_rows_too_wide_are_suspect(make_candles: MakeCandles, name: str):
    """Where volume stands for the low, every row is a candle of sorts, and like its neighbours."""
    candles = make_candles(100)
    other = candles["volume"] if name == "low" else candles["volume"] * 10_000
    swapped = candles.assign(**{name: other, "volume": candles[name]})

    found = clean(swapped, SYMBOL, WEEK)

    assert len(found.suspect) == 100
    assert {fault["rule"] for fault in found.suspect} >= {"no high should be more than 5.0 times the low"}
    assert clean(candles, SYMBOL, WEEK).suspect == []


def test_a_bar_of_one_price_and_no_volume_is_sound(make_candles: MakeCandles):
    """A quiet hour has open, high, low and close alike, and nobody traded."""
    quiet = make_candles(48)["close"].iloc[10]
    candles = changed(make_candles(48), 11, open=quiet, high=quiet, low=quiet, close=quiet, volume=0.0)

    found = clean(candles, SYMBOL, WEEK)

    assert_frame_equal(found.candles, candles, check_exact=True)
    assert found.broken == found.suspect == []


@pytest.mark.parametrize("name", COLUMNS[1:])
def test_two_rows_of_a_time_must_agree(make_candles: MakeCandles, name: str):
    """The error shows both, wherever in the table they stand: which of them is right isn't known."""
    candles = make_candles(48)
    other = changed(candles, 11, **{name: candles[name].iloc[11] * 1.0001})[11:12]
    as_words = [
        ", ".join(f"{column} {row[column].iloc[0]}" for column in COLUMNS[1:])
        for row in (candles[11:12], other)
    ]

    message = refusal(pd.concat([candles, other, candles[11:12]]))

    assert message == (
        f"fetch.symbols: {SYMBOL} must have one candle a time; received {as_words[0]} and {as_words[1]} "
        "at 2022-01-03 11:00:00+00:00."
    )


def test_a_broken_row_beside_a_sound_one_is_refused(make_candles: MakeCandles):
    """Of two rows of a time, the one that is a candle isn't therefore the right one."""
    candles = make_candles(100)

    message = refusal(pd.concat([candles, changed(candles, 11, close=NAN)[11:12]]))

    assert "must have one candle a time" in message
    assert "close nan" in message


@pytest.mark.parametrize("late", ["28min14.789s", "1ms", "59min59.999s", "30min"])
def test_a_few_rows_off_the_grid_are_left_out(
    make_candles: MakeCandles, make_params: MakeParams, late: str
):
    """Hours that open late, as Binance's after a halt in 2018, are listed like broken rows."""
    params = make_params(end="2022-02-01")
    candles = make_candles(500)
    rows = range(100, 105)
    moved = candles.copy()
    moved.loc[100:104, "open_time"] += pd.Timedelta(late)

    found = clean(moved, SYMBOL, params.model_copy(update={"max_gap_bars": 500}))

    assert_frame_equal(found.candles, without(candles, *rows), check_exact=True)
    assert [fault["rule"] for fault in found.broken] == [ON_GRID] * 5
    assert [pd.Timestamp(fault["open_time"]) for fault in found.broken] == [*moved["open_time"][100:105]]


def test_more_rows_off_the_grid_are_refused(make_candles: MakeCandles):
    """Half a table of other times isn't one of this timeframe, whichever half that is."""
    for n_moved in (3, 84, 160):
        candles = make_candles(WEEK_BARS)
        candles.loc[: n_moved - 1, "open_time"] += pd.Timedelta("10min")

        message = refusal(candles)

        assert (
            f"{SYMBOL} must have 99% sound rows or more; received {n_moved} broken ones of 168, " in message
        )
        assert message.endswith(f": {ON_GRID}.")


def test_text_is_no_price(make_candles: MakeCandles):
    """The error shows the text."""
    candles = make_candles(5).astype({"close": object})

    assert (
        "close of BTC/USDT must be a number; received: could not convert string to float: 'n/a'"
        in refusal(changed(candles, 2, close="n/a"))
    )


@pytest.mark.parametrize("value", ["1_000", "\u0663\u0660", "20\u00a0000", "\uff11", True, False])
def test_a_number_that_python_alone_reads_is_none(make_candles: MakeCandles, value: str | bool):  # noqa: FBT001
    """Nor are digits of another script: who writes prices so means something by it."""
    candles = make_candles(5).astype({"close": object})

    assert f"to float: {str(value)!a}" in refusal(changed(candles, 2, close=value))


def test_timeframe_must_be_the_step(make_candles: MakeCandles, make_params: MakeParams):
    """Hourly candles are neither 4h nor 30m ones."""
    for timeframe in ("4h", "30m"):
        message = refusal(make_candles(48), make_params(timeframe=timeframe))
        assert message.startswith(
            f"fetch.timeframe must be the step from candle to candle; received {timeframe}"
        )
        assert "every 0 days 01:00:00" in message


@pytest.mark.parametrize("coarse_first", [True, False])
def test_a_run_of_another_timeframe_is_refused(
    make_candles: MakeCandles, make_params: MakeParams, *, coarse_first: bool
):
    """Four-hour candles of a past of which the hourly ones are no longer to be had aren't hourly ones."""
    candles = make_candles(600)
    hour = candles["open_time"].dt.hour
    coarse = (candles.index < 200) if coarse_first else (candles.index >= 400)
    mixed = candles[~coarse | (hour % 4 == 0)]

    message = refusal(mixed, make_params(end="2022-01-28"))

    assert message.startswith("fetch.timeframe must be the step from candle to candle; received 1h")
    assert "has one every 0 days 04:00:00 up to " in message


def test_a_few_gaps_alike_are_gaps(make_candles: MakeCandles):
    """A market in which nobody trades every other hour is sound, unless it goes on for as long as this."""
    missing = range(51, 51 + 2 * OTHER_STEPS, 2)

    few = make_candles(WEEK_BARS, missing=missing[1:])
    assert_frame_equal(clean(few, SYMBOL, WEEK).candles, few, check_exact=True)

    assert "every 0 days 02:00:00" in refusal(make_candles(WEEK_BARS, missing=missing))


@pytest.mark.parametrize(
    ("timeframe", "start", "phase"),
    [
        ("15m", "2022-01-03T00:15", "0 days 00:00:00"),
        ("15m", "2022-01-03T00:05", None),
        ("1h", "2022-01-03T00:30", "0 days 00:30:00"),
        ("1h", "2022-01-03T00:59:59.999", None),
        ("1h", "2022-01-03T00:20", None),
        ("4h", "2022-01-03T04:00", "0 days 00:00:00"),
        ("4h", "2022-01-03T02:00", "0 days 02:00:00"),
        ("1d", "2022-01-03", "0 days 00:00:00"),
        ("1d", "2022-01-03T16:00", "0 days 16:00:00"),
        ("1d", "2022-01-02T18:30", "0 days 18:30:00"),
        ("1d", "2022-01-03T16:00:01", None),
        ("1w", "2022-01-03", "0 days 00:00:00"),
        ("1w", "2022-01-06", "3 days 00:00:00"),
        ("3d", "2022-01-04", "0 days 00:00:00"),
        ("3d", "2022-01-04T12:00", "0 days 12:00:00"),
    ],
)
def test_all_bars_may_open_later_than_usual(
    make_candles: MakeCandles, make_params: MakeParams, timeframe: str, start: str, phase: str | None
):
    """By whole quarter hours after midnight, or Monday 00:00 for weeks."""
    times = pd.date_range(start, periods=5, freq=bar_length(timeframe), tz="UTC", unit="ms")
    candles = make_candles(5).assign(open_time=times)
    params = make_params(timeframe=timeframe, start="2022-01-02", end="2022-03-01", max_gap_bars=100_000)

    if phase is None:
        assert refusal(candles, params).endswith(f": {ON_GRID}.")
        return
    found = clean(candles, SYMBOL, params)
    assert_frame_equal(found.candles, candles, check_exact=True)
    assert str(phase_of(found.candles["open_time"], bar_length(timeframe))) == phase


def test_the_few_that_open_as_usual_are_astray_where_the_others_open_later(make_candles: MakeCandles):
    """The grid is that of the most."""
    candles = make_candles(100)
    candles.loc[candles.index != 50, "open_time"] += pd.Timedelta("30min")

    found = clean(candles, SYMBOL, WEEK)

    assert_frame_equal(found.candles, without(candles, 50), check_exact=True)
    assert gaps(found.candles["open_time"], WEEK).iloc[0].to_list() == [MONDAY + 50.5 * HOUR, 1]


def test_bars_of_three_days_stay_in_step(make_candles: MakeCandles, make_params: MakeParams):
    """They may open on any day, but one day's delay amid them makes others of the rest."""
    times = pd.date_range("2022-01-04", periods=100, freq="3D", tz="UTC", unit="ms").to_series()
    shifted = times.where(np.arange(100) < 60, times + pd.Timedelta("1D"))
    params = make_params(timeframe="3d", start="2022-01-02", end="2023-03-01", max_gap_bars=100_000)

    message = refusal(make_candles(100).assign(open_time=shifted.to_numpy()), params)

    assert "40 broken ones of 100" in message
    assert message.endswith(f": {ON_GRID}.")


def test_a_whole_number_without_end_is_no_price(make_candles: MakeCandles):
    """JSON may hold one of four hundred digits; Python reads it, no float does."""
    candles = make_candles(5).astype({"close": object})

    assert f"close of {SYMBOL} must be a number; received: int too large" in refusal(
        changed(candles, 2, close=10**400)
    )


@pytest.mark.parametrize("name", COLUMNS[1:])
def test_true_and_false_are_no_numbers(make_candles: MakeCandles, name: str):
    """Python would take them for 1 and 0."""
    assert f"{name} of {SYMBOL} must be a number; received: True, true or false" in refusal(
        make_candles(100).assign(**{name: True})
    )


@pytest.mark.parametrize("n_missing", [1, 5, 47, 48])
@pytest.mark.parametrize("place", ["inside", "trailing"])
def test_a_gap_may_be_as_long_as_the_setting(
    make_candles: MakeCandles, make_params: MakeParams, n_missing: int, place: str
):
    """fetch.max_gap_bars missing candles are accepted; one less, and they are refused and named."""
    first = 60 if place == "inside" else WEEK_BARS - n_missing
    candles = make_candles(WEEK_BARS, missing=range(first, first + n_missing))

    found = clean(candles, SYMBOL, make_params(max_gap_bars=n_missing))
    message = refusal(candles, make_params(max_gap_bars=n_missing - 1))

    assert_frame_equal(found.candles, candles, check_exact=True)
    assert message.startswith(f"fetch.max_gap_bars must be at least the longest gap of {SYMBOL}")
    assert f"received {n_missing - 1}, while it lacks {n_missing} bars from " in message
    assert message.endswith(f"{(MONDAY + first * HOUR).isoformat()}.")


def test_a_market_may_begin_late(make_candles: MakeCandles, make_params: MakeParams):
    """The gap before the first candle is never refused."""
    params = make_params(start="2021-01-04", max_gap_bars=0)
    candles = make_candles(WEEK_BARS)

    assert_frame_equal(clean(candles, SYMBOL, params).candles, candles, check_exact=True)


def test_all_gaps_too_long_are_named(make_candles: MakeCandles, make_params: MakeParams):
    """The error lists them, those that are short enough left out; of very many the first few."""
    candles = make_candles(WEEK_BARS, missing=[10, 11, 20, 30, 31, 32])
    message = refusal(candles, make_params(max_gap_bars=1))
    assert message.endswith(
        "lacks 2 bars from 2022-01-03T10:00:00+00:00, 3 bars from 2022-01-04T06:00:00+00:00."
    )

    candles = make_candles(WEEK_BARS, missing=range(1, WEEK_BARS, 10))
    message = refusal(candles, make_params(max_gap_bars=0))
    assert message.count("bars from") == N_SHOWN
    assert message.endswith(" and 7 more.")


def test_broken_rows_make_gaps(make_candles: MakeCandles, make_params: MakeParams):
    """What is left out is missing, and so refused where nothing may be."""
    candles = changed(make_candles(WEEK_BARS), 11, close=NAN)

    assert "lacks 1 bars from 2022-01-03T11:00:00" in refusal(candles, make_params(max_gap_bars=0))

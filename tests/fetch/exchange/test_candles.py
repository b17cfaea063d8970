import json
import re
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from threading import Barrier, Event
from typing import Any

import ccxt
import pandas as pd
import pytest
from pandas.testing import assert_frame_equal

from stages.common.errors import InputError
from stages.fetch.clean import Cleaned, clean
from stages.fetch.exchange import candles
from stages.fetch.exchange.candles import fetch_candles
from stages.fetch.exchange.download import IN_FLIGHT
from stages.fetch.exchange.pages import Span, write_page
from stages.fetch.params import FetchParams
from tests.fetch.conftest import MakeParams
from tests.fetch.exchange import conftest
from tools.exchange_server import Answer, ExchangeServer, Klines, Query, as_json, to_klines

FIRST_MS = 1_641_168_000_000  # 2022-01-03
HOUR_MS = 3_600_000
WHOLE = "2022-04-17T04:00"  # the market's end

Row = list[Any]  # as the server sends it


def refusal(params: FetchParams, now: pd.Timestamp | None = None) -> str:
    """What the source says to these settings."""
    return conftest.refusal(lambda: fetch_candles(params, now))


def test_the_market_comes_as_it_is(
    exchange_server: ExchangeServer, market: pd.DataFrame, make_params: MakeParams
):
    """2,500 hours over three pages, gaps and all, to the last bit."""
    params = make_params(end=WHOLE)

    found = clean(fetch_candles(params)["BTC/USDT"], "BTC/USDT", params).candles

    assert_frame_equal(found, market, check_exact=True)


def hours_asked(server: ExchangeServer) -> list[tuple[int, int]]:
    """The windows that the server was asked for, in hours from the market's start, in order."""
    asked = [(int(query["startTime"]), int(query["endTime"])) for query in server.queries]
    return sorted(((start - FIRST_MS) // HOUR_MS, (end + 1 - FIRST_MS) // HOUR_MS) for start, end in asked)


def test_pages_leave_room_for_their_neighbours(exchange_server: ExchangeServer, make_params: MakeParams):
    """A thousand rows at once, the first and last of which belong to the next pages; gaps at ends again."""
    fetch_candles(make_params(end=WHOLE))

    # Candles 997 to 1000 are missing: of those, the first page lacks one and the second three.
    at_the_gap = [*[(996, 999)] * 2, *[(997, 1002)] * 2]
    assert hours_asked(exchange_server) == [(-1, 999), *at_the_gap, (997, 1997), (1995, 2501)]


def test_nothing_is_asked_for_twice(
    exchange_server: ExchangeServer, market: pd.DataFrame, make_params: MakeParams
):
    """A second run needs no exchange at all, and has the same candles."""
    params = make_params(end=WHOLE)
    first = fetch_candles(params)["BTC/USDT"]
    n_requests = exchange_server.n_requests
    exchange_server.answer = lambda *_: Answer("", 500)  # type: ignore[method-assign]

    second = fetch_candles(params)["BTC/USDT"]

    assert_frame_equal(first, second, check_exact=True)
    assert_frame_equal(first.reset_index(drop=True), market, check_exact=True)
    assert exchange_server.n_requests == n_requests


@pytest.mark.parametrize(
    ("changes", "new"),
    [
        ({"end": "2022-01-08"}, [(71, 121)]),
        ({"start": "2022-01-02"}, [(-25, 1)]),
        ({"start": "2022-01-02", "end": "2022-01-08"}, [(-25, 1), (71, 121)]),
        ({"start": "2022-01-04", "end": "2022-01-05"}, []),
    ],
)
def test_another_window_asks_for_the_new_part_only(
    exchange_server: ExchangeServer, make_params: MakeParams, changes: dict[str, str], new: list[object]
):
    """Besides the neighbours, by which old and new are compared; what was empty counts as known, too."""
    window = {"start": "2022-01-03", "end": "2022-01-06"}
    fetch_candles(make_params(**window))
    exchange_server.queries.clear()

    fetch_candles(make_params(**window | changes))

    asked = [span for span in hours_asked(exchange_server) if span != (-25, 0)]
    assert sorted(set(asked)) == new


def test_an_exchange_without_a_stated_limit_has_pages_too(
    exchange_server: ExchangeServer,
    market: pd.DataFrame,
    make_params: MakeParams,
    monkeypatch: pytest.MonkeyPatch,
):
    """Of some exchanges ccxt knows that they have candles, but not how many they send at once."""
    monkeypatch.setattr(ccxt.binance, "feature_value", lambda *_: None)
    params = make_params(end=WHOLE)

    found = clean(fetch_candles(params)["BTC/USDT"], "BTC/USDT", params).candles

    assert_frame_equal(found, market, check_exact=True)


def test_window_includes_its_start_and_not_its_end(
    exchange_server: ExchangeServer, make_params: MakeParams
):
    """`end` is exclusive, though ccxt's `until` is not."""
    params = make_params(start="2022-01-04T01:00", end="2022-01-04T04:00")

    assert fetch_candles(params)["BTC/USDT"]["open_time"].dt.hour.tolist() == [1, 2, 3]


def test_the_forming_candle_is_dropped(
    exchange_server: ExchangeServer, market: pd.DataFrame, make_params: MakeParams
):
    """An exchange that sends on to the present, past the end asked for, adds nothing."""

    def without_end(query: Query) -> Answer:
        del query["endTime"], query["limit"]
        return exchange_server.honest_klines(query)

    exchange_server.klines = without_end
    params = make_params(end="2022-01-03T12:00")

    found = fetch_candles(params, pd.Timestamp("2022-01-03T12:30", tz="UTC"))["BTC/USDT"]

    assert found["open_time"].max() == pd.Timestamp("2022-01-03T11:00", tz="UTC")
    assert len(found) == 10


def test_a_lower_cap_on_rows_loses_none(
    exchange_server: ExchangeServer, market: pd.DataFrame, make_params: MakeParams
):
    """An exchange that sends fewer rows than it says is asked again."""
    exchange_server.klines = lambda query: exchange_server.honest_klines({**query, "limit": "300"})
    params = make_params(end=WHOLE)

    assert_frame_equal(
        clean(fetch_candles(params)["BTC/USDT"], "BTC/USDT", params).candles, market, check_exact=True
    )


def test_a_page_without_candles_is_a_gap(
    exchange_server: ExchangeServer, market: pd.DataFrame, make_params: MakeParams
):
    """A market that starts later than the window has empty pages first."""
    params = make_params(start="2021-08-01", end="2022-01-04")

    found = clean(fetch_candles(params)["BTC/USDT"], "BTC/USDT", params).candles

    assert_frame_equal(found, market[:22], check_exact=True)


def test_later_candles_arent_taken_for_the_first(
    exchange_server: ExchangeServer, market: pd.DataFrame, make_params: MakeParams
):
    """Where no end is heeded, a late market can't be told from one whose past is gone: it must be said."""

    def without_end(query: Query) -> Answer:
        return exchange_server.honest_klines({**query, "endTime": str(2**60)})

    exchange_server.klines = without_end
    message = refusal(make_params(start="2021-08-01", end=WHOLE))
    assert message.startswith("fetch.start must be 2022-01-03T00:00 or later for BTC/USDT: ")

    found = fetch_candles(make_params(end=WHOLE))["BTC/USDT"]

    assert_frame_equal(found.reset_index(drop=True), market, check_exact=True)


@pytest.mark.parametrize(
    ("timeframe", "end", "closed"),
    [
        ("1h", "2022-01-05", "2022-01-05T00:00"),
        ("1h", "2022-01-05T00:30", "2022-01-05T01:00"),
        ("1d", "2022-01-05", "2022-01-05T00:00"),
        ("1d", "2022-01-05T01:00", "2022-01-06T00:00"),
        ("1w", "2022-01-10", "2022-01-10T00:00"),
        ("1w", "2022-01-11", "2022-01-17T00:00"),
        ("3d", "2022-01-05", "2022-01-07T00:00"),
    ],
)
def test_end_must_leave_closed_candles_only(
    exchange_server: ExchangeServer, make_params: MakeParams, timeframe: str, end: str, closed: str
):
    """The last candle must have closed a minute ago, to be published; the exchange isn't even asked."""
    params = make_params(timeframe=timeframe, end=end)
    close = pd.Timestamp(closed, tz="UTC") + pd.Timedelta("1min")

    message = refusal(params, close - pd.Timedelta("1ms"))
    assert message.startswith("fetch.end must leave closed candles only")
    assert message.endswith(f"received {end}, and the candle before it closes at {closed}.")
    assert exchange_server.queries == []
    # When it has closed, this server is asked, which has hourly candles alone.
    if timeframe == "1h":
        assert len(fetch_candles(params, close)["BTC/USDT"]) > 40


def test_an_unknown_symbol_is_told_the_nearest(exchange_server: ExchangeServer, make_params: MakeParams):
    """A symbol in lower case is no market."""
    assert refusal(make_params(symbols=["btc/usdt"])) == (
        "fetch.symbols must be markets of binance; received 'btc/usdt'; the nearest one is BTC/USDT."
    )


def test_an_unknown_timeframe_is_told_all(exchange_server: ExchangeServer, make_params: MakeParams):
    """The error lists the timeframes that there are."""
    message = refusal(make_params(timeframe="7h"))

    assert message.startswith("fetch.timeframe must be one of binance's, 1s, 1m, 3m, ")
    assert message.endswith("received '7h'.")


def test_a_window_between_two_bars_is_refused(exchange_server: ExchangeServer, make_params: MakeParams):
    """No hourly candle opens within it, not even of a market whose bars open at a quarter past."""
    params = make_params(start="2022-01-03T00:16", end="2022-01-03T00:29")

    assert refusal(params).startswith("fetch.start and fetch.end must enclose a time at which a bar of 1h")
    assert exchange_server.queries == []


def test_requests_overlap_within_and_across_symbols(
    market: pd.DataFrame, exchange_server: ExchangeServer, make_params: MakeParams
):
    """Six pages of two symbols are all asked for before the first is answered."""
    exchange_server.symbols.append("ETH/USDT")
    exchange_server.candles["ETHUSDT"] = exchange_server.candles["BTCUSDT"]
    together = Barrier(6, timeout=20)

    def klines(query: Query) -> Answer:
        if len(exchange_server.queries) <= 6:
            together.wait()
        return exchange_server.honest_klines(query)

    exchange_server.klines = klines
    found = fetch_candles(make_params(end=WHOLE, symbols=["BTC/USDT", "ETH/USDT"]))

    for symbol in ("BTC/USDT", "ETH/USDT"):
        assert_frame_equal(found[symbol].reset_index(drop=True), market, check_exact=True)


def test_a_window_that_fails_is_named_and_not_skipped(
    exchange_server: ExchangeServer, market: pd.DataFrame, make_params: MakeParams, waits: list[float]
):
    """The error says which candles are missing; the next run asks for those alone."""
    params = make_params(end=WHOLE)
    second_ms = FIRST_MS + 998 * HOUR_MS

    def klines(query: Query) -> Answer:
        if int(query["startTime"]) == second_ms - HOUR_MS:
            done.wait(20)
            return Answer("", 500)
        answer = exchange_server.honest_klines(query)
        if int(query["startTime"]) > second_ms + HOUR_MS:
            done.set()
        return answer

    done = Event()
    exchange_server.klines = klines
    message = refusal(params)
    assert message.startswith("fetch.exchange.name must be an exchange that answers; binance gave Exchange")
    assert "Still missing: BTC/USDT from 2022-02-13T14:00 to 2022-03-27T04:00. What came" in message

    exchange_server.klines = exchange_server.honest_klines
    exchange_server.queries.clear()
    found = fetch_candles(params)["BTC/USDT"]
    assert hours_asked(exchange_server) == [*[(997, 1002)] * 2, (997, 1997)]
    assert_frame_equal(found.reset_index(drop=True), market, check_exact=True)


def test_a_region_block_stops_everything(exchange_server: ExchangeServer, make_params: MakeParams):
    """Once one request has been refused, none is sent; those under way can't be called back."""
    exchange_server.klines = lambda _: as_json({"msg": "restricted"}, 451)
    params = make_params(start="2019-01-01", end=WHOLE)  # 29 pages

    assert "data-api.binance.vision" in refusal(params)
    assert len(exchange_server.queries) <= IN_FLIGHT


def test_pages_that_disagree_are_both_shown(
    exchange_server: ExchangeServer, make_params: MakeParams, market: pd.DataFrame
):
    """A candle that changed after it had closed is no candle; the error says where to delete it."""
    fetch_candles(make_params(end="2022-01-05"))
    last = market["open_time"] == "2022-01-04T23:00"
    revised = market.assign(close=market["close"].mask(last, 20_001.0))
    revised["high"] = revised[["high", "close"]].max(axis=1)
    revised["low"] = revised[["low", "close"]].min(axis=1)
    exchange_server.candles["BTCUSDT"] = to_klines(revised, "1h")

    message = refusal(make_params(end="2022-01-06"))

    old = market.loc[last, "close"].item()
    assert message.startswith("fetch.symbols: BTC/USDT must have one candle a time; received open ")
    assert f"close {old}" in message
    assert "close 20001.0" in message
    assert "at 2022-01-04 23:00:00+00:00; delete .cache" in message
    assert message.endswith("BTC-USDT/1h to have them fetched anew.")


def test_an_answer_that_contradicts_itself_is_not_kept(
    exchange_server: ExchangeServer, make_params: MakeParams
):
    """Nothing of it is there for the next run, which gets the true one."""

    def klines(query: Query) -> Answer:
        rows = json.loads(exchange_server.honest_klines(query).body)
        return as_json([*rows[:5], [rows[4][0], *rows[3][1:]], *rows[5:]])

    exchange_server.klines = klines
    params = make_params(end="2022-01-05")
    assert "must have one candle a time" in refusal(params)

    exchange_server.klines = exchange_server.honest_klines
    assert len(fetch_candles(params)["BTC/USDT"]) == 46


def later(server: ExchangeServer, late_ms: int, *places: int) -> None:
    """Move the server's candles, or those at some places, to later times."""
    times, rows = server.candles["BTCUSDT"]
    moved = [time + late_ms * (not places or place in places) for place, time in enumerate(times)]
    texts = [json.dumps([time, *json.loads(row)[1:]]) for time, row in zip(moved, rows, strict=True)]
    server.candles["BTCUSDT"] = Klines(moved, texts)


def cleaned(params: FetchParams) -> Cleaned:
    """What becomes of the exchange's candles."""
    return clean(fetch_candles(params)["BTC/USDT"], "BTC/USDT", params)


def test_all_times_off_any_grid_are_refused(exchange_server: ExchangeServer, make_params: MakeParams):
    """Times of which no bar is aren't the latest candles alone, nor do they spoil what comes later."""
    honest = exchange_server.candles["BTCUSDT"]
    later(exchange_server, 1)
    params = make_params(end=WHOLE)
    with pytest.raises(InputError, match=r"must have 99% sound rows or more; .*grid") as caught:
        cleaned(params)
    assert "kept for the next run" not in str(caught.value)

    exchange_server.candles["BTCUSDT"] = honest
    assert len(cleaned(params).candles) == len(honest[0])
    assert cleaned(params).broken == []


@pytest.mark.parametrize("late_ms", [1_694_789, 1_800_000])
def test_a_few_times_off_the_grid_are_left_out(
    exchange_server: ExchangeServer, market: pd.DataFrame, make_params: MakeParams, late_ms: int
):
    """Also at a page's edge; the candles are the others, and each that is left out is listed."""
    places = [0, 10, 11, 12, *range(985, 996), 2492]
    later(exchange_server, late_ms, *places)

    found = cleaned(make_params(end=WHOLE))

    assert_frame_equal(found.candles, market.drop(index=places).reset_index(drop=True), check_exact=True)
    assert len(found.broken) == len(places)


def test_a_neighbour_off_the_grid_is_no_reason_to_refuse(
    exchange_server: ExchangeServer, market: pd.DataFrame, make_params: MakeParams
):
    """A row outside the window that came along tells nothing of those in it."""
    later(exchange_server, 1_694_789, 23, 72)  # the 24th's first one is missing less three

    found = cleaned(make_params(start="2022-01-04T02:00", end="2022-01-06T02:00"))

    assert found.broken == []
    assert found.candles["open_time"].iloc[0] == pd.Timestamp("2022-01-04T02:00", tz="UTC")
    assert len(found.candles) == 48


@pytest.mark.parametrize("late_ms", [900_000, 1_800_000])
@pytest.mark.parametrize("end", ["2022-02-01", WHOLE])
def test_a_market_whose_bars_all_open_later_comes_whole(
    exchange_server: ExchangeServer, market: pd.DataFrame, make_params: MakeParams, late_ms: int, end: str
):
    """Over page after page, and again from what is kept; nothing is asked for twice."""
    later(exchange_server, late_ms)
    late = pd.Timedelta(late_ms, "ms")
    moved = market.assign(open_time=(market["open_time"] + late).astype("datetime64[ms, UTC]"))
    params = make_params(end=end)

    found = cleaned(params)

    expected = moved[moved["open_time"] < params.end_time]
    assert_frame_equal(found.candles, expected, check_exact=True)
    assert found.broken == []
    n_queries = len(exchange_server.queries)
    assert_frame_equal(cleaned(params).candles, expected, check_exact=True)
    assert len(exchange_server.queries) - n_queries <= (2 if end == WHOLE else 0)  # the end's own gap


def test_a_bar_that_opens_later_must_have_closed(exchange_server: ExchangeServer, make_params: MakeParams):
    """One from half past is still forming on the hour: fetch.end is refused, and nothing kept of it."""
    later(exchange_server, 1_800_000)
    params = make_params(end="2022-01-05")
    end = params.end_time

    message = refusal(params, end + pd.Timedelta("20min"))
    assert message.startswith("fetch.end must leave closed candles only")
    assert message.endswith("and the candle before it closes at 2022-01-05T00:30.")

    assert len(fetch_candles(params, end + pd.Timedelta("31min"))["BTC/USDT"]) == 46


@pytest.mark.parametrize(
    "answer", [as_json({"msg": "restricted"}, 451), as_json({"code": -1121, "msg": "Invalid symbol."}, 400)]
)
def test_what_came_is_kept_is_said_where_a_next_run_can_succeed(
    exchange_server: ExchangeServer, make_params: MakeParams, answer: Answer
):
    """Not where the same request would be refused again: there, what is missing is named alone."""
    exchange_server.klines = lambda _: answer

    message = refusal(make_params(end="2022-01-05"))

    assert message.endswith(" Still missing: BTC/USDT from 2022-01-03T00:00 to 2022-01-05T00:00.")


@pytest.mark.parametrize("start", ["2022-01-03", "2022-03-05"])
def test_an_exchange_that_has_its_latest_candles_only_says_so(
    exchange_server: ExchangeServer, make_params: MakeParams, start: str
):
    """As Kraken does: a window that begins earlier is refused at once, a later one is fetched."""
    times, rows = exchange_server.candles["BTCUSDT"]
    exchange_server.klines = lambda _: Answer(f"[{','.join(rows[-1000:])}]")
    now = pd.Timestamp(WHOLE, tz="UTC") + pd.Timedelta("1min")
    oldest = pd.Timestamp(times[-1000], unit="ms")

    message = refusal(make_params(start=start, end=WHOLE), now)
    assert message.startswith(
        f"fetch.start must be {oldest:%Y-%m-%dT%H:%M} or later for BTC/USDT: binance gives no earlier "
    )
    later = make_params(start=f"{oldest:%Y-%m-%dT%H:%M}", end=WHOLE)
    assert len(fetch_candles(later, now)["BTC/USDT"]) == 1000


def test_an_answer_that_is_too_long_by_mistake_is_no_limit(
    exchange_server: ExchangeServer, make_params: MakeParams
):
    """A window that begins before the market isn't refused for a single answer that heeded no end."""
    answers = [exchange_server.honest_klines({"symbol": "BTCUSDT", "interval": "1h", "limit": "999"})]
    exchange_server.klines = lambda query: (
        answers.pop() if answers else exchange_server.honest_klines(query)
    )

    assert len(fetch_candles(make_params(start="2022-01-02", end="2022-01-05"))["BTC/USDT"]) == 46


def test_another_endpoint_starts_anew(
    exchange_server: ExchangeServer, make_params: MakeParams, tmp_path: Path
):
    """What a test server said isn't taken for what the exchange says."""
    params = make_params(end="2022-01-05")
    fetch_candles(params)
    config = exchange_server.config
    config["urls"]["api"]["public"] = config["urls"]["api"]["public"].replace("127.0.0.1", "localhost")
    (tmp_path / "ccxt.json").write_text(json.dumps(config))
    exchange_server.queries.clear()

    fetch_candles(params)

    assert len(exchange_server.queries) == 1


def test_the_symbol_that_failed_is_named(exchange_server: ExchangeServer, make_params: MakeParams):
    """Among those that are merely not there yet."""
    symbols = ["BTC/USDT", *(f"C{number}/USDT" for number in range(6))]
    exchange_server.symbols = symbols

    message = refusal(make_params(symbols=symbols, end="2022-01-05"))

    assert re.search(r"Invalid symbol.*\(asked for C\d/USDT\)", message)


def change_rows(server: ExchangeServer, change: Callable[[Row], Row | None]) -> None:
    """Have the server change each row before it sends it, or leave it out."""

    def klines(query: Query) -> Answer:
        rows = [change(row) for row in json.loads(server.honest_klines(query).body)]
        return as_json([row for row in rows if row])

    server.klines = klines


GAPS: dict[str, Callable[[int], bool]] = {
    "everything": lambda _: True,
    "a page": lambda hour: 998 <= hour < 1996,
    "a page and its neighbours": lambda hour: 900 <= hour < 2100,
    "the beginning": lambda hour: hour < 1100,
    "the first hours": lambda hour: hour < 10,
    "the end": lambda hour: hour >= 2490,
    "more than max_gap_bars": lambda hour: 300 <= hour < 400,
}


@pytest.mark.parametrize("in_gap", GAPS.values(), ids=GAPS)
def test_a_gap_that_may_be_a_mistake_is_believed_once(
    exchange_server: ExchangeServer,
    market: pd.DataFrame,
    make_params: MakeParams,
    waits: list[float],
    in_gap: Callable[[int], bool],
):
    """It may be the market's or an exchange in trouble: the next run asks again, for those pages alone."""
    params = make_params(end=WHOLE)
    change_rows(exchange_server, lambda row: None if in_gap((row[0] - FIRST_MS) // HOUR_MS) else row)
    n_kept = sum(
        not in_gap((time.value // 1_000_000 - FIRST_MS) // HOUR_MS) for time in market["open_time"]
    )
    for _ in range(2):
        exchange_server.queries.clear()
        assert len(fetch_candles(params)["BTC/USDT"]) == n_kept
        assert exchange_server.queries
    assert 1.0 in waits

    exchange_server.klines = exchange_server.honest_klines
    assert_frame_equal(fetch_candles(params)["BTC/USDT"].reset_index(drop=True), market, check_exact=True)
    exchange_server.queries.clear()
    fetch_candles(params)
    assert exchange_server.queries == []


def test_a_gap_no_longer_than_max_gap_bars_is_believed(
    exchange_server: ExchangeServer, make_params: MakeParams
):
    """To its last bar; in a longer one, each run asks again."""
    change_rows(exchange_server, lambda row: None if 300 <= (row[0] - FIRST_MS) // HOUR_MS < 320 else row)
    for bars, again in ((20, False), (19, True)):
        params = make_params(end=WHOLE, max_gap_bars=bars)
        fetch_candles(params)
        exchange_server.queries.clear()
        fetch_candles(params)
        assert bool(exchange_server.queries) is again


def test_what_was_in_doubt_stays_if_it_cant_be_asked_for(
    exchange_server: ExchangeServer,
    market: pd.DataFrame,
    make_params: MakeParams,
    capsys: pytest.CaptureFixture[str],
):
    """Candles that an earlier run was content with are there without the exchange, too; the log says so."""
    params = make_params(start="2022-01-02", end=WHOLE)
    first = fetch_candles(params)["BTC/USDT"]
    capsys.readouterr()
    exchange_server.klines = lambda _: as_json({"msg": "restricted"}, 451)

    second = fetch_candles(params)["BTC/USDT"]

    assert_frame_equal(second, first, check_exact=True)
    assert_frame_equal(second.reset_index(drop=True), market, check_exact=True)
    assert "can't be asked for again: fetch.exchange.name must be an exchange" in capsys.readouterr().err


def test_a_worse_answer_replaces_no_candle(
    exchange_server: ExchangeServer, market: pd.DataFrame, make_params: MakeParams
):
    """An exchange that has less of a page in doubt than it had takes nothing away."""
    params = make_params(start="2022-01-02", end=WHOLE)
    first = fetch_candles(params)["BTC/USDT"]
    exchange_server.klines = lambda _: Answer("[]")

    assert_frame_equal(fetch_candles(params)["BTC/USDT"], first, check_exact=True)


def break_once(server: ExchangeServer, hour: int, column: int, value: str) -> list[str]:
    """Have one value of one answer be another; gives the values still to come."""
    left = [value]

    def klines(query: Query) -> Answer:
        rows = json.loads(server.honest_klines(query).body)
        for row in rows:
            if row[0] == FIRST_MS + hour * HOUR_MS and left:
                row[column] = left.pop()
        return as_json(rows)

    server.klines = klines
    return left


@pytest.mark.parametrize("hour", [500, 996, 1001, 1995, 1996])
def test_a_row_that_is_no_candle_heals(
    exchange_server: ExchangeServer, market: pd.DataFrame, make_params: MakeParams, hour: int
):
    """In the next run, also where two pages have it, and may disagree in this one."""
    params, left = make_params(end=WHOLE), break_once(exchange_server, hour, 1, "0")
    with suppress(InputError):
        assert fetch_candles(params)["BTC/USDT"]["open"].min() == 0
    assert not left

    found = fetch_candles(params)["BTC/USDT"]
    assert_frame_equal(found.reset_index(drop=True), market, check_exact=True)


@pytest.mark.parametrize("between", ["nothing comes", "a smaller window"])
def test_a_broken_row_isnt_forgotten_before_it_heals(
    exchange_server: ExchangeServer, market: pd.DataFrame, make_params: MakeParams, between: str
):
    """However many runs pass in which the exchange doesn't say what is right."""
    params = make_params(end="2022-01-10")
    break_once(exchange_server, 150, 1, "0")
    fetch_candles(params)
    if between == "nothing comes":
        exchange_server.klines = lambda _: Answer("[]")
        fetch_candles(params)
    else:
        fetch_candles(make_params(end="2022-01-06"))
    exchange_server.klines = exchange_server.honest_klines

    found = fetch_candles(params)["BTC/USDT"]

    assert_frame_equal(found.reset_index(drop=True), market[:166], check_exact=True)


def test_an_answer_that_disagrees_is_not_written_over_a_page(
    exchange_server: ExchangeServer, market: pd.DataFrame, make_params: MakeParams
):
    """When a page is asked for again: it stops the run, which shows both; the next goes on as before."""
    params = make_params(start="2022-01-02", end="2022-01-10")
    fetch_candles(params)
    break_once(exchange_server, 150, 5, "12345.0")

    message = refusal(params)
    assert "volume 12345.0" in message
    assert "delete .cache" in message

    found = fetch_candles(params)["BTC/USDT"]
    assert_frame_equal(found.reset_index(drop=True), market[:166], check_exact=True)


def test_a_page_longer_than_now_stays_one(
    exchange_server: ExchangeServer,
    market: pd.DataFrame,
    make_params: MakeParams,
    monkeypatch: pytest.MonkeyPatch,
):
    """A lower limit, of a later ccxt, doesn't keep what was broken in it beside what is right."""
    params = make_params(end="2022-01-10")
    break_once(exchange_server, 150, 1, "0")
    fetch_candles(params)
    monkeypatch.setattr(ccxt.binance, "feature_value", lambda *_: 50)

    found = fetch_candles(params)["BTC/USDT"]

    assert_frame_equal(found.reset_index(drop=True), market[:166], check_exact=True)


def test_no_request_reaches_into_the_future(exchange_server: ExchangeServer, make_params: MakeParams):
    """Though the bar behind the window is asked for as well: some exchanges refuse that."""
    now = pd.Timestamp("2022-01-05T00:02", tz="UTC")

    fetch_candles(make_params(end="2022-01-05"), now)

    assert max(int(query["endTime"]) for query in exchange_server.queries) <= now.value // 1_000_000


@pytest.mark.parametrize("config", [{"timeframes": None}, {"has": None}])
def test_options_that_break_ccxt_are_one_line(
    exchange_server: ExchangeServer, make_params: MakeParams, tmp_path: Path, config: dict[str, object]
):
    """Whatever ccxt makes of them."""
    (tmp_path / "ccxt.json").write_text(json.dumps({**exchange_server.config, **config}))

    assert refusal(make_params(end="2022-01-05")).startswith(
        "fetch.exchange.name must be an exchange that "
    )


def test_rows_that_are_no_candles_are_believed_once(
    exchange_server: ExchangeServer, market: pd.DataFrame, make_params: MakeParams
):
    """They may be in the exchange's books; they may be a mistake."""
    params = make_params(end=WHOLE)
    change_rows(exchange_server, lambda row: [row[0], "0", *row[2:]] if row[0] == FIRST_MS else row)
    assert fetch_candles(params)["BTC/USDT"]["open"].min() == 0

    exchange_server.klines = exchange_server.honest_klines
    exchange_server.queries.clear()
    found = fetch_candles(params)["BTC/USDT"]

    assert_frame_equal(found.reset_index(drop=True), market, check_exact=True)
    assert hours_asked(exchange_server) == [(-1, 999), *[(996, 999)] * 2]


@pytest.mark.parametrize("n_rows", [0, 1, 2])
def test_answers_that_are_cut_short_lose_nothing(
    exchange_server: ExchangeServer, market: pd.DataFrame, make_params: MakeParams, n_rows: int
):
    """The first answer to each question has only its first rows, which may be the page's neighbours."""
    params, asked = make_params(end=WHOLE), set[str]()

    def klines(query: Query) -> Answer:
        answer = exchange_server.honest_klines(query)
        question = json.dumps(query)
        if question in asked:
            return answer
        asked.add(question)
        return as_json(json.loads(answer.body)[:n_rows])

    exchange_server.klines = klines
    found = fetch_candles(params)["BTC/USDT"]

    assert_frame_equal(found.reset_index(drop=True), market, check_exact=True)


def test_a_page_that_broke_is_fetched_anew(
    exchange_server: ExchangeServer, market: pd.DataFrame, make_params: MakeParams
):
    """In the same run, and no other page is."""
    params = make_params(end=WHOLE)
    fetch_candles(params)
    [page] = Path(".cache/candles").rglob(f"{FIRST_MS}_*.parquet")
    page.write_bytes(page.read_bytes()[:-100])
    exchange_server.queries.clear()

    found = fetch_candles(params)["BTC/USDT"]

    assert_frame_equal(found.reset_index(drop=True), market, check_exact=True)
    assert hours_asked(exchange_server) == [(-1, 999), *[(996, 999)] * 2]


def test_progress_is_told_where_no_terminal_is(
    exchange_server: ExchangeServer, make_params: MakeParams, capsys: pytest.CaptureFixture[str]
):
    """In candles, with their rate and the time that is left; what is kept already counts as done."""
    fetch_candles(make_params(end="2022-02-03"))
    assert "744 of 744 candles, 100%" in capsys.readouterr().err

    fetch_candles(make_params(end=WHOLE))

    log = capsys.readouterr().err
    assert "744 of 2500 candles, 30%" in log
    assert re.search(r"2500 of 2500 candles, 100%, 00:\d\d, 00:00 left, [\d.]+ candles/s\n", log)


def test_pages_that_vanish_are_missed(
    exchange_server: ExchangeServer, make_params: MakeParams, monkeypatch: pytest.MonkeyPatch
):
    """Someone else's clearing up makes no gap."""
    keep = write_page

    def lose(folder: Path, span: Span, page: pd.DataFrame) -> None:
        keep(folder, span, page)
        if span.first > FIRST_MS:
            (folder / f"{span.first}_{span.last}.parquet").unlink()

    monkeypatch.setattr("stages.fetch.exchange.download.write_page", lose)

    message = refusal(make_params(end=WHOLE))

    assert message.startswith(
        ".cache/candles must be left alone while fetch runs, and lie on a sound disk; "
    )
    assert "Still missing: BTC/USDT from 2022-02-13T14:00" in message


def test_a_cache_that_cant_be_written_is_one_line(
    exchange_server: ExchangeServer, make_params: MakeParams, tmp_path: Path
):
    """A file where the folder should be, as a full or a read-only disk; before anything is asked."""
    (tmp_path / ".cache").write_text("")

    message = refusal(make_params())

    assert message.startswith(".cache/candles must be a folder with room that can be written to; .cache/")
    assert message.endswith(": Not a directory.")
    assert exchange_server.queries == []


def test_an_interruption_says_what_is_missing(
    exchange_server: ExchangeServer, make_params: MakeParams, monkeypatch: pytest.MonkeyPatch
):
    """Ctrl-C is a way to stop."""

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("stages.fetch.exchange.download.run_all", interrupted)

    assert refusal(make_params(end="2022-01-05")) == (
        "stopped. Still missing: BTC/USDT from 2022-01-03T00:00 to 2022-01-05T00:00. "
        "What came is kept for the next run."
    )


def test_an_interruption_after_the_last_page_says_so(
    exchange_server: ExchangeServer, make_params: MakeParams, monkeypatch: pytest.MonkeyPatch
):
    """Nothing is missing then."""

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(candles, "candles_of", interrupted)

    assert refusal(make_params(end="2022-01-05")) == (
        "stopped. All candles have come, and are kept for the next run."
    )


def test_the_exchanges_clock_counts_too(exchange_server: ExchangeServer, make_params: MakeParams):
    """A clock on this machine that is fast doesn't make a forming candle a closed one."""
    true = pd.Timestamp.now("UTC")
    end = f"{true + pd.Timedelta(hours=3):%Y-%m-%dT%H:00}"

    message = refusal(make_params(end=end), true + pd.Timedelta(hours=5))

    assert message.startswith("fetch.end must leave closed candles only")
    assert exchange_server.queries == []

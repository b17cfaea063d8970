"""Other exchanges than Binance, each through its own class of ccxt."""

import json
from bisect import bisect_right
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Protocol, TypeVar

import ccxt
import pandas as pd
import pytest
from pandas.testing import assert_frame_equal

from stages.fetch.exchange.candles import fetch_candles
from stages.fetch.exchange.download import IN_FLIGHT
from tests.fetch.conftest import MakeParams
from tests.fetch.exchange import conftest
from tests.fetch.exchange.exchanges import (
    HOUR_MS,
    START,
    START_MS,
    Bitfinex,
    BitoPro,
    Bitstamp,
    Bybit,
    Coinbase,
    Exchange,
    Gate,
    Kraken,
    KrakenByTime,
    KuCoin,
    KuCoinInclusive,
    Layout,
    Okx,
    Row,
    layout_of,
    market_of,
)
from tools.exchange_server import Answer, Query, running

PAGED = [Okx, Coinbase, Bybit, Gate, Bitstamp, KuCoin, KuCoinInclusive, BitoPro]
ALL = [Kraken, Bitfinex, *PAGED]  # of Kraken and Bitfinex, no market here has several pages
END_NOT_HEEDED = [KuCoin, KuCoinInclusive, BitoPro]
SMALL = Layout(0, 60, [7, 8, 30])

Kind = TypeVar("Kind", bound=Exchange)


class Start(Protocol):
    """`start(Okx, layout)` gives a server, which CCXT_CONFIG makes ccxt's, for an empty folder."""

    def __call__(self, kind: type[Kind], layout: Layout) -> Kind:
        """A server of that kind, with a market of that layout."""


@pytest.fixture
def start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Start]:
    """Servers that run until the test ends."""
    monkeypatch.chdir(tmp_path)
    with ExitStack() as servers:

        def start_server(kind: type[Kind], layout: Layout) -> Kind:
            server = servers.enter_context(running(kind(market_of(layout))))
            Path("ccxt.json").write_text(json.dumps(server.config))
            monkeypatch.setenv("CCXT_CONFIG", str(tmp_path / "ccxt.json"))
            # Some classes ask for the time: it must be the one that the server goes by.
            now_ms = server.now.value // 1_000_000
            monkeypatch.setattr(ccxt.Exchange, "milliseconds", staticmethod(lambda: now_ms))
            monkeypatch.setattr(ccxt.Exchange, "seconds", staticmethod(lambda: now_ms // 1000))
            return server

        yield start_server


def iso(hour: int) -> str:
    """An hour after START, as params.yaml has it."""
    return (START + pd.Timedelta(hours=hour)).strftime("%Y-%m-%dT%H:%M")


def fetch(server: Exchange, make_params: MakeParams, first: int, end: int) -> pd.DataFrame:
    """The candles of these hours."""
    params = make_params(
        exchange={"name": server.name}, symbols=[server.symbol], start=iso(first), end=iso(end)
    )
    return fetch_candles(params, server.now)[server.symbol].reset_index(drop=True)


def refusal(server: Exchange, make_params: MakeParams, first: int, end: int) -> str:
    """What fetch says instead, in one line and without an address."""
    return conftest.refusal(lambda: fetch(server, make_params, first, end))


@pytest.mark.parametrize("kind", PAGED)
def test_a_market_comes_as_it_is(start: Start, make_params: MakeParams, kind: type[Exchange]):
    """Whichever rows an answer has and in which order: a late start, gaps at seams, a page without rows."""
    layout = layout_of(kind.page)
    server = start(kind, layout)

    found = fetch(server, make_params, 0, layout.end)

    assert_frame_equal(found, market_of(layout)[:-1], check_exact=True)
    # Six pages, one of them without a row; what five lack at an end, twice; and the rest behind one gap.
    assert len(server.queries) == 17


@pytest.mark.parametrize("kind", PAGED)
def test_a_gap_before_the_latest_page_is_no_limit(
    start: Start, make_params: MakeParams, kind: type[Exchange]
):
    """Rows from a gap to the present aren't taken for all that there is, unless the end isn't heeded."""
    layout = Layout(-50, kind.page - 1, [*range(-1, 9)])
    server, first = start(kind, layout), 0
    if kind in END_NOT_HEEDED:
        assert f"fetch.start must be {iso(9)} or later" in refusal(server, make_params, 0, layout.end)
        first = 9

    found = fetch(server, make_params, first, layout.end)

    assert_frame_equal(found, market_of(layout)[49:-1].reset_index(drop=True), check_exact=True)


@pytest.mark.parametrize("kind", ALL)
def test_a_second_run_asks_nothing(start: Start, make_params: MakeParams, kind: type[Exchange]):
    """Not even for the markets; the candle that is still forming isn't in."""
    server = start(kind, SMALL)
    first = fetch(server, make_params, 0, SMALL.end)
    n_requests = server.n_requests

    second = fetch(server, make_params, 0, SMALL.end)

    assert_frame_equal(first, market_of(SMALL)[:-1], check_exact=True)
    assert_frame_equal(second, first, check_exact=True)
    assert server.n_requests == n_requests


@pytest.mark.parametrize(
    ("kind", "answer"),
    [
        pytest.param(kind, answer, id=f"{kind.__name__}-{place}")
        for kind in ALL
        for place, answer in enumerate(kind.busy)
    ],
)
def test_what_passes_is_tried_again(
    start: Start, make_params: MakeParams, waits: list[float], kind: type[Exchange], answer: Answer
):
    """In whatever words, and with whatever status, an exchange says that it can't just now."""
    server = start(kind, SMALL)
    server.first_answers = [answer] * 2

    assert len(fetch(server, make_params, 10, 20)) == 10
    assert len([wait for wait in waits if wait > 0.1]) == 2


@pytest.mark.parametrize("kind", ALL)
def test_an_unknown_symbol_is_told_at_once(
    start: Start, make_params: MakeParams, waits: list[float], kind: type[Exchange]
):
    """A market that is listed but has no candles isn't asked for again."""
    server = start(kind, SMALL)
    server.klines = lambda _: kind.unknown

    message = refusal(server, make_params, 0, SMALL.end)

    assert message.startswith(f"fetch.exchange.name must be an exchange that answers; {kind.name} gave ")
    assert message.count(kind.name) == 1
    assert f"Still missing: {kind.symbol} from 2022-01-03T00:00 to " in message
    assert len(server.queries) == 1
    assert sum(waits) < 0.1


@pytest.mark.parametrize("kind", [Kraken, KrakenByTime])
def test_kraken_has_its_latest_rows(start: Start, make_params: MakeParams, kind: type[Kraken]):
    """As many as it sends come as they are, gaps and all; from an hour earlier on, none does."""
    layout = Layout(-500, 980, [*range(400, 420), 900, 901, *range(977, 980)])
    server = start(kind, layout)
    first = (server.latest()[0][0] - START_MS) // HOUR_MS

    message = refusal(server, make_params, first - 2, layout.end)
    found = fetch(server, make_params, first, layout.end)

    assert f"fetch.start must be {iso(first)} or later" in message
    market = market_of(layout)[:-1]
    expected = market[market["open_time"] >= iso(first)].reset_index(drop=True)
    assert_frame_equal(found, expected, check_exact=True)


@pytest.mark.parametrize("kind", [Kraken, KrakenByTime])
@pytest.mark.parametrize("hours", [1, 2, 300, 30_000])
@pytest.mark.parametrize("quiet", [0, 4, 200])
def test_krakens_latest_rows_arent_taken_for_all(
    *, start: Start, make_params: MakeParams, kind: type[Kraken], hours: int, quiet: int
):
    """A window that begins earlier is refused at once, not cut short; also where nobody traded lately."""
    layout = Layout(-500, 980 - quiet, [*range(262, 270), 900 - quiet])
    server = start(kind, layout)
    server.now += pd.Timedelta(hours=quiet)
    oldest = (server.latest()[0][0] - START_MS) // HOUR_MS
    first_page_ms = START_MS + (oldest - hours) * HOUR_MS

    def klines(query: Query) -> Answer:
        """The answer, which only the window's first page gets in time."""
        if 1000 * int(query["since"]) > first_page_ms:
            server.closing.wait(60)
        return server.honest_klines(query)

    server.klines = klines
    message = refusal(server, make_params, oldest - hours, layout.end)

    assert message == (
        f"fetch.start must be {iso(oldest)} or later for BTC/USD: kraken gives no earlier candle, for it "
        "has its latest ones only or the market began then; or take another exchange."
    )
    assert len(server.queries) <= IN_FLIGHT + 1  # the first page is asked for twice


def test_a_window_that_begins_in_krakens_gap_is_refused(start: Start, make_params: MakeParams):
    """For it looks the same as one that is too old; from the gap's end on it comes."""
    layout = Layout(-500, 980, [*range(278, 330)])
    server = start(KrakenByTime, layout)

    assert f"fetch.start must be {iso(330)} or later" in refusal(server, make_params, 280, 880)
    found = fetch(server, make_params, 330, 880)

    assert found["open_time"].tolist() == pd.date_range(iso(330), iso(879), freq="h", tz="UTC").tolist()


def test_krakens_young_market_comes_from_its_beginning(start: Start, make_params: MakeParams):
    """It looks the same as an old one; the error says where it began, and from then on it comes."""
    layout = Layout(300, 600, [310, 311])
    server = start(Kraken, layout)

    assert f"fetch.start must be {iso(300)} or later" in refusal(server, make_params, -2000, layout.end)
    found = fetch(server, make_params, 300, layout.end)

    assert_frame_equal(found, market_of(layout)[:-1], check_exact=True)


def at_hour(server: Exchange, market: tuple[list[int], list[Row]], hour: int) -> None:
    """Have the exchange be where its market was then: half an hour after that hour's candle opened."""
    times, rows = market
    n_rows = bisect_right(times, START_MS + hour * HOUR_MS)
    server.times, server.rows = times[:n_rows], rows[:n_rows]
    server.now = START + pd.Timedelta(hours=hour + 0.5)
    server.queries.clear()


@pytest.mark.parametrize("kind", [Kraken, KrakenByTime])
def test_krakens_candles_pile_up_from_run_to_run(start: Start, make_params: MakeParams, kind: type[Kraken]):
    """What was kept is joined by what is new, though the exchange has no more all of it at a time."""
    layout = Layout(0, 1400, [5, 6, 700])
    server = start(kind, layout)
    market = server.times, server.rows
    at_hour(server, market, 600)
    fetch(server, make_params, 0, 600)

    at_hour(server, market, 1200)
    found = fetch(server, make_params, 0, 1200)
    assert found["open_time"].tolist() == market_of(layout)["open_time"].tolist()[:1197]


@pytest.mark.parametrize("kind", [Kraken, KrakenByTime])
@pytest.mark.parametrize("quiet", [[], [599], [598, 599]])
def test_a_run_that_comes_too_late_for_kraken_makes_no_gap(
    start: Start, make_params: MakeParams, kind: type[Kraken], quiet: list[int]
):
    """Candles that are kept no more at either place aren't taken for a quiet market's, however few."""
    layout = Layout(0, 1400, quiet)
    server = start(kind, layout)
    market = server.times, server.rows
    at_hour(server, market, 600)
    fetch(server, make_params, 0, 600)
    at_hour(server, market, 1340)
    oldest = (server.latest()[0][0] - START_MS) // HOUR_MS
    assert 600 < oldest < 648  # a gap that fetch.max_gap_bars would let pass

    for _ in range(2):
        message = refusal(server, make_params, 0, 1330)
        assert f"fetch.start must be {iso(oldest)} or later" in message


@pytest.mark.parametrize("kind", PAGED)
@pytest.mark.parametrize("quiet", [[99], [100, 101], [98, 99, 100, 101]])
def test_a_quiet_market_between_two_windows_is_a_gap(
    start: Start, make_params: MakeParams, kind: type[Exchange], quiet: list[int]
):
    """Also on exchanges that heed no end, which send later candles in place of those that aren't there."""
    layout = Layout(0, 300, quiet)
    server = start(kind, layout)
    fetch(server, make_params, 0, 100)

    found = fetch(server, make_params, 0, 200)

    assert found["open_time"].tolist() == market_of(layout)["open_time"].tolist()[: 200 - len(quiet)]


@pytest.mark.parametrize("kind", [Kraken, KrakenByTime])
def test_what_kraken_has_no_more_stays_as_it_was_kept(
    start: Start, make_params: MakeParams, kind: type[Kraken]
):
    """A quiet hour at the window's end is asked for again; when it is too old for that, all else stays."""
    layout = Layout(0, 1400, [599])
    server = start(kind, layout)
    market = server.times, server.rows
    at_hour(server, market, 600)
    first = fetch(server, make_params, 0, 600)
    assert len(first) == 599

    at_hour(server, market, 1390)
    assert_frame_equal(fetch(server, make_params, 0, 600), first, check_exact=True)
    assert server.queries


def test_gate_refuses_what_is_too_long_ago(start: Start, make_params: MakeParams):
    """The error says from when on there are candles, and from then on they come."""
    layout = Layout(0, 500, [5, 6, 7])
    server = start(Gate, layout)
    server.points = 400

    server.words = server.words.replace("10000", "400")

    message = refusal(server, make_params, 0, layout.end)

    assert message == (
        f"fetch.start must be {iso(102)} or later for BTC/USDT: gate gives no earlier candle, for it "
        "has its latest ones only or the market began then; or take another exchange."
    )
    assert len(fetch(server, make_params, 102, layout.end)) == layout.end - 102


def test_okx_is_asked_at_both_its_endpoints(start: Start, make_params: MakeParams):
    """Candles of more than 1,440 bars ago come from one, later ones from the other; none is lost."""
    layout = Layout(-1800, 60, [-1440, -1439, -1438, -1380])
    server = start(Okx, layout)

    found = fetch(server, make_params, -1800, layout.end)

    assert_frame_equal(found, market_of(layout)[:-1], check_exact=True)
    paths = [query["path"].rpartition("/")[2] for query in server.queries]
    assert sorted(set(paths)) == ["candles", "history-candles"]


def test_bybits_region_block_is_no_rate_limit(start: Start, make_params: MakeParams, waits: list[float]):
    """Though to ccxt a 403 is nothing else, and Bybit means both by it."""
    server = start(Bybit, SMALL)
    server.klines = lambda _: Answer("<html>configured to block access from your country", 403, "text/html")

    assert "must be an exchange that serves your region" in refusal(server, make_params, 0, SMALL.end)
    assert len(server.queries) == 1

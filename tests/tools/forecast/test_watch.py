"""A forecast at each close, while an exchange comes and goes."""

import json
import sys
from pathlib import Path

import pandas as pd
import pytest

from stages.common.errors import InputError
from stages.fetch.exchange import retries
from tests.conftest import random_candles
from tests.settings import write_params
from tests.tools.forecast.conftest import MISSING, N_BARS, SETTINGS
from tests.tools.forecast.test_main import NOW
from tools.exchange_server import Answer, ExchangeServer, running
from tools.forecast import __main__ as tool
from tools.forecast.watch import PAUSE, next_time, watch

# Keras 3.15 converts TensorFlow's variables in a way that NumPy 2 means to refuse one day.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy keyword")

HOUR = pd.Timedelta(hours=1)
GONE = Answer("", status=503)


class Clock:
    """A clock by which waiting takes no time; after so many waits it is stopped, as by Ctrl-C."""

    def __init__(self, start: pd.Timestamp, n_waits: int) -> None:
        """It shows `start`."""
        self.time, self.left, self.waits = start, n_waits, list[float]()

    def now(self) -> pd.Timestamp:
        """What it shows."""
        return self.time

    def sleep(self, seconds: float) -> None:
        """Wait."""
        self.waits.append(seconds)
        if len(self.waits) == self.left:
            raise KeyboardInterrupt
        self.time += pd.Timedelta(seconds=seconds)


def test_it_tells_at_each_close():
    """Once at the start, then a minute after each close: what an exchange has to publish the candle."""
    told, clock = list[pd.Timestamp](), Clock(pd.Timestamp("2022-01-03 10:20", tz="UTC"), 4)

    def tell(moment: pd.Timestamp) -> pd.Timestamp:
        told.append(moment)
        return moment.floor("h")

    with pytest.raises(KeyboardInterrupt):
        watch(tell, HOUR, clock.now, clock.sleep)
    assert [f"{moment:%H:%M}" for moment in told] == ["10:20", "11:01", "12:01", "13:01"]


@pytest.mark.parametrize(
    ("close", "moment", "expected"),
    [
        ("10:00", "10:20", "11:01"),  # the next close, and a minute to publish the candle
        ("10:00", "10:00:30", "10:01"),  # not published yet
        ("10:30", "10:31", "11:31"),  # of bars that open at half past
        ("03:30", "10:31", "11:31"),  # candles that end long ago
    ],
)
def test_the_next_time_is_a_minute_after_a_close(close, moment, expected):
    """Whichever of its closes is known, and however late its bars open."""
    close, moment, expected = (
        pd.Timestamp(f"2022-01-03 {time}", tz="UTC") for time in (close, moment, expected)
    )
    assert next_time(close, HOUR, moment) == expected


def test_it_goes_on_after_an_error(capsys):
    """It says what was wrong, and when it will try again: never later than the next close asks for."""
    told, clock = list[pd.Timestamp](), Clock(pd.Timestamp("2022-01-03 10:58:50", tz="UTC"), 6)

    def tell(moment: pd.Timestamp) -> pd.Timestamp:
        told.append(moment)
        if len(told) <= 3:
            raise InputError("the exchange is gone.")
        return moment.floor("h")

    with pytest.raises(KeyboardInterrupt):
        watch(tell, HOUR, clock.now, clock.sleep)
    assert clock.waits[:3] == [PAUSE.total_seconds()] * 3
    times = [f"{moment:%H:%M:%S}" for moment in told]
    assert times[:4] == ["10:58:50", "10:59:20", "10:59:50", "11:00:20"]
    assert times[4] == "11:01:00"
    said = capsys.readouterr().err.splitlines()
    assert said[0] == "forecast: the exchange is gone. Trying again at 10:59:20 UTC."


@pytest.fixture
def exchange(market, monkeypatch):
    """A folder whose model is of an exchange that answers on this machine."""
    folder = market("volatility")
    facts = folder / "models/evidence/facts.json"
    found = json.loads(facts.read_text(encoding="utf-8"))
    del found["settings"]["fetch.file.timezone"]
    found["settings"] |= {"fetch.source": "exchange", "fetch.exchange.name": "binance"}
    facts.write_text(json.dumps(found), encoding="utf-8")
    write_params(SETTINGS | {"task": "volatility", "fetch.source": "exchange"})
    candles = {
        name.replace("-", "/"): random_candles(N_BARS + 50, seed, missing)
        for seed, (name, missing) in enumerate(MISSING.items(), 1)
    }
    monkeypatch.setattr(retries, "TRIES", 1)
    with running(ExchangeServer(candles)) as server:
        config = Path("ccxt.json")
        config.write_text(json.dumps(server.config), encoding="utf-8")
        monkeypatch.setenv("CCXT_CONFIG", str(config))
        yield server


def test_a_server_that_is_gone_for_a_close_is_waited_for(exchange, monkeypatch, capsys):
    """Three closes; at the second one the exchange doesn't answer. Each is recorded in the end."""
    clock = Clock(NOW, 7)
    gone_until = NOW + pd.Timedelta(minutes=53)
    honest = exchange.honest_klines
    exchange.klines = lambda query: GONE if NOW < clock.time < gone_until else honest(query)
    monkeypatch.setattr(tool, "now", clock.now)
    monkeypatch.setattr(tool, "pause", clock.sleep)
    monkeypatch.setattr(sys, "argv", ["forecast", "--watch", "--one-line", "--record"])

    with pytest.raises(KeyboardInterrupt):
        tool.main()

    out, err = capsys.readouterr()
    until = [line.rpartition("until ")[2] for line in out.splitlines() if line.startswith("volatility in")]
    assert until[:3] == [f"2022-04-04 {hour}:00 UTC" for hour in (17, 18, 19)]
    assert "Trying again at 17:01:30 UTC." in err
    record = Path("forecasts/BTC-USDT.jsonl").read_text(encoding="utf-8").splitlines()
    as_of = [json.loads(line)["as_of"] for line in record]
    assert as_of[:3] == [f"2022-04-04T{hour}:00:00Z" for hour in (16, 17, 18)]


def test_only_what_is_new_is_fetched(exchange, monkeypatch):
    """What an hour adds, and its neighbours; all else lies in the cache of candles."""
    monkeypatch.setattr(sys, "argv", ["forecast"])
    monkeypatch.setattr(tool, "now", lambda: NOW)
    tool.main()
    whole = len(exchange.queries)
    monkeypatch.setattr(tool, "now", lambda: NOW + HOUR)
    tool.main()
    assert 0 < len(exchange.queries) - whole <= 2 * whole / 3

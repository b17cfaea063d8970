import json

import pandas as pd
import pytest

from stages.common.errors import InputError
from stages.common.outputs import LOCKS, lock
from tools.forecast.model import Promise
from tools.forecast.record import FIRST, FOLDER, asked, digest, read_record, record
from tools.forecast.report import Report, Told

HOUR = pd.Timedelta(hours=1)
START = pd.Timestamp("2022-01-03 05:00", tz="UTC")


def make_report(hour: int, model: str = "m", symbols: tuple[str, ...] = ("BTC/USDT",)) -> Report:
    """A report of a later hour each time."""
    as_of = START + hour * HOUR
    told = Told(
        symbol="",
        kind="amount",
        what="volatility in 14 bars",
        as_of=as_of.isoformat(),
        valid_until=(as_of + HOUR).isoformat(),
        outcome_at=(as_of + 14 * HOUR).isoformat(),
        stale=False,
        close=100.0,
        forecast=0.01 + 0.001 * hour,
        lo=0.005,
        hi=0.02,
        outcomes=None,
        in_price=[1.0, 0.5, 2.0],
        benchmark=0.011,
        best_baseline="har_x",
        best=0.0101,
        spread_next_bar_pct=1.0,
        spread_horizon_pct=3.0,
        spread_year_pct=90.0,
        losses=[],
        size=None,
        features_beyond_train_pct=0.0,
        candles_sha256="c",
    )
    promise = Promise(
        verdict="Volatility: signal, no edge.",
        signal=1,
        edge=0,
        too_short=0,
        skill_pct=30.0,
        skill_lo=25.0,
        skill_hi=35.0,
        edge_pct=0.0,
        edge_lo=0.0,
        edge_hi=0.0,
        coverage_90_pct=90.0,
        bias_pct=0.0,
        test_rows=10,
        test_first="2021-01-01",
        test_last="2021-12-31",
    )
    return Report(
        schema_version=1,
        task="volatility",
        market="a simulated market",
        timeframe="1h",
        horizon_bars=14,
        model_commit=None,
        model_sha256=model,
        promise=promise,
        symbols=[told.model_copy(update={"symbol": symbol}) for symbol in symbols],
    )


ASKED = {"task": "volatility", "fetch.source": "simulated"}


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """Where records are, in a folder of its own."""
    monkeypatch.chdir(tmp_path)
    return tmp_path / FOLDER


@pytest.fixture
def recorded(folder):
    """A record of five hours."""
    for hour in range(5):
        record(make_report(hour), ASKED, START + hour * HOUR + pd.Timedelta(minutes=2))
    return folder


def test_a_record_comes_back_as_it_was_given(recorded):
    """A line a forecast, in order; times in UTC."""
    found = read_record(recorded / "BTC-USDT.jsonl")
    assert found["as_of"].tolist() == [START + hour * HOUR for hour in range(5)]
    assert found["forecast"].tolist() == [0.01 + 0.001 * hour for hour in range(5)]
    assert (found["recorded_at"] - found["as_of"]).unique().tolist() == [pd.Timedelta(minutes=2)]
    assert found["before"].iloc[0] == FIRST


def test_each_symbol_has_its_own(folder):
    """By its file's name, and each with a chain of its own."""
    record(make_report(0, symbols=("BTC/USDT", "ETH/USDT:USDT")), ASKED, START)
    assert sorted(path.name for path in folder.iterdir()) == ["BTC-USDT.jsonl", "ETH-USDT_USDT.jsonl"]


def test_the_same_forecast_isn_t_given_twice(recorded):
    """Nor changed: asked again, it stays; of another model it is another one."""
    path = FOLDER / "BTC-USDT.jsonl"
    before = path.read_bytes()
    assert record(make_report(4), ASKED, START + 5 * HOUR) == [
        f"{path} has the forecast of {(START + 4 * HOUR).isoformat()} already."
    ]
    assert path.read_bytes() == before
    assert record(make_report(4, model="n"), ASKED, START + 5 * HOUR) == [f"{path}: forecast 6."]
    for model in "mn":
        assert "already" in record(make_report(4, model=model), ASKED, START + 5 * HOUR)[0]


def lines_of(folder) -> list[str]:
    """The record's lines."""
    text: str = (folder / "BTC-USDT.jsonl").read_text(encoding="utf-8")
    return text.splitlines()


def write(folder, lines: list[str]) -> None:
    """Put others in their place."""
    (folder / "BTC-USDT.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")


@pytest.mark.parametrize("number", [1, 2, 3])
def test_a_line_taken_out_shows(recorded, number):
    """The one behind it doesn't follow the one before it."""
    lines = lines_of(recorded)
    write(recorded, lines[:number] + lines[number + 1 :])
    with pytest.raises(InputError, match=f"received a line {number + 1} that doesn't follow"):
        read_record(recorded / "BTC-USDT.jsonl")


def test_a_line_put_in_or_changed_shows(recorded):
    """Whether or not whoever did it knew of the chain: all that come after would have to be made anew."""
    lines = lines_of(recorded)
    better = json.loads(lines[2]) | {"forecast": 0.5}
    write(recorded, [*lines[:2], json.dumps(better), *lines[3:]])
    with pytest.raises(InputError, match="received a line 4 that doesn't follow"):
        read_record(recorded / "BTC-USDT.jsonl")
    more = json.loads(lines[2]) | {"before": digest(lines[1]), "forecast": 0.5}
    write(recorded, [*lines[:2], json.dumps(more), *lines[2:]])
    with pytest.raises(InputError, match="received a line 4 that doesn't follow"):
        read_record(recorded / "BTC-USDT.jsonl")


def test_a_line_that_was_cut_is_told(recorded):
    """As where a disk was full: nothing is written behind it."""
    path = recorded / "BTC-USDT.jsonl"
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(InputError, match="must be lines that are whole; received one that ends early"):
        read_record(path)
    with pytest.raises(InputError, match="must be lines that are whole"):
        record(make_report(6), ASKED, START + 6 * HOUR)


@pytest.mark.parametrize(
    "line", ["no JSON", "", "3", "null", "{}", '["a"]', json.dumps({"before": FIRST}), "\N{SNOWMAN}"]
)
def test_a_line_that_is_no_forecast_is_told(recorded, line):
    """With its number; neither read nor written behind."""
    write(recorded, [line, *lines_of(recorded)])
    with pytest.raises(InputError, match=r"must hold a forecast of its symbol a line; .* in line 1"):
        read_record(recorded / "BTC-USDT.jsonl")
    with pytest.raises(InputError, match=r"must hold a forecast of its symbol a line; .* in line 1"):
        record(make_report(6), ASKED, START + 6 * HOUR)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        *(("as_of", 5), ("as_of", "soon"), ("recorded_at", None), ("recorded_at", "2022-01-03T05:00:00")),
        *(("forecast", "much"), ("forecast", None), ("forecast", float("nan")), ("asked", "which way?")),
        *(("symbol", "ETH/USDT"), ("more", 1)),
    ],
)
def test_a_field_that_is_none_is_told(recorded, key, value):
    """Of the last line, too, which nothing follows yet: no figure is made of it."""
    *lines, last = lines_of(recorded)
    write(recorded, [*lines, json.dumps(json.loads(last) | {key: value})])
    with pytest.raises(InputError, match=r"must hold a forecast of its symbol a line; .* in line 5"):
        read_record(recorded / "BTC-USDT.jsonl")


def test_bytes_that_are_no_text_are_told(recorded):
    """As where a disk is broken."""
    path = recorded / "BTC-USDT.jsonl"
    path.write_bytes(b"\xff\xfe\x00\n" + path.read_bytes())
    with pytest.raises(InputError, match=r"must hold a forecast of its symbol a line; .* in line 1"):
        read_record(path)


def test_two_never_write_at_once(recorded):
    """Two lines that follow the same one would break the chain for good: the second is asked to wait."""
    before = lines_of(recorded)
    with (LOCKS / "forecasts").open("a") as file:
        assert lock(file)
        with pytest.raises(InputError, match="forecasts must be written by one at a time"):
            record(make_report(6), ASKED, START + 6 * HOUR)
    assert lines_of(recorded) == before
    record(make_report(6), ASKED, START + 6 * HOUR)
    assert lines_of(recorded)[:-1] == before


def test_what_was_asked_is_told():
    """Question and market, by the settings that make them; nothing of how the network was trained."""
    settings = {
        "task": "volatility",
        "fetch.source": "exchange",
        "fetch.exchange.name": "kraken",
        "fetch.timeframe": "1h",
        "fetch.end": "2025-01-01",
        "label.horizon": 14,
        "label.volatility.target": "atr",
        "train.units": 4,
    }
    left_out = {"fetch.end", "train.units"}
    assert asked(settings) == {key: value for key, value in settings.items() if key not in left_out}


def test_there_may_be_none_yet():
    """No file is a record of nothing."""
    assert read_record(FOLDER / "BTC-USDT.jsonl").empty

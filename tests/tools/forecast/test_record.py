import json

import pandas as pd
import pytest

from stages.common.errors import InputError
from tools.forecast.record import FIRST, digest, read_record, record
from tools.forecast.report import Promise, Report, Told

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
        timeframe="1h",
        horizon_bars=14,
        model_commit=None,
        model_sha256=model,
        promise=promise,
        symbols=[told.model_copy(update={"symbol": symbol}) for symbol in symbols],
    )


@pytest.fixture
def folder(tmp_path):
    """A record of five hours."""
    for hour in range(5):
        record(make_report(hour), START + hour * HOUR + pd.Timedelta(minutes=2), tmp_path)
    return tmp_path


def test_a_record_comes_back_as_it_was_given(folder):
    """A line a forecast, in order; times in UTC."""
    found = read_record(folder / "BTC-USDT.jsonl")
    assert found["as_of"].tolist() == [START + hour * HOUR for hour in range(5)]
    assert found["forecast"].tolist() == [0.01 + 0.001 * hour for hour in range(5)]
    assert (found["recorded_at"] - found["as_of"]).unique().tolist() == [pd.Timedelta(minutes=2)]
    assert found["before"].iloc[0] == FIRST


def test_each_symbol_has_its_own(tmp_path):
    """By its file's name, and each with a chain of its own."""
    record(make_report(0, symbols=("BTC/USDT", "ETH/USDT:USDT")), START, tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["BTC-USDT.jsonl", "ETH-USDT_USDT.jsonl"]


def test_the_same_forecast_isn_t_given_twice(folder):
    """Nor changed: asked again, it stays; of another model it is another one."""
    path = folder / "BTC-USDT.jsonl"
    before = path.read_bytes()
    assert record(make_report(4), START + 5 * HOUR, folder) == [
        f"{path} has the forecast of {(START + 4 * HOUR).isoformat()} already."
    ]
    assert path.read_bytes() == before
    assert record(make_report(4, model="n"), START + 5 * HOUR, folder) == [f"{path}: forecast 6."]


def lines_of(folder) -> list[str]:
    """The record's lines."""
    text: str = (folder / "BTC-USDT.jsonl").read_text(encoding="utf-8")
    return text.splitlines()


def write(folder, lines: list[str]) -> None:
    """Put others in their place."""
    (folder / "BTC-USDT.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")


@pytest.mark.parametrize("number", [1, 2, 3])
def test_a_line_taken_out_shows(folder, number):
    """The one behind it doesn't follow the one before it."""
    lines = lines_of(folder)
    write(folder, lines[:number] + lines[number + 1 :])
    with pytest.raises(InputError, match=f"received a line {number + 1} that doesn't follow"):
        read_record(folder / "BTC-USDT.jsonl")


def test_a_line_put_in_or_changed_shows(folder):
    """Whether or not whoever did it knew of the chain: all that come after would have to be made anew."""
    lines = lines_of(folder)
    better = json.loads(lines[2]) | {"forecast": 0.5}
    write(folder, [*lines[:2], json.dumps(better), *lines[3:]])
    with pytest.raises(InputError, match="received a line 4 that doesn't follow"):
        read_record(folder / "BTC-USDT.jsonl")
    more = json.loads(lines[2]) | {"before": digest(lines[1]), "forecast": 0.5}
    write(folder, [*lines[:2], json.dumps(more), *lines[2:]])
    with pytest.raises(InputError, match="received a line 4 that doesn't follow"):
        read_record(folder / "BTC-USDT.jsonl")


def test_a_line_that_was_cut_is_told(folder):
    """As where a disk was full: nothing is written behind it."""
    path = folder / "BTC-USDT.jsonl"
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(InputError, match="must be lines that are whole; received one that ends early"):
        read_record(path)
    with pytest.raises(InputError, match="must be lines that are whole"):
        record(make_report(6), START + 6 * HOUR, folder)


@pytest.mark.parametrize("line", ["no JSON", "3", "{}", '["a"]'])
def test_a_line_that_is_no_forecast_is_told(folder, line):
    """With its number."""
    write(folder, [line, *lines_of(folder)])
    with pytest.raises(InputError, match=r"must hold a forecast a line; received .* in line 1"):
        read_record(folder / "BTC-USDT.jsonl")


def test_there_may_be_none_yet(tmp_path):
    """No file is a record of nothing."""
    assert read_record(tmp_path / "BTC-USDT.jsonl").empty

"""What a person or a program gets, and what is refused."""

import json
import sys
from pathlib import Path

import pandas as pd
import pytest
from pydantic import TypeAdapter

from stages.common.errors import InputError
from tests.settings import write_params
from tests.tools.forecast.conftest import END, N_BARS, SETTINGS, put_candles
from tools.forecast import __main__ as tool
from tools.forecast.newest import newest_candles
from tools.forecast.report import Report, Told

# Keras 3.15 converts TensorFlow's variables in a way that NumPy 2 means to refuse one day.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy keyword")

NOW = pd.Timestamp(f"{END}:00", tz="UTC") + pd.Timedelta(minutes=10)  # the newest candle has closed then
ROOT = Path(__file__).parents[3]


@pytest.fixture
def run(monkeypatch, capsys):
    """`run("--json", now=NOW)` gives what the command prints on stdout, as of that time."""

    def call(*arguments: str, now: pd.Timestamp = NOW) -> str:
        monkeypatch.setattr(sys, "argv", ["forecast", *arguments])
        monkeypatch.setattr(tool, "now", lambda: now)
        capsys.readouterr()
        tool.main()
        return str(capsys.readouterr().out)

    return call


def report_of(text: str) -> Report:
    """What --json printed."""
    return Report.model_validate_json(text)


def test_json_is_as_its_schema_says(market, run):
    """The schema that is committed is that of what is printed; every field is there."""
    market("volatility")
    text = run("--json")
    committed = json.loads((ROOT / "docs/forecast.schema.json").read_text(encoding="utf-8"))
    assert committed == TypeAdapter(Report).json_schema(mode="serialization")
    found = report_of(text)
    assert json.loads(text) == json.loads(found.model_dump_json())
    assert found.schema_version == 1
    assert [told.symbol for told in found.symbols] == ["BTC/USDT", "ETH/USDT"]


def test_an_amount_in_the_units_in_which_it_is_used(market, run):
    """Percent and price, a year, position, stop and units: each follows from the forecast."""
    market("volatility")
    told = report_of(run("--json", "--capital", "5000", "--risk", "2", "--stop", "3")).symbols[0]
    assert told.in_price is not None
    assert told.in_price[0] is not None
    assert told.size is not None
    assert told.in_price[0] == pytest.approx(told.close * told.forecast)
    assert told.spread_horizon_pct == pytest.approx(told.spread_next_bar_pct * 5**0.5)
    assert told.spread_year_pct == pytest.approx(told.spread_next_bar_pct * 8760**0.5)
    assert told.size.stop_distance == pytest.approx(3 * told.in_price[0])
    assert told.size.stop_long == pytest.approx(told.close - told.size.stop_distance)
    assert told.size.units * told.size.stop_distance == pytest.approx(100.0)
    assert told.size.position == pytest.approx(min(2.0, 20 / told.spread_year_pct), abs=1e-5)
    assert [(loss.over, loss.level_pct) for loss in told.losses] == [
        ("next bar", 95.0),
        ("next bar", 99.0),
        ("horizon", 95.0),
        ("horizon", 99.0),
    ]
    assert all(0 < loss.value_at_risk_pct <= loss.expected_shortfall_pct for loss in told.losses)


def in_set(told: Told, y: float) -> bool:
    """Whether an outcome is in the set."""
    return told.lo is not None and told.hi is not None and told.lo <= y <= told.hi


def test_without_a_signal_direction_has_no_size(market, run):
    """A probability and a set of outcomes; the table says why there is no position."""
    market("direction")
    told = report_of(run("--json")).symbols[0]
    assert told.kind == "chance"
    assert told.size is None
    assert told.losses == []
    assert {told.lo, told.hi} <= {0.0, 1.0, None}
    assert told.outcomes == [name for y, name in ((0, "down"), (1, "up")) if in_set(told, y)]
    assert told.what == "probability of up in 5 bars"
    table = run()
    assert "none: no signal, no position" in table
    assert table.startswith("NO SIGNAL")


def test_with_a_signal_direction_has_a_size(market, run):
    """Long where up is likelier than the benchmark says, short where it is less so."""
    facts = market("direction") / "models/evidence/facts.json"
    values = json.loads(facts.read_text(encoding="utf-8"))
    values["metrics"]["test"]["signal"] = 1
    facts.write_text(json.dumps(values), encoding="utf-8")
    for told in report_of(run("--json")).symbols:
        assert told.size is not None
        assert (told.size.position > 0) == (told.forecast > told.benchmark)
        assert 0 < abs(told.size.position) <= 2


@pytest.mark.parametrize("task", ["direction", "volatility"])
def test_the_table_fits_a_terminal(market, run, task):
    """Of eighty columns, verdict first; a symbol's block each."""
    market(task)
    lines = run().splitlines()
    assert max(map(len, lines)) <= 80
    assert lines[0].split(",")[0] in {"NO SIGNAL", "SIGNAL", "WORSE THAN THE BENCHMARK"}
    assert [line[:8] for line in lines if "/USDT, " in line] == ["BTC/USDT", "ETH/USDT"]


def test_one_line_is_one_line(market, run):
    """With each symbol, and until when it is good."""
    market("volatility")
    text = run("--one-line")
    assert text.count("\n") == 1
    assert "BTC/USDT" in text
    assert "ETH/USDT" in text
    assert text.endswith("until 2022-04-04 17:00 UTC\n")


def test_prometheus_reads_every_line(market, run):
    """A comment, or a name with labels and a number; each gauge described before it comes."""
    market("volatility")
    described = set()
    for line in run("--prometheus").splitlines():
        words = line.split()
        if words[0] == "#":
            described.add(words[2])
        else:
            name, value = line.rsplit(" ", 1)
            assert name.partition("{")[0] in described
            assert float(value) == float(value)
    assert {"barometer_forecast", "barometer_signal", "barometer_as_of_seconds"} <= described


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("task", "direction"),
        ("fetch.symbols", ["BTC/USDT"]),
        ("fetch.timeframe", "4h"),
        ("label.horizon", 6),
        ("featurize.groups", ["returns"]),
        ("train.units", 5),
    ],
)
def test_a_model_of_other_settings_is_refused(market, run, key, value):
    """In a line that names the setting, and both values."""
    market("volatility")
    write_params(SETTINGS | {"task": "volatility", "split.warmup_bars": 200} | {key: value})
    with pytest.raises(InputError, match=rf"models: {key} must be what params\.yaml has"):
        run()


def test_a_model_by_its_folder_has_its_own_settings(market, run):
    """As one that was had as an artifact: params.yaml may ask something else."""
    folder = market("volatility")
    expected = report_of(run("--json"))
    write_params({"task": "direction"})
    assert report_of(run("--json", "--model", str(folder / "models"))).symbols == expected.symbols


def test_candles_that_end_long_ago_are_refused(market, run):
    """Unless they are wanted all the same: then they are marked, in every form."""
    market("volatility")
    later = NOW + pd.Timedelta(hours=2)
    with pytest.raises(InputError, match=r"candles must end within a bar of now, 2022-04-04 18:10 UTC"):
        run(now=later)
    assert "STALE" in run("--stale-ok", now=later)
    assert "STALE" in run("--stale-ok", "--one-line", now=later)
    assert report_of(run("--stale-ok", "--json", now=later)).symbols[0].stale
    assert not report_of(run("--json")).symbols[0].stale


def test_symbols_that_end_apart_are_refused(market, run):
    """One's newest candle has come, the other's hasn't."""
    market("volatility")
    put_candles(N_BARS + 1)
    path = Path("data/import/file/ETH-USDT.parquet")
    pd.read_parquet(path).iloc[:-1].to_parquet(path)
    with pytest.raises(InputError, match=r"up to the same close, 2022-04-04 17:00 UTC; received ETH/USDT"):
        run(now=NOW + pd.Timedelta(hours=1))


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("networks/live/spec.json", "no such file|none of fold live"),
        ("networks/live/seed-2.weights.h5", "no such file"),
        ("networks/2", "none of fold 2"),
        ("networks/1/trees.parquet", "no such file"),
        ("evidence/rows.parquet", "no such file"),
        ("evidence/facts.json", "no such file"),
    ],
)
def test_a_model_that_lacks_a_file_is_refused(market, run, path, words):
    """It names the file, and what brings it."""
    place = market("volatility") / "models" / path
    if place.is_dir():
        for file in place.iterdir():
            file.unlink()
    else:
        place.unlink()
    with pytest.raises(InputError, match=words):
        run()


@pytest.mark.parametrize(
    "path", ["networks/live/spec.json", "networks/live/trees.parquet", "evidence/rows.parquet"]
)
def test_a_model_that_was_cut_is_refused(market, run, path):
    """As where a disk was full."""
    place = market("volatility") / "models" / path
    place.write_bytes(place.read_bytes()[:100])
    with pytest.raises(InputError, match="must be as"):
        run()


def test_weights_that_were_cut_are_refused(market, run):
    """Of a network that has a part in the forecast."""
    place = market("volatility") / "models/networks/live/seed-1.weights.h5"
    place.write_bytes(place.read_bytes()[:-50])
    with pytest.raises(InputError, match="the weights of seed 1 must be whole"):
        run()


@pytest.mark.parametrize("option", ["--capital", "--risk", "--stop", "--replay"])
def test_numbers_that_are_none_are_refused(market, run, option):
    """Nothing, or less, is no capital, risk or distance."""
    market("volatility")
    with pytest.raises(InputError, match=f"{option} must be above 0; received"):
        run(option, "0")


def test_features_never_seen_are_told(market, run):
    """A candle as wild as none before: the share of features beyond train's range stands in the table."""
    market("volatility")
    path = Path("data/import/file/BTC-USDT.parquet")
    candles = pd.read_parquet(path)
    last = candles.index[-1]
    candles.loc[last, "high"] *= 1.4
    candles.to_parquet(path)
    told = report_of(run("--json")).symbols
    assert told[0].features_beyond_train_pct > 10 > told[1].features_beyond_train_pct
    assert "features beyond train's range" in run()


def test_the_market_goes_on_past_its_end(market):
    """The newest candles are those of now, not of fetch.end; those before are the same."""
    market("volatility")
    model = tool.load_model(None)
    before = newest_candles(model.params.fetch, NOW)
    put_candles(N_BARS + 20)
    later = NOW + pd.Timedelta(hours=20)
    after = newest_candles(model.params.fetch, later)
    for name, table in before.candles.items():
        pd.testing.assert_frame_equal(after.candles[name][: len(table)], table)
        assert len(after.candles[name]) == len(table) + 20


def test_replay_says_how_far_off_it_is(market, run):
    """From the pipeline's own candles, though the file has newer ones by now."""
    market("direction")
    put_candles(N_BARS + 20)
    text = run("--replay", "4")
    assert text.startswith("4 test rows from the candles of their time: forecasts differ by ")


def test_a_replay_that_differs_is_an_error(market, run):
    """Other candles than those that were scored."""
    market("direction")
    path = Path("data/import/file/BTC-USDT.parquet")
    candles = pd.read_parquet(path)
    candles.loc[:, ["open", "high", "low", "close"]] *= 1 + 1e-3 * (candles.index % 7).to_numpy()[:, None]
    candles["high"] = candles[["open", "high", "low", "close"]].max(axis=1)
    candles["low"] = candles[["open", "high", "low", "close"]].min(axis=1)
    candles.to_parquet(path)
    with pytest.raises(InputError, match="a forecast must be the one that was scored, to 1e-06; received"):
        run("--replay", "6")

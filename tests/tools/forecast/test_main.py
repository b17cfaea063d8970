"""What a person or a program gets, and what is refused."""

import json
import shutil
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


def test_a_stop_below_nothing_is_refused(market, run):
    """No long position can be stopped there."""
    market("volatility")
    with pytest.raises(InputError, match=r"--stop must leave a long stop above 0, so less than \d+ now"):
        run("--stop", "1000")


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
    assert table.startswith("NOT ENOUGH TEST TO TELL")
    assert "(not enough test to tell)" in run("--one-line")


def test_with_a_signal_direction_has_a_size(market, run):
    """Long where up is likelier than the benchmark says, short where it is less so."""
    facts = market("direction") / "models/evidence/facts.json"
    values = json.loads(facts.read_text(encoding="utf-8"))
    values["metrics"]["test"]["signal"] = 1
    facts.write_text(json.dumps(values), encoding="utf-8")
    for told in report_of(run("--json")).symbols:
        assert told.size is not None
        assert (told.size.position > 0) == (told.forecast > told.benchmark) == (told.size.units > 0)
        assert 0 < abs(told.size.position) <= 2


@pytest.mark.parametrize("task", ["direction", "volatility"])
def test_the_table_fits_a_terminal(market, run, task):
    """Of eighty columns, verdict first; a symbol's block each, which says where its candles are from."""
    market(task)
    lines = run().splitlines()
    assert max(map(len, lines)) <= 80
    assert lines[0].startswith("NOT ENOUGH TEST TO TELL. In its test")  # of two folds of 250 hours
    named = [line[:8] for line in lines if "/USDT (candles from files), " in line]
    assert named == ["BTC/USDT", "ETH/USDT"]


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


@pytest.mark.parametrize("value", ["0", "-1", "nan", "inf", "1e308", "1e-320"])
@pytest.mark.parametrize("option", ["--capital", "--risk", "--stop"])
def test_numbers_that_are_none_are_refused(run, option, value):
    """Nothing, less, or more than can be, is no capital, risk or distance."""
    with pytest.raises(InputError, match=f"{option} must be a number from 1e-6 to .*; received"):
        run(option, value)


@pytest.mark.parametrize("other", ["--record", "--json", "--one-line", "--prometheus"])
def test_a_replay_has_no_form_and_no_record(run, other):
    """What would be dropped in silence is refused."""
    with pytest.raises(InputError, match="--replay must stand without --record and without a form"):
        run("--replay", "3", other)


@pytest.mark.parametrize("arguments", [["--prometheus"], ["--replay", "2"]])
def test_nothing_of_the_pipeline_is_touched(market, run, arguments):
    """Neither data/ nor models/ nor results/, nor the settings: a forecast only reads."""
    folder = market("direction")

    def tree() -> dict[Path, bytes]:
        return {path: path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}

    before = tree()
    run(*arguments)
    assert tree() == before


def test_a_model_of_another_version_is_refused(market, run):
    """One that lacks a setting, or has one too many, would be forecast with by guesswork."""
    place = market("volatility") / "models/evidence/facts.json"
    facts = json.loads(place.read_text(encoding="utf-8"))
    for settings in (
        {key: value for key, value in facts["settings"].items() if key != "train.trees"},
        facts["settings"] | {"train.colour": "blue"},
    ):
        place.write_text(json.dumps(facts | {"settings": settings}), encoding="utf-8")
        with pytest.raises(InputError, match="settings of another version of the project"):
            run()
    place.write_text(json.dumps({"settings": facts["settings"]}), encoding="utf-8")
    with pytest.raises(InputError, match=r"facts\.json must be as .*; received metrics: Field required"):
        run()


@pytest.mark.parametrize(
    "changes",
    [
        *({"settings": []}, {"settings": None}, {"metrics": {}}, {"metrics": {"test": {"signal": 7}}}),
        *({"best_baseline": "nope"}, {"best_baseline": None}, {"bias_pct": "x"}, {"test_first": 5}),
    ],
)
def test_facts_that_are_none_are_refused(market, run, changes):
    """In a line that names the file, before anything is worked out."""
    place = market("volatility") / "models/evidence/facts.json"
    place.write_text(json.dumps(json.loads(place.read_text(encoding="utf-8")) | changes), encoding="utf-8")
    with pytest.raises(
        InputError, match=r"models.* must be as train and evaluate leave it; received"
    ) as error:
        run()
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    "changes", [{"least": [1.0]}, {"mean": None}, {"features": "all"}, {"kept": "no!"}]
)
def test_a_spec_that_is_none_is_refused(market, run, changes):
    """Each feature has its numbers."""
    place = market("volatility") / "models/networks/1/spec.json"
    place.write_text(json.dumps(json.loads(place.read_text(encoding="utf-8")) | changes), encoding="utf-8")
    with pytest.raises(InputError, match=r"spec\.json must be as train and evaluate leave it; received"):
        run()


def test_evidence_of_other_columns_is_refused(market, run):
    """A whole table, but of something else."""
    folder = market("volatility")
    shutil.copy("data/predictions.parquet", folder / "models/evidence/rows.parquet")
    with pytest.raises(InputError, match=r"rows\.parquet must be as .*; received columns symbol"):
        run()


def test_a_start_yet_to_come_is_refused(market, run):
    """There is nothing to forecast from."""
    market("volatility")
    with pytest.raises(InputError, match=r"fetch\.start must be a bar before now at least"):
        run(now=pd.Timestamp("2021-12-01", tz="UTC"))


@pytest.mark.parametrize(
    ("key", "value"), [("predictions", "0" * 64), ("task", "direction"), ("train", {"seeds": [1]})]
)
def test_networks_of_another_run_are_refused(market, run, key, value):
    """As where train ran, but evaluate didn't: the verdict would be of other networks."""
    place = market("volatility") / "models/networks/1/spec.json"
    spec = json.loads(place.read_text(encoding="utf-8"))
    place.write_text(json.dumps(spec | {key: value}), encoding="utf-8")
    with pytest.raises(InputError, match=r"received that of another run than .*evidence"):
        run()


def test_without_git_there_is_no_commit(market, run, monkeypatch):
    """And a forecast all the same."""
    market("direction")
    monkeypatch.setenv("PATH", "")
    assert report_of(run("--json")).model_commit is None


def test_bars_that_open_late_are_forecast_from(market, run):
    """Of a market whose bars open at half past, the newest that has closed is forecast from."""
    market("volatility")
    params = tool.load_model(None).params.fetch
    half = pd.Timedelta(minutes=30)
    for name in ("BTC-USDT", "ETH-USDT"):
        path = Path(f"data/import/file/{name}.parquet")
        candles = pd.read_parquet(path)
        candles.assign(open_time=candles["open_time"] + half).to_parquet(path)
    last = NOW.floor("h") + half  # the close of the last
    before = newest_candles(params, last + pd.Timedelta(minutes=2))
    assert (before.end, before.stale) == (last, False)
    early = newest_candles(params, last - pd.Timedelta(minutes=10))
    assert early.end == last - pd.Timedelta(hours=1)
    put_candles(N_BARS - 1)
    for name in ("BTC-USDT", "ETH-USDT"):  # the one that forms isn't in the file
        path = Path(f"data/import/file/{name}.parquet")
        candles = pd.read_parquet(path)
        candles.assign(open_time=candles["open_time"] + half).to_parquet(path)
    known = newest_candles(params, last - pd.Timedelta(minutes=10))
    assert (known.end, known.stale) == (last - pd.Timedelta(hours=1), False)


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

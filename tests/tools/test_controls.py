import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from stages.common.errors import InputError
from stages.common.task import TASKS
from stages.evaluate.significance import MIN_BLOCKS, full_block_bars
from stages.params import check_params
from tests.settings import shipped
from tools.controls import __main__ as controls
from tools.controls.jobs import DRAWS, key, make_jobs
from tools.controls.market import (
    BAR,
    SYMBOL,
    TEST_BARS,
    Market,
    control_values,
    make_candles,
    make_studies,
    scale_returns,
)
from tools.controls.models import MODELS, as_predictions
from tools.controls.plan import (
    ALWAYS,
    CONTROLS,
    MOSTLY,
    SELDOM,
    VISIBLE,
    Estimate,
    Line,
    mean,
    share,
    signal,
)
from tools.controls.runs import ERROR_SPREAD, EqualRun, MarketRun, lasting_errors, measure
from tools.controls.table import Results, n_broken, page, table, visibility

LINES = [line for of_control in CONTROLS.values() for line in of_control]
FIRST = MarketRun(Market(), "direction", "network")
SECOND = MarketRun(Market(), "volatility", "network")
OTHER_MARKET = MarketRun(Market(drift_signal=0.1), "direction", "oracle")


@pytest.fixture
def values():
    """What params.yaml holds, as shipped."""
    return shipped()


@pytest.fixture(scope="module")
def study():
    """The default market of three years, asked for its volatility."""
    params = check_params(control_values(shipped(), 3))
    return make_studies(Market(), 1, ["volatility"], params)["volatility"]


def line_of(run, figure=signal, estimate=share, **others) -> Line:
    """A line of the table."""
    return Line("a_control", "a setting", "signal 1", run, figure, estimate, **others)


def figures_of(n_signals: int, n_runs: int, half_widths: float = 5.0) -> list[dict[str, float]]:
    """Figures of `n_runs` seeds, `n_signals` of which had a signal."""
    skill = {"skill_pct": half_widths, "skill_lo": half_widths - 1, "skill_hi": half_widths + 1}
    return [skill | {"signal": float(number < n_signals)} for number in range(n_runs)]


@pytest.mark.parametrize(
    ("n_counted", "lo", "hi"),
    [(0, 0.0, 100 * (1 - 0.025 ** (1 / 40))), (40, 100 * 0.025 ** (1 / 40), 100.0)],
)
def test_a_share_of_none_or_all_has_its_textbook_interval(n_counted, lo, hi):
    """Clopper and Pearson: of n runs without a case, at most 1 - .025^(1/n) can be."""
    estimate = share(np.repeat([1.0, 0.0], [n_counted, 40 - n_counted]))

    np.testing.assert_allclose(estimate, [100 * n_counted / 40, lo, hi], atol=1e-9)


def test_a_mean_has_students_interval():
    """Of 1, 2, 3: 2 plus or minus 4.303 (t of two degrees) / sqrt(3); of one run a point."""
    np.testing.assert_allclose(
        mean(np.array([1.0, 2.0, 3.0])), [2, 2 - 4.30265 / np.sqrt(3), 2 + 4.30265 / np.sqrt(3)], rtol=1e-5
    )
    assert mean(np.array([7.0])) == (7, 7, 7)


def test_rules_hold_where_they_should():
    """What is at most so much may be more within error; what is at least so much may not be less."""
    assert SELDOM.holds(Estimate(8.0, 4.9, 14.0))
    assert not SELDOM.holds(Estimate(8.0, 5.1, 14.0))
    assert ALWAYS.holds(Estimate(95.0, 83.0, 99.0))
    assert not ALWAYS.holds(Estimate(94.9, 83.0, 99.0))
    assert MOSTLY.holds(Estimate(90.0, 76.0, 97.0))
    assert not MOSTLY.holds(Estimate(89.9, 76.0, 97.0))


def test_every_run_has_a_model_and_every_oracle_is_run():
    """The plan asks for nothing that can't be measured."""
    runs = {line.run for line in LINES}

    assert {(run.task, run.model) for run in runs if isinstance(run, MarketRun)} <= set(MODELS)
    assert {line.oracle for line in LINES if line.oracle} <= runs
    assert all(line.control == name for name, of_control in CONTROLS.items() for line in of_control)


def test_markets_are_hourly_whatever_the_settings_say(values):
    """Or labels and blocks would be of another length than the candles."""
    values["fetch"]["timeframe"] = "4h"

    assert check_params(control_values(values, 3)).fetch.timeframe == "1h"


@pytest.mark.parametrize("years", TEST_BARS)
def test_no_test_is_too_short_for_a_verdict(values, years):
    """The settings are sound, and the tests have the twenty blocks that a verdict needs."""
    params = check_params(control_values(values, years))
    split = params.split

    assert split.folds * split.test_bars >= MIN_BLOCKS * full_block_bars(params.label.horizon, BAR)
    assert params.train.network == "dense"


def test_late_returns_are_scaled_and_earlier_ones_are_not(candles):
    """From a row on each log return is so many times as large; no price jumps on the way there."""
    scaled = scale_returns(candles, 2000, 2.0)

    before, after = (np.log(frame["close"]).diff() for frame in (candles, scaled))
    np.testing.assert_allclose(after[1:2000], before[1:2000])
    np.testing.assert_allclose(after[2000:], 2 * before[2000:])
    np.testing.assert_allclose(scaled["open"][1:], scaled["close"][:-1])
    assert (scaled["high"] >= scaled[["open", "close"]].max(axis=1)).all()
    assert (scaled["low"] <= scaled[["open", "close"]].min(axis=1)).all()


def test_nothing_is_scaled_by_default():
    """A market without a shift is the simulated one, to rounding."""
    plain, late = (make_candles(Market(late_scale=scale), 1, n_late=100) for scale in (1.0, 2.0))

    np.testing.assert_allclose(plain["close"][:-100], late["close"][:-100])
    assert not np.allclose(plain["close"][-100:], late["close"][-100:])


def test_predictions_are_those_of_val_and_test_rows(study):
    """Each label of val and test has a forecast at its own fold and role, and no other has."""
    labelled = study.labels[SYMBOL]["close_time"]
    expected = [
        (fold, role, time)
        for fold, role, first, last in study.folds.itertuples(index=False)
        if role != "train"
        for time in labelled[labelled.between(first, last)]
    ]

    table = as_predictions(study, np.arange(1.0, len(study.rows) + 1))

    assert list(zip(table["fold"], table["role"], table["close_time"], strict=True)) == expected
    position = study.rows["close_time"].searchsorted(table["close_time"])
    np.testing.assert_allclose(np.exp(table["score"]), position + 1)


def test_the_slow_baselines_are_left_out_and_no_other(study):
    """The columns are those of data/baselines but for garch and boosting; the labels' rows are its rows."""
    baselines = study.baselines[SYMBOL]
    assert {"benchmark", "har_hour_of_week", "sizing_atr", "return_per_atr"} <= set(baselines)
    assert not {"garch", "boosting"} & set(baselines)
    pd.testing.assert_series_equal(baselines["close_time"], study.labels[SYMBOL]["close_time"])


def test_errors_last_as_long_as_they_should():
    """Their spread is constant and their autocorrelation falls to 1/e in the memory."""
    errors = lasting_errors(200_000, 24, np.random.default_rng(1))

    assert errors.std() == pytest.approx(ERROR_SPREAD, rel=0.03)
    assert np.corrcoef(errors[:-24], errors[24:])[0, 1] == pytest.approx(np.exp(-1), abs=0.03)
    many = np.array([lasting_errors(2, 24, np.random.default_rng(seed))[0] for seed in range(2000)])
    assert many.std() == pytest.approx(ERROR_SPREAD, rel=0.06)


def test_equal_forecasts_are_measured_again_alike(values):
    """The same seed gives the same figures, another seed others."""
    runs = [EqualRun(24), EqualRun(720)]

    first, again, other = (measure(runs, seed, values) for seed in (1, 1, 2))

    assert first == again
    assert first != other
    assert first[0] != first[1]


def test_jobs_share_a_market_and_measure_each_run_once_a_seed():
    """Runs of one market make one job a seed; equal forecasts, cheap as they are, get more seeds."""
    equal = EqualRun(24)

    jobs = make_jobs(map(line_of, [FIRST, OTHER_MARKET, SECOND, FIRST, equal]), 2)

    assert jobs[:4] == [
        ((FIRST, SECOND), 1),
        ((OTHER_MARKET,), 1),
        ((FIRST, SECOND), 2),
        ((OTHER_MARKET,), 2),
    ]
    assert jobs[4:] == [((equal,), seed) for seed in range(1, 2 * DRAWS + 1)]


def test_a_key_changes_with_all_that_figures_rest_on(values):
    """ControlRun, market, seed or setting: another key; the task and the source of candles don't matter."""
    usual = key(FIRST, 1, values)
    trained = values | {"train": values["train"] | {"epochs": values["train"]["epochs"] + 1}}
    longer = FIRST._replace(market=Market(years=5))
    others = [key(run, 1, values) for run in (SECOND, OTHER_MARKET, longer, EqualRun(24))]
    others += [key(FIRST, 2, values), key(FIRST, 1, trained)]

    assert len({usual, *others}) == len(others) + 1
    assert key(FIRST, 1, values | {"task": "volatility", "fetch": {}}) == usual
    # Settings that a control overrules.
    assert key(FIRST, 1, values | {"train": values["train"] | {"network": "gru"}}) == usual


def test_what_is_kept_is_not_measured_again(values, tmp_path, monkeypatch):
    """A job measures the runs that aren't kept; it has the figures of all, in the order of its runs."""
    jobs = make_jobs(map(line_of, [FIRST, SECOND]), 3)
    asked = []

    def measure_seed(runs, seed, _values):
        asked.append(runs)
        return [{"signal": float(seed)} for _ in runs]

    for seed in (3, 1):
        kept = {"figures": {"signal": 10.0 * seed}}
        (tmp_path / f"{key(FIRST, seed, values)}.json").write_text(json.dumps(kept), encoding="utf-8")
    monkeypatch.setattr(controls, "measure", measure_seed)

    found = [controls.measured(job, values, tmp_path) for job in jobs]
    again = [controls.measured(job, values, tmp_path) for job in jobs]

    assert asked == [[SECOND], [FIRST, SECOND], [SECOND]]
    assert [[figures["signal"] for figures in job] for job in found] == [[10, 1], [2, 2], [30, 3]]
    assert again == found


def test_the_table_holds_what_was_counted_against_what_must_be():
    """One signal in forty runs is within error of 5 %, ten are not."""
    lines = [line_of(FIRST, rule=SELDOM), line_of(SECOND, rule=SELDOM), line_of(OTHER_MARKET)]
    results: Results = {
        FIRST: figures_of(1, 40),
        SECOND: figures_of(10, 40),
        OTHER_MARKET: figures_of(3, 4),
    }

    rows = table(lines, results).splitlines()[2:]

    assert rows[0].startswith("| a_control | a setting | signal 1 | 40 | 2.5 % [0.1, 13.2] |")
    assert [row.split(" | ")[-1] for row in rows] == ["yes |", "**no** |", "- |"]
    assert n_broken(lines, results) == 1


@pytest.mark.parametrize(("half_widths", "holds"), [(VISIBLE, "**no** |"), (VISIBLE - 0.1, "- |")])
def test_a_signal_must_be_seen_where_the_oracle_sees_it_well(half_widths, holds):
    """The rule applies from so many half-widths of the oracle's skill on."""
    oracle = figures_of(10, 10, half_widths)
    line = line_of(FIRST, rule=MOSTLY, oracle=OTHER_MARKET)

    row = table([line], {FIRST: figures_of(5, 10), OTHER_MARKET: oracle}).splitlines()[2]

    assert visibility(oracle) == pytest.approx(half_widths)
    assert f"(oracle: {half_widths:.1f} half-widths)" in row
    assert row.endswith(holds)
    assert n_broken([line], {FIRST: figures_of(5, 10), OTHER_MARKET: oracle}) == int("no" in holds)


def test_lines_without_results_are_left_out():
    """With `--only` the table has that control alone."""
    assert len(table([line_of(FIRST), line_of(SECOND)], {SECOND: figures_of(0, 1)}).splitlines()) == 3


def test_the_page_names_the_command_and_explains_every_control():
    """docs/controls.md is generated whole."""
    text = page(LINES, {FIRST: figures_of(0, 40)}, "python -m tools.controls --seeds 40")

    assert "`python -m tools.controls --seeds 40` writes this page" in text
    assert all(f"- **{name}**: " in text for name in CONTROLS)


@pytest.fixture
def workplace(tmp_path, monkeypatch):
    """An empty folder with params.yaml, two small controls, and a list of the jobs that get measured."""
    measured: list[tuple[object, int]] = []

    def measure_nothing(runs, seed, _values):
        measured.extend((run, seed) for run in runs)
        return figures_of(0, len(runs))

    (tmp_path / "params.yaml").write_text(json.dumps(shipped()), encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(controls, "CONTROLS", {"one": [line_of(FIRST)], "two": [line_of(OTHER_MARKET)]})
    monkeypatch.setattr(controls, "measure", measure_nothing)
    monkeypatch.setattr(controls, "parallel_map", lambda function, items, _name: [*map(function, items)])
    return measured


def call(monkeypatch, *options: str) -> None:
    """`python -m tools.controls` with these options."""
    monkeypatch.setattr("sys.argv", ["controls", *options])
    controls.main()


def test_a_run_goes_on_where_it_was(workplace, monkeypatch):
    """What an earlier run measured isn't measured again, be it of another control or fewer seeds."""
    call(monkeypatch, "--only", "one", "--seeds", "2")
    assert workplace == [(FIRST, 1), (FIRST, 2)]

    call(monkeypatch, "--seeds", "3")
    assert workplace[2:] == [(OTHER_MARKET, 1), (OTHER_MARKET, 2), (FIRST, 3), (OTHER_MARKET, 3)]

    call(monkeypatch, "--seeds", "3")
    assert len(workplace) == 6


def test_another_code_measures_anew(workplace, monkeypatch):
    """Figures of a changed stage aren't taken for those of the code that is there now."""
    Path("stages").mkdir()
    Path("stages/one.py").write_text("x = 1\n", encoding="utf-8")
    call(monkeypatch, "--only", "one", "--seeds", "1")
    Path("stages/one.py").write_text("x = 2\n", encoding="utf-8")
    call(monkeypatch, "--only", "one", "--seeds", "1")

    assert workplace == [(FIRST, 1), (FIRST, 1)]


def test_a_line_that_does_not_hold_ends_in_an_error(workplace, monkeypatch):
    """The table is printed and the exit status says no."""
    broken = line_of(FIRST, rule=ALWAYS)
    monkeypatch.setattr(controls, "CONTROLS", {"one": [broken]})

    with pytest.raises(SystemExit, match="1 that do not"):
        call(monkeypatch, "--seeds", "1")


def test_a_test_too_short_for_verdicts_is_refused(values):
    """Else nothing could ever be called a signal, and every control of noise would pass."""
    long = values | {"label": values["label"] | {"horizon": 400}}

    with pytest.raises(InputError, match="long enough for a verdict; received 400"):
        measure([EqualRun(24)], 1, long)


@pytest.mark.parametrize(
    ("options", "written"),
    [(["--seeds", "39"], False), (["--only", "one"], False), (["--seeds", "40"], True), ([], True)],
)
def test_the_page_is_written_when_it_is_complete(workplace, monkeypatch, capsys, options, written):
    """All controls and at least forty seeds; else the table is printed alone."""
    call(monkeypatch, *options)

    assert controls.PAGE.exists() == written
    assert "| a_control |" in capsys.readouterr().out


# Keras 3.15 converts TensorFlow's variables in a way that NumPy 2 means to refuse one day.
@pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy keyword")
@pytest.mark.slow
def test_the_controls_in_short(values):
    """Noise is noise, volatility is signal, and a strong drift is seen by oracle and network alike."""
    quick = values | {"train": values["train"] | {"epochs": 4}}
    null, usual, drifting = Market(volatility_memory=0.0), Market(), Market(drift_signal=0.4)
    asked = {
        null: [(task, "network") for task in TASKS],
        usual: [("direction", "volatility alone"), ("direction", "network"), ("volatility", "network")],
        drifting: [("direction", "oracle"), ("direction", "network")],
        Market(late_scale=2.0): [("volatility", "har_hour_of_week")],
    }
    found = {
        (market, *question): figures
        for market, questions in asked.items()
        for question, figures in zip(
            questions, measure([MarketRun(market, *each) for each in questions], 1, quick), strict=True
        )
    }

    signals = {name: figures["signal"] for name, figures in found.items()}
    assert max(signals[null, task, "network"] for task in TASKS) <= 0
    assert max(signals[usual, "direction", model] for model in ("volatility alone", "network")) <= 0
    assert signals[usual, "volatility", "network"] == 1
    assert signals[drifting, "direction", "oracle"] == signals[drifting, "direction", "network"] == 1
    assert visibility([found[drifting, "direction", "oracle"]]) > VISIBLE
    shifted = found[Market(late_scale=2.0), "volatility", "har_hour_of_week"]
    assert 88 <= shifted["coverage_90_pct"] <= 92

    equal = [measure([EqualRun(24)], seed, quick)[0]["verdict"] for seed in range(60)]
    assert np.mean(np.equal(equal, 1)) <= 0.15

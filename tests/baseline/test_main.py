from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from pandas.testing import assert_frame_equal

from stages.baseline.__main__ import main
from stages.baseline.params import BaselineParams
from stages.baseline.stage import baseline, check_fitted, forecasters
from stages.common.errors import InputError
from stages.common.tables import read_tables, write_table
from stages.params import load_params
from tests.settings import shipped, write_params


@pytest.fixture
def labels(candles, make_volatility_labels):
    """Labels of the first 1,500 candles."""
    return make_volatility_labels(candles[:1500])


@pytest.fixture
def project(tmp_path, monkeypatch, candles, labels):
    """A folder with candles, labels and settings; `project(...)` rewrites these."""
    monkeypatch.chdir(tmp_path)
    write_table("data/candles/BTC-USDT.parquet", candles[:1500])
    write_table("data/labels/BTC-USDT.parquet", labels)

    def configure(min_bars: int = 200, **changes: str) -> None:
        bars = {"refit_bars": 50, "min_bars": min_bars, "window_bars": max(400, min_bars)}
        settings = {"task": "volatility", "baseline": bars | {"slow_refit_bars": 300}}
        write_params(settings | changes)

    configure()
    return configure


def test_stage_writes_a_column_a_baseline(project, labels, capsys):
    """Exactly the label rows come out, with the task's baselines first and sizing last."""
    main(load_params())

    tables = read_tables("data/baselines")
    table = tables["BTC-USDT"]
    assert list(tables) == ["BTC-USDT"]
    assert list(table.columns) == [
        "close_time", "benchmark", "last_value", "mean_reversion", "ewma", "har", "har_hour_of_week",
        "har_x", "garch", "boosting", "sizing_atr", "return_per_atr",
    ]  # fmt: skip
    assert_frame_equal(table[["close_time"]], labels[["close_time"]], check_exact=True)
    assert (
        f"baseline: {len(labels):,} rows, 213 of them before every baseline had" in capsys.readouterr().out
    )


@pytest.mark.parametrize(
    ("last", "events"),
    [("2022-03-07", "us_releases"), ("2022-03-05", "us_releases"), ("2022-03-05", "none")],
)
def test_candles_beyond_the_calendar_are_told(project, capsys, monkeypatch, last, events):
    """The run goes on, and says up to when it knows what was to come; these candles end on 6 March."""
    monkeypatch.setattr("stages.baseline.__main__.known_until", lambda _: pd.Timestamp(last, tz="UTC"))
    project(**{"featurize.events": events})

    main(load_params())

    line = f"baseline: releases are known up to {last}; no later one counts (docs/calendar.md)"
    told = line in capsys.readouterr().out
    assert told == (last < "2022-03-06" and events == "us_releases")


def test_each_symbol_is_forecast_from_its_own_rows(
    project, make_candles, make_volatility_labels, rows_of, params
):
    """Symbols are forecast side by side, and neither sees the other."""
    other = make_candles(1500, seed=2)
    write_table("data/candles/ETH-USDT.parquet", other)
    write_table("data/labels/ETH-USDT.parquet", make_volatility_labels(other))
    labels = read_tables("data/labels")

    main(load_params())

    tables = read_tables("data/baselines")
    assert list(tables) == ["BTC-USDT", "ETH-USDT"]
    for symbol, candles in read_tables("data/candles").items():
        rows = rows_of(candles, labels[symbol])
        for name in tables[symbol].columns[1:]:
            alone = forecasters("volatility", {"target": "atr"})[name](rows, params)
            expected = rows[["close_time"]].assign(**{name: alone})[rows["label_end"].notna()]
            assert_frame_equal(
                tables[symbol][["close_time", name]], expected.reset_index(drop=True), check_exact=True
            )


@pytest.mark.parametrize("name", ["benchmark", "har_hour_of_week", "garch", "boosting"])
def test_every_candle_has_a_forecast(candles, make_volatility_labels, rows_of, params, name):
    """The candles whose labels haven't ended yet are forecast, too."""
    rows = rows_of(candles[:1100], make_volatility_labels(candles[:1100]))

    forecast = forecasters("volatility", {"target": "atr"})[name](rows, params)

    assert len(forecast) == len(rows)
    assert np.isfinite(forecast[-14:]).all()


def test_columns_that_are_skipped_change_no_other(project):
    """For who has no time for the slow ones; the rest is to the last bit the same."""
    candles, labels = read_tables("data/candles"), read_tables("data/labels")

    whole = baseline(candles, labels, None, load_params())["BTC-USDT"]
    quick = baseline(candles, labels, None, load_params(), skip=("garch", "boosting"))["BTC-USDT"]

    assert_frame_equal(quick, whole.drop(columns=["garch", "boosting"]), check_exact=True)


def test_too_few_rows_are_refused_and_nothing_is_changed(project):
    """A first fit that never comes ends with one line; the forecasts of before stay."""
    main(load_params())
    before = {path: path.read_bytes() for path in Path("data").rglob("*.parquet")}
    project(min_bars=900)

    with pytest.raises(InputError, match=r"^baseline.min_bars must leave .* and BTC-USDT has 756 rows"):
        main(load_params())

    assert {path: path.read_bytes() for path in Path("data").rglob("*.parquet")} == before


def test_the_baseline_that_comes_too_late_is_named(params):
    """As one that is fitted on another's forecast, so that not all fits have to be looked through."""
    table = pd.DataFrame({"close_time": [1, 2, 3], "early": [np.nan, 0.5, 0.5], "late": [np.nan] * 3})

    with pytest.raises(InputError, match=r"BTC/USDT has 3 rows: late forecasts 0 of them\.$"):
        check_fitted("BTC/USDT", table, params)


def test_settings_fit_the_stage(params):
    """The settings in params.yaml are sound."""
    values = shipped()["baseline"]

    assert BaselineParams(**values).window_bars >= params.window_bars

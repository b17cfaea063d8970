import numpy as np
import pandas as pd
import pytest

from stages.baseline.params import BaselineParams
from stages.baseline.rows import KEPT, make_rows
from stages.baseline.volatility import BASELINES, DECAY, baselines, boosting, ewma, har_hour_of_week
from stages.common.arrays import Floats
from stages.common.bars import ATR_PERIOD, bar_length
from stages.common.calendar import near_release

HOUR = bar_length("1h")
FIRST = 943  # the first fit: 730 of warm-up, 199 rows before the 200th, 14 until it ends
LONG = BaselineParams(refit_bars=300, min_bars=1000, window_bars=2000, slow_refit_bars=300)


def qlike(y: Floats, f: Floats) -> float:
    """Mean QLIKE of the rows that have a label and a forecast."""
    return float(np.nanmean(y / f - np.log(y / f) - 1))


def forecasts(rows: pd.DataFrame, params: BaselineParams, target: str = "atr") -> dict[str, Floats]:
    """Every baseline's forecasts."""
    return {name: forecaster(rows, params) for name, forecaster in baselines(target).items()}


@pytest.fixture
def rows(candles, make_volatility_labels, rows_of):
    """The rows of three thousand candles."""
    return rows_of(candles, make_volatility_labels(candles))


@pytest.mark.parametrize("target", ["atr", "true_range"])
def test_every_baseline_has_a_column(rows, params, target):
    """Columns come in the table's order, are positive up to the last row, and start at one common row."""
    columns = forecasts(rows, params, target)

    assert list(columns) == list(BASELINES) == [
        "benchmark", "last_value", "mean_reversion", "ewma", "har", "har_hour_of_week", "har_x",
        "garch", "boosting",
    ]  # fmt: skip
    for name, column in columns.items():
        assert (column[FIRST:] > 0).all()
        assert name == "last_value" or np.isnan(column[:FIRST]).all()


@pytest.mark.parametrize("target", ["atr", "true_range"])
def test_every_baseline_is_of_the_target_s_size(candles, make_true_range_labels, rows, rows_of, target):
    """Forecasts are on average what comes: either target is one of ranges, not of returns or of sums."""
    if target == "true_range":
        rows = rows_of(candles, make_true_range_labels(candles))

    for column in forecasts(rows, LONG, target).values():
        assert 0.8 < np.nanmean(rows["y"] / column) < 1.25


@pytest.mark.parametrize("name", ["garch", "boosting"])
def test_what_takes_long_is_refit_less_often(rows, params, name):
    """GARCH and trees keep to slow_refit_bars, and don't ask for refit_bars."""
    often, seldom = (
        params.model_copy(update=bars) for bars in ({"refit_bars": 60}, {"slow_refit_bars": 350})
    )

    column = BASELINES[name](rows, params)

    np.testing.assert_array_equal(BASELINES[name](rows, often), column)
    assert (BASELINES[name](rows, seldom) != column)[FIRST + 300 :].any()


def test_last_value_is_the_atr(rows, params):
    """The last value is ATR(t) over close, neither fitted nor scaled, at every row that has one."""
    np.testing.assert_array_equal(forecasts(rows, params)["last_value"], rows["atr"])


def test_last_value_of_a_dead_market_has_a_log(rows, params):
    """An ATR of nought is floored, for the score is a log."""
    assert (forecasts(rows.assign(atr=0.0), params)["last_value"] > 0).all()


def test_a_market_without_returns_has_a_log(rows, params):
    """Closes that stand still leave forecasts from returns small, but above nought."""
    dead = rows.assign(log_return=0.0)

    for forecaster in (ewma, BASELINES["garch"]):
        column = forecaster(dead, params)[FIRST:]
        assert np.isfinite(column).all()
        assert (column > 0).all()


def test_the_benchmark_nests_the_last_value(rows, params):
    """Where the future is the last value times a constant, the benchmark finds the constant."""
    y = (1.25 * np.exp(rows["log_atr"])).where(rows["y"].notna())

    column = baselines("atr")["benchmark"](rows.assign(y=y), params)

    np.testing.assert_allclose(column[FIRST:], 1.25 * rows["atr"][FIRST:])


def test_the_benchmark_nests_the_mean(rows, params):
    """Where the future never changes, the benchmark is that constant; so are the others in logs."""
    columns = forecasts(rows.assign(y=rows["y"] * 0 + 0.01), params)

    for name in ("benchmark", "har", "har_hour_of_week", "boosting"):
        np.testing.assert_allclose(columns[name][FIRST:], 0.01)


def test_hour_of_week_pays_where_there_is_one(rows, params):
    """Of a target with a profile over the week, log-HAR misses what hour-of-week catches."""
    profile = np.exp(np.sin(rows["hour_of_week"] * 2 * np.pi / 24))
    columns = forecasts(rows.assign(y=rows["y"] * profile), params)
    y = (rows["y"] * profile).to_numpy()[1530:]

    assert qlike(y, columns["har_hour_of_week"][1530:]) < 0.5 * qlike(y, columns["har"][1530:])


def test_what_is_known_in_advance_pays(make_candles, make_volatility_labels):
    """Of a market that goes wild with each release, har_x knows the hours to come, and har doesn't."""
    candles = make_candles(24 * 240)
    time = candles["open_time"]
    releases = pd.DataFrame({"event": "cpi", "time": time[24 * 9 + 7 :: 24 * 9] + pd.Timedelta(minutes=30)})
    wild = np.where(near_release(time, HOUR, releases, "cpi") > 0, 6.0, 1.0)
    centre = (candles["high"] + candles["low"]) / 2
    wide = candles.assign(
        high=centre + wild * (candles["high"] - centre), low=centre + wild * (candles["low"] - centre)
    )
    labels = make_volatility_labels(wide)
    losses = {}
    for name, table in {"known": releases, "unknown": None}.items():
        rows = make_rows(wide, labels, table, HOUR, bridge_bars=3, horizon_bars=14)
        losses[name] = qlike(rows["y"].to_numpy()[3000:], baselines("atr")["har_x"](rows, LONG)[3000:])
    har = qlike(rows["y"].to_numpy()[3000:], baselines("atr")["har"](rows, LONG)[3000:])

    assert losses["known"] < 0.8 * losses["unknown"]
    assert losses["known"] < 0.8 * har


def test_distance_pays_where_it_counts(rows):
    """Of a target that is larger the further the close is from its averages, whichever way."""
    far = rows["distance_72"].abs().fillna(0)
    target = rows.assign(y=rows["y"] * np.exp(far))

    with_x, without = (
        qlike(target["y"], fit(target, LONG)) for fit in (BASELINES["har_x"], har_hour_of_week)
    )

    assert with_x < 0.7 * without


def test_boosting_pays_where_lines_bend(rows):
    """Of a target that jumps after wide bars, trees catch what the line that they start from misses."""
    wide = rows["log_range_1"] - rows["log_atr"] > 0.5
    bent = rows.assign(y=rows["y"] * np.where(wide, 2.0, 1.0))

    trees, line = (qlike(bent["y"], fit(bent, LONG)) for fit in (boosting, har_hour_of_week))

    assert trees < 0.9 * line


def test_ewma_equals_its_written_recursion(rows, params):
    """RiskMetrics' loop over all bars, times the mean of y over its root in the window."""
    variance, roots = rows["log_return"][0] ** 2, []
    for r in rows["log_return"]:
        variance = DECAY * variance + (1 - DECAY) * r**2
        roots.append(np.sqrt(variance))
    root, y, expected = np.array(roots), rows["y"].to_numpy(), np.full(len(rows), np.nan)
    for t in range(FIRST, len(rows)):
        last = FIRST + (t - FIRST) // 50 * 50 - 13
        past = slice(max(730, last - 400), last)
        expected[t] = root[t] * np.mean(y[past] / root[past])

    np.testing.assert_allclose(ewma(rows, params), expected)


def test_ewma_remembers_nothing_before_a_long_gap(make_candles, make_volatility_labels, rows_of, params):
    """A crash before the gap may change the window's ratio, but is no part of the spread after it."""
    candles = make_candles(2200, missing=range(1993, 2003))  # the new stretch begins with a refit
    crashed = candles.copy()
    crashed.loc[1960:1992, ["open", "high", "low", "close"]] *= 0.5
    rows, wild = (rows_of(frame, make_volatility_labels(candles)) for frame in (candles, crashed))

    ratio = ewma(wild, params) / ewma(rows, params)

    assert (ratio[1960:1990] > 2).all()
    np.testing.assert_allclose(ratio[1993:2043], ratio[1993])


def test_mean_reversion_is_wilder_s_recursion_on_the_mean(rows, params):
    """ATR after h bars of the window's mean true range, bar by bar; the mean of those ATRs likewise."""
    true_range, atr = np.exp(rows["log_range_1"]), rows["atr"]
    columns = {
        target: forecasts(rows, params, target)["mean_reversion"] for target in ("atr", "true_range")
    }

    for t in range(FIRST, len(rows), 61):
        last = FIRST + (t - FIRST) // 50 * 50 - 13
        mean = true_range[max(730, last - 400) : last].mean()
        steps = [atr[t]]
        for _ in range(14):
            steps.append((13 * steps[-1] + mean) / ATR_PERIOD)
        np.testing.assert_allclose(columns["atr"][t], steps[-1])
        np.testing.assert_allclose(columns["true_range"][t], np.mean(steps[1:]))


@pytest.mark.parametrize("target", ["atr", "true_range"])
def test_far_ahead_only_the_mean_is_left(rows, params, target):
    """With a horizon beyond memory, today's ATR says nothing."""
    far = rows.assign(horizon_bars=10**6)

    column = baselines(target)["mean_reversion"](far, params)
    wilder = baselines(target)["mean_reversion"](far.assign(atr=2 * rows["atr"]), params)

    mean = np.exp(rows["log_range_1"])[730:930].mean()
    np.testing.assert_allclose(column[FIRST : FIRST + 50], mean, rtol=1e-3)
    np.testing.assert_allclose(wilder, column, rtol=1e-3)
    assert KEPT**14 > 0.35

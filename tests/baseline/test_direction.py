import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stages.baseline.chance import C_HOURS, LOG_UNIT, base_rate, by_hour, line_by_hour, smoothed_rate
from stages.baseline.direction import C_RETURNS, baselines, boosting, line_of_returns, logistic
from stages.baseline.params import BaselineParams
from stages.baseline.rows import RETURNS
from stages.baseline.sizing import sizing_atr
from stages.common.arrays import Floats

DAY = pd.Timedelta(days=1)
LONG = BaselineParams(refit_bars=300, min_bars=1000, window_bars=2000, slow_refit_bars=300)


@pytest.fixture
def rows(candles, make_direction_labels, rows_of):
    """The rows of three thousand candles."""
    return rows_of(candles, make_direction_labels(candles))


def benchmark(rows: pd.DataFrame, params: BaselineParams, timeout: str) -> Floats:
    """The benchmark's probabilities under a time-out rule."""
    return baselines(timeout)["benchmark"](rows, params)


def answers(rows: pd.DataFrame, odds: Floats) -> Floats:
    """Draws of y with these log odds, where the rows have a label."""
    draws = np.random.default_rng(1).random(len(rows)) < 1 / (1 + np.exp(-odds))
    return np.where(rows["y"].notna(), draws, np.nan)


def log_loss(rows: pd.DataFrame, p: Floats) -> float:
    """Mean log loss of the rows that have a label and a forecast."""
    y = rows["y"].to_numpy()
    return float(np.nanmean(-np.log(np.where(y == 1, p, 1 - p))[~np.isnan(y)]))


def newton(X: Floats, y: Floats, C: float) -> Floats:
    """P(y = 1) where the textbook's Newton steps end: intercept free, the rest penalised."""
    X = np.column_stack([np.ones(len(X)), X])
    penalty = np.eye(X.shape[1]) / C
    penalty[0, 0] = 0
    beta = np.zeros(X.shape[1])
    for _ in range(20):
        p = 1 / (1 + np.exp(-X @ beta))
        hessian = (X * (p * (1 - p))[:, None]).T @ X + penalty
        beta -= np.linalg.solve(hessian, X.T @ (p - y) + penalty @ beta)
    return 1 / (1 + np.exp(-X @ beta))


@pytest.mark.parametrize("timeout", ["sign", "zero"])
def test_every_baseline_has_a_column(rows, params, timeout):
    """Columns come in order, whichever the time-out rule, and are probabilities up to the last row."""
    columns = baselines(timeout, up_atr=1.5, down_atr=1.5)

    assert list(columns) == ["benchmark", "base_rate_90d", "logistic", "boosting"]
    for forecaster in columns.values():
        p = forecaster(rows, params)
        assert ((p > 0) & (p < 1) | np.isnan(p)).all()
        assert np.isfinite(p[1300:]).all()


def test_the_benchmark_is_the_share_of_the_refit_window(rows, params):
    """The benchmark is the mean of the last 400 labels whose horizon had ended by the refit."""
    p = benchmark(rows, params, "sign")

    first = np.flatnonzero(~np.isnan(p))[0]
    assert first == 730 + 199 + 14  # of warm-up, of rows before the 200th, of its horizon
    for t in range(first, len(rows), 37):
        refit = first + (t - first) // 50 * 50
        ended = rows["y"][rows["ahead_end"] <= rows["close_time"][refit]]
        np.testing.assert_allclose(p[t], ended.iloc[-400:].mean())


def test_90_day_base_rate_equals_the_written_share(make_candles, make_direction_labels, rows_of, params):
    """Row t has the mean of labels whose horizon ended in the 90 days up to its close, and of no other."""
    candles = make_candles(4000, missing=range(1500, 1600))
    rows = rows_of(candles, make_direction_labels(candles))

    p = baselines("sign")["base_rate_90d"](rows, params)

    np.testing.assert_array_equal(np.isnan(p), np.isnan(benchmark(rows, params, "sign")))
    for t in np.flatnonzero(~np.isnan(p))[::41]:
        age = rows["close_time"][t] - rows["ahead_end"]
        np.testing.assert_allclose(p[t], rows["y"][(age >= 0 * DAY) & (age < 90 * DAY)].mean())


def test_the_benchmark_foretells_touches_where_time_outs_are_zeros(rows, params):
    """If y is a question of volatility, the benchmark answers it, and the base rate doesn't."""
    ratio = np.log(sizing_atr(rows, params) / rows["atr"])
    odds = 8 * (ratio - ratio.mean()) + np.where(rows["hour_of_week"] % 24 < 12, 1.0, -1.0)
    touched = answers(rows, odds.fillna(0.0).to_numpy())

    p = benchmark(rows.assign(y=touched), params, "zero")

    fitted = ~np.isnan(p)
    assert np.corrcoef(np.log(p / (1 - p))[fitted], odds[fitted])[0, 1] > 0.7


def test_touch_forecast_needs_a_sizing_forecast(rows, params):
    """Rows before sizing's first fit don't train, so the benchmark starts as many rows later."""
    sized = np.flatnonzero(~np.isnan(sizing_atr(rows, params)))[0]
    early = (rows.index < sized) & rows["y"].notna()

    p, same = (
        benchmark(frame, params, "zero") for frame in (rows, rows.assign(y=rows["y"].mask(early, 1.0)))
    )

    first = np.flatnonzero(~np.isnan(p))[0]
    ended = [(rows["ahead_end"][sized:] <= rows["close_time"][t]).sum() for t in (first - 1, first)]
    assert ended[0] < params.min_bars <= ended[1]
    np.testing.assert_array_equal(p, same)


def test_touch_forecast_is_missing_where_sizing_is(rows, params):
    """A row without a sizing forecast gets no probability; those before its label ends don't notice."""
    t = len(rows) - 60
    gappy = rows.assign(log_range_720=rows["log_range_720"].mask(rows.index == t))

    whole, p = (benchmark(frame, params, "zero") for frame in (rows, gappy))

    assert np.isnan(p[t])
    np.testing.assert_array_equal(p[:t], whole[:t])
    assert np.isfinite(p[t + 1 :]).all()


@pytest.mark.parametrize("timeout", ["sign", "zero"])
def test_only_ended_labels_enter_a_fit(rows, params, timeout):
    """Turning round every label whose horizon still runs at a refit leaves its block as it is."""
    p = benchmark(rows, params, timeout)
    refit = np.flatnonzero(~np.isnan(p))[0] + 2 * 50
    running = rows["ahead_end"] > rows["close_time"][refit]
    last = rows["ahead_end"] == rows["close_time"][refit]

    def block(turned: pd.Series) -> Floats:
        changed = rows.assign(y=rows["y"].mask(turned, 1 - rows["y"]))
        return benchmark(changed, params, timeout)[refit : refit + 50]

    np.testing.assert_array_equal(block(running), p[refit : refit + 50])
    assert last.any()
    assert np.all(block(running | last) != p[refit : refit + 50])


def test_a_young_stretch_is_not_forecast(make_candles, make_direction_labels, rows_of, params):
    """After a long gap 720 candles pass before there is a month to look back on; no fit minds them."""
    candles = make_candles(3000, missing=range(1500, 1510))
    rows = rows_of(candles, make_direction_labels(candles))

    for forecaster in (logistic, boosting):
        p = forecaster(rows, params)
        assert np.isfinite(p[1200:1500]).all()
        assert np.isnan(p[1500:2220]).all()
        assert np.isfinite(p[2220:]).all()


@pytest.mark.parametrize("forecaster", [logistic, boosting])
def test_one_class_has_no_line_but_a_share(rows, params, forecaster):
    """Of a window without a single 1, the forecast is half a row's share, not nought."""
    p = forecaster(rows.assign(y=rows["y"] * 0), params)

    assert np.nanmax(p) == 0.5 / 200
    assert np.nanmin(p) == 0.5 / 400


def test_trees_are_refit_less_often(rows):
    """Boosting keeps to slow_refit_bars, and doesn't ask for refit_bars."""
    often = LONG.model_copy(update={"refit_bars": 60})
    seldom = LONG.model_copy(update={"slow_refit_bars": 350})

    p = boosting(rows, LONG)

    np.testing.assert_array_equal(boosting(rows, often), p)
    assert (boosting(rows, seldom) != p)[-300:].any()


def test_logistic_by_hour_equals_newton_s_iteration():
    """The fit on a ratio and 168 hours is the textbook's."""
    rng = np.random.default_rng(2)
    x, hour = rng.standard_normal(800) / 5, rng.integers(0, 168, 800)
    y = (rng.random(800) < 1 / (1 + np.exp(-(3 * x + (hour < 80) - 0.5)))).astype(np.float64)
    X = np.column_stack([x, hour])

    expected = newton(np.column_stack([x / LOG_UNIT, np.eye(168)[hour]]), y, C_HOURS)

    np.testing.assert_allclose(line_by_hour(X, y, X), expected, atol=1e-4)


def test_logistic_of_returns_equals_newton_s_iteration():
    """The fit on past returns is the textbook's."""
    rng = np.random.default_rng(2)
    X = rng.standard_normal((800, 5))
    y = (rng.random(800) < 1 / (1 + np.exp(-X[:, 0] - 0.5))).astype(np.float64)

    np.testing.assert_allclose(line_of_returns(X, y, X), newton(X, y, C_RETURNS), atol=1e-4)


@pytest.mark.parametrize("forecaster", [logistic, boosting])
def test_past_returns_pay_where_they_foretell(rows, forecaster):
    """Where past returns say which way, the loss is less than the benchmark's."""
    foretold = rows.assign(y=answers(rows, 4 * rows["return_24"].fillna(0.0).to_numpy()))

    p, p_benchmark = (fit(foretold, LONG) for fit in (forecaster, base_rate))

    assert log_loss(foretold, p) < log_loss(foretold, p_benchmark) - 0.03


@pytest.mark.parametrize("forecaster", [logistic, boosting])
def test_past_returns_gain_nothing_of_coins(rows, forecaster):
    """Where y is thrown, nobody beats the base rate by more than luck."""
    thrown = rows.assign(y=answers(rows, np.zeros(len(rows))))

    p, p_benchmark = (fit(thrown, LONG) for fit in (forecaster, base_rate))

    assert log_loss(thrown, p) > log_loss(thrown, p_benchmark) - 0.002


def test_boosting_looks_at_ranges_and_returns(rows):
    """What says which way may be a range, too."""
    wide = rows["log_range_1"] - rows["log_atr"]
    foretold = rows.assign(y=answers(rows, 3 * np.sign(wide - wide.median()).fillna(0.0).to_numpy()))
    blind = foretold.assign(**dict.fromkeys(RETURNS, 0.0))

    assert log_loss(blind, boosting(blind, LONG)) < log_loss(blind, base_rate(blind, LONG)) - 0.03


@pytest.mark.parametrize("others", [0, 1, 3])
def test_a_design_by_hour_has_logs_and_168_dummies(others):
    """A row holds its logs in tenths, however many there are, and a 1 for its hour."""
    X = np.array([[0.2] * others + [0.0], [-0.1] * others + [167.0]])

    dense = by_hour(X).toarray()

    expected = np.zeros((2, others + 168))
    expected[:, :others] = [[2.0] * others, [-1.0] * others]
    expected[[0, 1], [others, others + 167]] = 1.0
    np.testing.assert_allclose(dense, expected)


@settings(deadline=None, max_examples=50)
@given(st.integers(0, 10_000), st.integers(0, 10_000))
def test_a_rate_has_a_logit(ones, zeros):
    """A rate is ones over rows where both are seen, and never 0 or 1."""
    p = smoothed_rate(np.array([float(ones)]), np.array([ones + zeros]))[0]

    assert 0 < p < 1
    if ones and zeros:
        np.testing.assert_allclose(p, ones / (ones + zeros))


def test_a_rate_of_nothing_is_a_half():
    """After a gap of 90 days there is no label to count."""
    assert smoothed_rate(0.0, 0) == 0.5

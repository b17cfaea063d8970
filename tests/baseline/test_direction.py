import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stages.baseline.direction import RATIO_UNIT, C, design, forecasts, logistic, share
from stages.baseline.sizing import sizing
from stages.common.bars import Floats

DAY = pd.Timedelta(days=1)


@pytest.fixture
def rows(candles, make_direction_labels, rows_of, params):
    """The rows of three thousand candles, with what sizing adds."""
    rows = rows_of(candles, make_direction_labels(candles))
    return rows.assign(**sizing(rows, params))


def test_every_baseline_has_a_column(rows, params):
    """Columns come in order, whichever time-out rule is naive, and are probabilities."""
    for timeout in ("sign", "zero"):
        columns = forecasts(rows, params, timeout, up_atr=1.5, down_atr=1.5)
        assert list(columns) == ["naive", "base_rate_90d"]
        for p in columns.values():
            assert ((p > 0) & (p < 1) | np.isnan(p)).all()


def test_naive_is_the_share_of_the_refit_window(rows, params):
    """The naive forecast is the mean of the last 400 labels that had ended by the refit."""
    p = forecasts(rows, params, "sign")["naive"]

    for t in np.flatnonzero(~np.isnan(p))[::37]:
        first = np.flatnonzero(~np.isnan(p))[0]
        refit = first + (t - first) // 50 * 50
        ended = rows["y"][rows["label_end"] <= rows["close_time"][refit]]
        np.testing.assert_allclose(p[t], ended.iloc[-400:].mean())


def test_90_day_base_rate_equals_the_written_share(make_candles, make_direction_labels, rows_of, params):
    """Row t has the mean of labels that ended in the 90 days up to its close, and of no other."""
    candles = make_candles(4000, missing=range(1500, 1600))
    rows = rows_of(candles, make_direction_labels(candles))

    columns = forecasts(rows, params, "sign")

    p = columns["base_rate_90d"]
    np.testing.assert_array_equal(np.isnan(p), np.isnan(columns["naive"]))
    for t in np.flatnonzero(~np.isnan(p))[::41]:
        age = rows["close_time"][t] - rows["label_end"]
        np.testing.assert_allclose(p[t], rows["y"][(age >= 0 * DAY) & (age < 90 * DAY)].mean())


def test_naive_foretells_touches_where_time_outs_are_zeros(rows, params):
    """If y is a question of volatility, the naive forecast answers it, and the base rate doesn't."""
    ratio = np.log(rows["sizing_atr"] / rows["atr"])
    rng = np.random.default_rng(1)
    odds = 8 * (ratio - ratio.mean()) + np.where(rows["hour_of_week"] % 24 < 12, 1.0, -1.0)
    touched = (rng.random(len(rows)) < 1 / (1 + np.exp(-odds))).astype(np.float64)

    p = forecasts(rows.assign(y=touched), params, "zero")["naive"]

    fitted = ~np.isnan(p)
    assert np.corrcoef(np.log(p / (1 - p))[fitted], odds[fitted])[0, 1] > 0.7


def test_touch_forecast_needs_a_sizing_forecast(rows, params):
    """Rows before sizing's first fit don't train, so the naive forecast starts as many rows later."""
    sized = rows["sizing_atr"].first_valid_index()
    changed = rows.assign(y=rows["y"].mask(rows.index < sized, 1.0))

    p, same = (forecasts(frame, params, "zero")["naive"] for frame in (rows, changed))

    first = np.flatnonzero(~np.isnan(p))[0]
    ended = [(rows["label_end"][sized:] <= rows["close_time"][t]).sum() for t in (first - 1, first)]
    assert ended[0] < params.min_bars <= ended[1]
    np.testing.assert_array_equal(p, same)


def test_touch_forecast_is_missing_where_sizing_is(rows, params):
    """A row without a sizing forecast gets no probability; those before its label ends don't notice."""
    t = len(rows) - 60
    gappy = rows.assign(sizing_atr=rows["sizing_atr"].mask(rows.index == t))

    whole, p = (forecasts(frame, params, "zero")["naive"] for frame in (rows, gappy))

    assert np.isnan(p[t])
    np.testing.assert_array_equal(p[:t], whole[:t])
    assert np.isfinite(p[t + 1 :]).all()


@pytest.mark.parametrize("timeout", ["sign", "zero"])
def test_only_ended_labels_enter_a_fit(rows, params, timeout):
    """Turning round every label that is still running at a refit leaves its block as it is."""
    p = forecasts(rows, params, timeout)["naive"]
    refit = np.flatnonzero(~np.isnan(p))[0] + 2 * 50
    running = rows["label_end"] > rows["close_time"][refit]
    last = rows["label_end"] == rows["close_time"][refit]

    def block(turned: pd.Series) -> Floats:
        changed = rows.assign(y=rows["y"].mask(turned, 1 - rows["y"]))
        return forecasts(changed, params, timeout)["naive"][refit : refit + 50]

    np.testing.assert_array_equal(block(running), p[refit : refit + 50])
    assert last.any()
    assert np.all(block(running | last & (rows["y"] == 1)) != p[refit : refit + 50])


def test_one_class_has_no_line_but_a_share():
    """Of a window without a single 1, the forecast is half a row's share, not nought."""
    x, hour = np.linspace(-1, 1, 300), np.arange(300) % 168

    p = logistic(x, hour, np.zeros(300), x[:5], hour[:5])

    np.testing.assert_array_equal(p, 0.5 / 300)


def test_logistic_equals_newton_s_iteration():
    """The fit is where the textbook's Newton steps end: intercept free, the rest penalised."""
    rng = np.random.default_rng(2)
    x, hour = rng.standard_normal(800) / 5, rng.integers(0, 168, 800)
    y = (rng.random(800) < 1 / (1 + np.exp(-(3 * x + (hour < 80) - 0.5)))).astype(np.float64)
    X = np.column_stack([np.ones(800), x / RATIO_UNIT, np.eye(168)[hour]])
    penalty = np.eye(170) / C
    penalty[0, 0] = 0
    beta = np.zeros(170)
    for _ in range(20):
        p = 1 / (1 + np.exp(-X @ beta))
        hessian = (X * (p * (1 - p))[:, None]).T @ X + penalty
        beta -= np.linalg.solve(hessian, X.T @ (p - y) + penalty @ beta)

    np.testing.assert_allclose(logistic(x, hour, y, x, hour), 1 / (1 + np.exp(-X @ beta)), atol=1e-4)


def test_design_has_a_ratio_and_168_dummies():
    """A row holds the ratio in tenths and a 1 for its hour."""
    dense = design(np.array([0.2, -0.1]), np.array([0, 167])).toarray()

    expected = np.zeros((2, 169))
    expected[0, [0, 1]] = 2.0, 1.0
    expected[1, [0, 168]] = -1.0, 1.0
    np.testing.assert_allclose(dense, expected)


@settings(deadline=None, max_examples=50)
@given(st.integers(0, 10_000), st.integers(0, 10_000))
def test_share_has_a_logit(ones, zeros):
    """A share is ones over rows where both are seen, and never 0 or 1."""
    p = share(np.array([float(ones)]), np.array([ones + zeros]))[0]

    assert 0 < p < 1
    if ones and zeros:
        np.testing.assert_allclose(p, ones / (ones + zeros))


def test_share_of_nothing_is_a_half():
    """After a gap of 90 days there is no label to count."""
    assert share(0.0, 0) == 0.5

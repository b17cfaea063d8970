import numpy as np
import pandas as pd
from hypothesis import given, settings
from hypothesis import strategies as st

from stages.baseline.params import BaselineParams
from stages.baseline.refit import log_forecasts, refits, scaled
from stages.baseline.regression import ols, ridge_by_hour
from stages.baseline.rows import RANGES
from stages.common.arrays import Floats


def hourly(n_rows: int) -> pd.Series:
    """Closing times of n rows without a gap."""
    return pd.Series(pd.date_range("2024-01-01", periods=n_rows, freq="h", tz="UTC", unit="ms"))


def written_refits(
    close_time: list[float], ended: list[float], may_train: list[bool], params: BaselineParams
) -> list[tuple[list[int], list[int]]]:
    """The rule as one would say it, row by row."""
    schedule = []
    next_refit = None
    for row, now in enumerate(close_time):
        past = [i for i in range(len(ended)) if may_train[i] and ended[i] <= now]
        if next_refit is None and len(past) >= params.min_bars:
            next_refit = row
        if row == next_refit:
            schedule.append(
                (past[-params.window_bars :], list(range(len(close_time)))[row:][: params.refit_bars])
            )
            next_refit += params.refit_bars
    return schedule


@settings(deadline=None, max_examples=15)
@given(
    st.integers(0, 10_000),
    st.integers(150, 420),
    st.integers(1, 60),
    st.integers(0, 80),
    st.integers(1, 40),
)
def test_refits_equal_the_written_rule(seed, n_rows, refit_bars, grow_bars, longest_label):
    """Every refit is where the rule puts it, on the rows that the rule gives it."""
    rng = np.random.default_rng(seed)
    close_time = hourly(n_rows + 30).drop(index=range(60, 90)).reset_index(drop=True)
    ended = close_time + pd.to_timedelta(rng.integers(1, longest_label + 1, n_rows), unit="h")
    may_train = rng.random(n_rows) < 0.9
    params = BaselineParams(
        refit_bars=refit_bars, min_bars=200, window_bars=200 + grow_bars, slow_refit_bars=1
    )

    actual = [
        (past.tolist(), list(range(n_rows))[ahead])
        for past, ahead in refits(close_time, ended, may_train, params)
    ]

    now, known = ((times - close_time[0]).dt.total_seconds().tolist() for times in (close_time, ended))
    assert actual == written_refits(now, known, may_train.tolist(), params)


def test_window_grows_then_slides(params):
    """Fits start on min_bars rows, gain refit_bars each time, and stop growing at window_bars."""
    close_time = hourly(700)
    ended = close_time + pd.Timedelta(hours=14)

    schedule = refits(close_time, ended, np.ones(700, dtype=np.bool_), params)

    assert [len(past) for past, _ in schedule[:6]] == [200, 250, 300, 350, 400, 400]
    assert schedule[0][1] == slice(213, 263)  # row 199 ends with row 213
    assert schedule[5][0][0] == 50


def test_no_refit_without_enough_rows(params):
    """A market shorter than the first fit is never forecast."""
    close_time = hourly(199)

    assert refits(close_time, close_time, np.ones(199, dtype=np.bool_), params) == []


def test_log_forecasts_equal_the_textbook_loop(candles, make_volatility_labels, rows_of, params):
    """Each block is exp of a least-squares line, times the mean of y/f over the rows it was fitted on."""
    rows = rows_of(candles[:1500], make_volatility_labels(candles[:1500]))
    X = np.column_stack([np.ones(len(rows)), rows[RANGES]])
    y, expected = rows["y"].to_numpy(), np.full(len(rows), np.nan)
    for t in range(943, len(rows)):  # 730 of warm-up, 213 as in the schedule above
        refit = 943 + (t - 943) // 50 * 50
        past = range(max(730, refit - 13 - 400), refit - 13)  # labels end 14 rows on, that one included
        beta = np.linalg.lstsq(X[past], np.log(y[past]))[0]
        expected[t] = np.exp(X[t] @ beta) * np.mean(y[past] / np.exp(X[past] @ beta))

    actual = log_forecasts(rows, params, ols, RANGES)

    np.testing.assert_allclose(actual, expected, rtol=1e-8)


def test_log_forecasts_aim_at_a_mean(params):
    """Where nothing foretells y, the forecast is the window's mean, not its median."""
    rng = np.random.default_rng(1)
    close_time = hourly(600)
    y = rng.lognormal(-5, 1, 600)
    rows = pd.DataFrame(dict.fromkeys(RANGES, np.full(600, -5.0)))
    rows = rows.assign(close_time=close_time, label_end=close_time, hour_of_week=0, y=y)

    forecast = log_forecasts(rows, params, ols, RANGES)

    np.testing.assert_allclose(forecast[250:300], np.mean(y[:250]), rtol=0.02)
    assert np.mean(y[:250]) > 1.4 * np.median(y[:250])


def test_rows_without_an_answer_keep_their_place(params):
    """Candles without a label train nothing, but refits come as often, and they are forecast as well."""
    close_time = hourly(700)
    unlabelled = (np.arange(700) >= 300) & (np.arange(700) < 420) | (np.arange(700) >= 686)
    ended = (close_time + pd.Timedelta(hours=14)).mask(unlabelled)

    schedule = refits(close_time, ended, ~unlabelled, params)

    assert [ahead.start for _, ahead in schedule] == list(range(213, 700, 50))
    assert schedule[2][0].tolist() == list(range(300))  # at row 313, with 287 to 299 ended since
    assert schedule[3][0].tolist() == schedule[4][0].tolist() == list(range(300))
    assert schedule[-1][0].tolist() == [*range(263 - 260, 300), *range(420, 650)][-400:]


def test_scaled_forecasts_have_the_window_s_ratio(candles, make_volatility_labels, rows_of, params):
    """A level comes out as it was but for a factor, the mean of y over it; its unit doesn't matter."""
    rows = rows_of(candles[:1300], make_volatility_labels(candles[:1300]))
    level = rows["atr"].to_numpy()

    forecast = scaled(rows, params, level)

    assert np.isnan(forecast[:943]).all()
    factor = np.mean(rows["y"][730:930] / level[730:930])
    np.testing.assert_allclose(forecast[943:993], factor * level[943:993])
    np.testing.assert_allclose(scaled(rows, params, 100 * level), forecast)


def test_scaling_hears_only_ended_labels(candles, make_volatility_labels, rows_of, params):
    """A label that is still running at a refit can say anything; the last one that ended is heard."""
    rows = rows_of(candles[:1100], make_volatility_labels(candles[:1100]))

    def block(changed_from: int) -> Floats:
        changed = rows.copy()
        changed.loc[changed_from:, "y"] *= 5
        return scaled(changed, params, rows["atr"].to_numpy())[993:1043]

    np.testing.assert_array_equal(block(993 - 13), block(len(rows)))
    assert np.all(block(993 - 14) != block(len(rows)))


def test_only_ended_labels_enter_a_fit(candles, make_volatility_labels, rows_of, params):
    """A label that is still running at a refit can say anything; the last one that ended is heard."""
    rows = rows_of(candles[:1100], make_volatility_labels(candles[:1100]))
    refit = 993
    assert rows["label_end"][refit - 14] == rows["close_time"][refit]

    def block(changed_from: int) -> Floats:
        changed = rows.copy()
        changed.loc[changed_from:, "y"] *= 5
        return log_forecasts(changed, params, ridge_by_hour, RANGES)[refit : refit + 50]

    np.testing.assert_array_equal(block(refit - 13), block(len(rows)))
    assert np.all(block(refit - 14) != block(len(rows)))


def test_rows_without_regressors_have_no_forecast(candles, make_volatility_labels, rows_of, params):
    """A row that lacks a regressor gets NaN and trains nothing, whatever its y."""
    rows = rows_of(candles[:1300], make_volatility_labels(candles[:1300]))
    rows.loc[[830, 1030], "log_range_720"] = np.nan
    changed = rows.assign(y=rows["y"].mask(rows.index == 830, 1e6))

    forecast = log_forecasts(rows, params, ridge_by_hour, RANGES)

    assert np.isnan(forecast[1030])
    assert np.isfinite(np.delete(forecast, 1030)[944:]).all()
    np.testing.assert_array_equal(forecast, log_forecasts(changed, params, ridge_by_hour, RANGES))


def test_a_row_s_forecast_does_not_depend_on_how_many_follow(
    candles, make_volatility_labels, rows_of, params
):
    """The last block may hold one row or fifty: the same row gets the same bits."""
    rows = rows_of(candles[:1300], make_volatility_labels(candles[:1300]))

    for fit in (ols, ridge_by_hour):
        whole = log_forecasts(rows, params, fit, RANGES)
        for n_rows in (944, 994, 995, 1000, 1043, 1094, 1144):
            np.testing.assert_array_equal(log_forecasts(rows[:n_rows], params, fit, RANGES), whole[:n_rows])

"""Classical answers to "how much?": forecasts of ATR over close, or of mean true range over close."""

import warnings
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from arch import arch_model
from scipy.signal import lfilter
from threadpoolctl import threadpool_limits

from stages.baseline.boosting import boosted_ratio, tree_columns
from stages.baseline.params import BaselineParams
from stages.baseline.question import Question
from stages.baseline.refit import Forecaster, log_forecasts, refits, scaled
from stages.baseline.regression import decayed_ridge, ols, ridge_by_hour
from stages.baseline.rows import FLOOR, KEPT, RANGES, RETURNS, SPANS, usable
from stages.common.arrays import Floats, Ints
from stages.common.distance import AVERAGES

FREED = [f"freed_{span}" for span in SPANS] + ["freed_atr"]
DISTANCES = [f"distance_{n}" for n in AVERAGES]
UP_TO_A_DAY = RETURNS[:3]  # of hourly bars
DECAY = 0.94  # of squared returns a bar: RiskMetrics' figure for days

PERCENT = 100.0  # GARCH's returns: the optimiser wants returns of about one
DECIMALS = 8  # of these: the optimiser makes 1e-4 of a parameter of a last bit, so there must be none
PERSISTENCE = 0.999  # alpha + beta at most: BTC/USDT often asks for 1, and has no long-run variance then
ALPHA, BETA, DEGREES = 0.05, 0.93, 5.0  # where the very first fit fails


def benchmark(rows: pd.DataFrame, params: BaselineParams) -> Floats:
    """A line in logs: ln f = a + b ln(ATR(t) / close).

    Nests the last value (a = 0, b = 1) and the mean (b = 0), so that nothing has to be chosen.
    """
    return log_forecasts(rows, params, ols, ["log_atr"])


def last_value(rows: pd.DataFrame, _params: BaselineParams) -> Floats:
    """ATR(t) / close as it is."""
    return np.maximum(rows["atr"].to_numpy(), FLOOR)  # a forecast of zero has no log


def mean_reversion(rows: pd.DataFrame, params: BaselineParams) -> Floats:
    """ATR(t+h), if bars from t+1 on have the window's mean true range m: a^h ATR(t) + (1 - a^h) m.

    Both over close; a is KEPT.
    """
    return revert(rows, params, KEPT ** rows["horizon_bars"].to_numpy())


def mean_reversion_ahead(rows: pd.DataFrame, params: BaselineParams) -> Floats:
    """The mean of what `mean_reversion` expects of ATR(t+1) ... ATR(t+h), for target true_range."""
    horizon_bars = rows["horizon_bars"].to_numpy()
    kept = KEPT * (1 - KEPT**horizon_bars) / (horizon_bars * (1 - KEPT))
    return revert(rows, params, kept)


def revert(rows: pd.DataFrame, params: BaselineParams, kept: Floats) -> Floats:
    """The share `kept` of ATR(t), the rest of the window's mean true range, both over close."""
    true_range, level = np.exp(rows["log_range_1"].to_numpy()), last_value(rows, params)
    forecast = np.full(len(rows), np.nan)
    for past, ahead in refits(rows["close_time"], rows["label_end"], usable(rows, "y"), params):
        forecast[ahead] = kept[ahead] * level[ahead] + (1 - kept[ahead]) * np.mean(true_range[past])
    return forecast


def ewma(rows: pd.DataFrame, params: BaselineParams) -> Floats:
    """Root of the mean squared return, weights falling by DECAY a bar, times the window's mean of y/f.

    Source: J.P. Morgan and Reuters (1996), RiskMetrics technical document, section 5.2.
    """
    squares = rows["log_return"].pow(2).groupby(rows["stretch"])
    variance = squares.transform(lambda square: square.ewm(alpha=1 - DECAY).mean())
    return scaled(rows, params, np.sqrt(variance.to_numpy()))


def har(rows: pd.DataFrame, params: BaselineParams) -> Floats:
    """Log-HAR on true range over an hour, four, ATR(14), a day, a week and a month of hourly bars."""
    return log_forecasts(rows, params, ols, RANGES)


def har_hour_of_week(rows: pd.DataFrame, params: BaselineParams) -> Floats:
    """Log-HAR with an effect for each hour of the week: the one to beat."""
    return log_forecasts(rows, params, ridge_by_hour, RANGES)


def har_x(rows: pd.DataFrame, params: BaselineParams, ahead: str) -> Floats:
    """Log-HAR-X on ranges freed of what clock and calendar do to them; later rows weigh more.

    The x are what clock and calendar will do in the bars `ahead`, today's ATR as it is, and how far the
    close is from its averages, whichever way.
    """
    return log_forecasts(rows, params, decayed_ridge, [*FREED, ahead, "log_atr", *DISTANCES])


class Garch(NamedTuple):
    """variance(t+1) = omega + alpha r(t)² + beta variance(t), errors of Student's t with `degrees`."""

    omega: float
    alpha: float
    beta: float
    degrees: float


def garch(rows: pd.DataFrame, params: BaselineParams) -> Floats:
    """Root of the mean variance that GARCH expects of bars t+1 ... t+h, times the window's mean of y/f.

    Refit every `slow_refit_bars` on the returns since the window's first row, from the last parameters;
    in between, the variance is filtered with them. Shape (n_rows,); NaN before the first fit. Source:
    Bollerslev (1987), Review of Economics and Statistics 69(3), 542-547.
    """
    percent_return = np.round(PERCENT * rows["log_return"].to_numpy(), DECIMALS)
    y = rows["y"].to_numpy()
    forecast, model = np.full(len(rows), np.nan), None
    for past, ahead in refits(rows["close_time"], rows["label_end"], usable(rows, "y"), params.slow()):
        first, now = past[0], ahead.start
        model = fit_garch(percent_return[first : now + 1], model)
        backcast = np.mean(percent_return[first : now + 1] ** 2)
        variance = next_variance(model, percent_return[first : ahead.stop], backcast)
        spread = mean_spread(model, variance, rows["horizon_bars"].iloc[0]) / PERCENT
        forecast[ahead] = np.mean(y[past] / spread[past - first]) * spread[now - first :]
    return forecast


def fit_garch(percent_return: Floats, last: Garch | None) -> Garch:
    """Parameters of greatest likelihood, searched from the last ones; alpha + beta at most PERSISTENCE.

    Where the search fails, the last parameters again; where there are none, ALPHA and BETA with the
    omega at which the long-run variance is that of the returns. It never warns. On one thread: two add up
    the likelihood in another order, which moves the parameters by more than their last bits.
    """
    fallback = last or Garch((1 - ALPHA - BETA) * np.mean(percent_return**2), ALPHA, BETA, DEGREES)
    start = None if last is None else np.array(last)
    with warnings.catch_warnings(), np.errstate(all="ignore"), threadpool_limits(limits=1):
        warnings.simplefilter("ignore")
        try:
            model = arch_model(percent_return, mean="Zero", dist="t", rescale=False)
            result = model.fit(disp="off", show_warning=False, starting_values=start)
        except (ValueError, ArithmeticError, np.linalg.LinAlgError):
            return fallback
    found = Garch(*(float(value) for value in result.params))
    if result.convergence_flag != 0 or not np.isfinite(found).all():
        return fallback
    shrink = min(1.0, PERSISTENCE / max(found.alpha + found.beta, PERSISTENCE))
    return found._replace(alpha=shrink * found.alpha, beta=shrink * found.beta)


def next_variance(model: Garch, percent_return: Floats, backcast: float) -> Floats:
    """Variance of bar t+1, from returns up to t; `backcast` is that of the first bar; shape (n_bars,)."""
    shocks = model.omega + model.alpha * percent_return**2
    return lfilter([1.0], [1.0, -model.beta], shocks, zi=[model.beta * backcast])[0]


def mean_spread(model: Garch, variance: Floats, horizon_bars: int) -> Floats:
    """Root of the mean of E[variance] of bars t+1 ... t+h, `variance` being that of t+1; floored.

    E[variance(t+k)] = V + (alpha + beta)^(k-1) (variance(t+1) - V), with V = omega / (1 - alpha - beta).
    """
    persistence = model.alpha + model.beta
    long_run = model.omega / (1 - persistence)
    memory = (1 - persistence**horizon_bars) / (horizon_bars * (1 - persistence))
    return np.maximum(np.sqrt(long_run + memory * (variance - long_run)), PERCENT * FLOOR)


def boosting(rows: pd.DataFrame, params: BaselineParams) -> Floats:
    """Log-HAR with hours of the week, times what gradient boosting makes of y over it.

    Trees alone lose to the line that they start from: they are slow to find a slope, and 168 hours.
    """
    X = tree_columns(rows, UP_TO_A_DAY)

    def over(ratio: Floats, past: Ints, ahead: slice) -> Floats:
        return boosted_ratio(X[past], ratio, X[ahead])

    return log_forecasts(rows, params.slow(), ridge_by_hour, RANGES, over=over)


BASELINES: dict[str, Forecaster] = {
    "benchmark": benchmark,
    "last_value": last_value,
    "mean_reversion": mean_reversion,
    "ewma": ewma,
    "har": har,
    "har_hour_of_week": har_hour_of_week,
    "har_x": partial(har_x, ahead="ahead_atr"),
    "garch": garch,
    "boosting": boosting,
}
# What depends on `label.volatility.target`.
OF_MEAN: dict[str, Forecaster] = {
    "mean_reversion": mean_reversion_ahead,
    "har_x": partial(har_x, ahead="ahead_mean"),
}


def baselines(target: str, **_settings: Any) -> dict[str, Forecaster]:
    """Each column's forecaster, for ATR(t+h) or else the mean true range of bars t+1 ... t+h."""
    return BASELINES | (OF_MEAN if target == "true_range" else {})


QUESTION = Question(baselines=baselines)

"""What forecasts on a control's market: the pipeline's network, and those who know the truth.

Each model takes a study and gives predictions as train does, of val and test rows: symbol, close_time,
fold, role, raw_score, score.
"""

from collections.abc import Callable

import numpy as np
import pandas as pd
from scipy.linalg import solve_discrete_are
from scipy.sparse import csr_array

from stages.baseline.chance import by_volatility, logistic_line, probabilities
from stages.baseline.refit import log_forecasts
from stages.baseline.regression import ols, ridge_by_hour
from stages.baseline.rows import HOURS, KEPT, RANGES
from stages.common.arrays import Floats
from stages.common.task import TASKS
from stages.fetch.simulated.candles import MEMORIES, planted_signal, week_profile
from stages.train.stage import train
from tools.controls.market import SYMBOL, Study

Model = Callable[[Study], pd.DataFrame]

PROFILE = week_profile().reshape(HOURS, -1).mean(axis=1)  # log variance, by hour of the week
NOISE = 0.09  # variance of a bar's ln true range, its variance given: as measured without any memory
PREDICTIONS = ["symbol", "close_time", "fold", "role", "raw_score", "score"]


def network(study: Study) -> pd.DataFrame:
    """The pipeline's network, a fit a fold and seed."""
    found = train(study.features, study.labels, study.folds, study.baselines, study.params)
    return found.predictions[found.predictions["role"] != "train"]


def volatility_alone(study: Study) -> pd.DataFrame:
    """Direction by who knows only how much: ln(sizing_atr / ATR) and the hour of the week."""
    return as_predictions(study, by_volatility(study.rows, study.params.baseline))


def har_hour_of_week(study: Study) -> pd.DataFrame:
    """Volatility by the best of the quick classics."""
    params = study.params.baseline
    return as_predictions(study, log_forecasts(study.rows, params, ridge_by_hour, RANGES))


def direction_oracle(study: Study) -> pd.DataFrame:
    """Direction by who knows the planted signal: logistic regression on it alone, refit as baselines."""
    signal = planted_signal(study.candles, study.truth.drift_signal)
    params = study.params.baseline
    return as_predictions(study, probabilities(study.rows, signal[:, None], unpenalised_line, params))


def unpenalised_line(past_X: Floats, past_y: Floats, X: Floats) -> Floats:
    """P(y = 1) by logistic regression on the columns of X, in effect without a penalty."""
    return logistic_line(csr_array(past_X), past_y, csr_array(X), inverse_penalty=1e6)


def volatility_oracle(study: Study) -> pd.DataFrame:
    """Volatility by who knows how the market was made, but sees no more than its candles.

    A line in logs on ATR, on the market's own components as a Kalman filter finds them in the candles, and
    on what the week's profile has ahead.
    """
    filtered = filtered_components(study.rows, study.truth.volatility_memory)
    rows = study.rows.assign(**filtered, ahead=profile_ahead(study.rows))
    columns = ["log_atr", *filtered, "ahead"]
    return as_predictions(study, log_forecasts(rows, study.params.baseline, ols, columns))


def filtered_components(rows: pd.DataFrame, memory: float) -> dict[str, Floats]:
    """Expected value of each component of the log variance, given the true ranges up to t.

    A bar's ln(true range / close) is half its log variance and noise: the week's profile and an AR(1) of
    known memory and variance a component (simulated.MEMORIES), times `memory`. Source: Kalman (1960),
    Journal of Basic Engineering 82(1), with the gain to which it settles.
    """
    decays = np.exp(-1 / np.array(list(MEMORIES)))
    variances = (memory / 2) ** 2 * np.array(list(MEMORIES.values()))
    seen = (rows["log_range_1"] - memory / 2 * profile(rows)).fillna(0.0).to_numpy()
    gain = settled_gain(decays, variances)
    state, states = np.zeros(len(decays)), []
    for value in seen - seen.mean():
        state = decays * state
        state = state + gain * (value - state.sum())
        states.append(state)
    return {f"{hours}_hours": column for hours, column in zip(MEMORIES, np.transpose(states), strict=True)}


def settled_gain(decays: Floats, variances: Floats) -> Floats:
    """Kalman gain, shape (n_components,), of their sum seen through NOISE."""
    shocks = np.diag(variances * (1 - decays**2))
    seen = np.ones((len(decays), 1))
    before = solve_discrete_are(np.diag(decays), seen, shocks, np.array([[NOISE]]))
    return (before @ seen).ravel() / (before.sum() + NOISE)


def profile(rows: pd.DataFrame) -> Floats:
    """Log variance that the week's profile gives the bar that closes at each row; shape (n_rows,)."""
    return PROFILE[rows["hour_of_week"].to_numpy() - 1]  # the bar began an hour before


def profile_ahead(rows: pd.DataFrame) -> Floats:
    """Mean of the profile over the bars t+1 ... t+h, as much of each as ATR(t+h) keeps; shape (n_rows,)."""
    bars = np.arange(1, rows["horizon_bars"].iloc[0] + 1)
    ahead = (rows["hour_of_week"].to_numpy()[:, None] - 1 + bars) % HOURS
    return np.average(PROFILE[ahead], axis=1, weights=KEPT ** (bars[-1] - bars))


def as_predictions(study: Study, forecast: Floats) -> pd.DataFrame:
    """A forecast a candle, as predictions of each fold's val and test rows that have a label."""
    rows = study.rows.assign(symbol=SYMBOL, score=TASKS[study.params.task].link(forecast))
    rows = rows[rows["label_end"].notna() & np.isfinite(rows["score"])]
    spans = study.folds[study.folds["role"] != "train"]
    parts = [
        rows[rows["close_time"].between(first, last)].assign(fold=fold, role=role)
        for fold, role, first, last in spans.itertuples(index=False)
    ]
    table = pd.concat(parts, ignore_index=True)
    return table.assign(raw_score=table["score"])[PREDICTIONS]


MODELS: dict[tuple[str, str], Model] = {
    **{(task, "network"): network for task in TASKS},
    ("direction", "oracle"): direction_oracle,
    ("volatility", "oracle"): volatility_oracle,
    ("direction", "volatility alone"): volatility_alone,
    ("volatility", "har_hour_of_week"): har_hour_of_week,
}

"""What all questions of "how much?" share: y above 0, its score a logarithm."""

from functools import partial

import numpy as np
import pandas as pd

from stages.common.arrays import Bools, Floats
from stages.evaluate.figures import SHARE, Figure
from stages.evaluate.question import Question
from stages.evaluate.shared import correlation

# How far a miss moves the intervals. Gibbs and Candes' .005 is too slow for labels of a day: volatility of
# BTC/USDT 2022-2025 has 83 % of its worst 30 days covered by it, and 85 % by this, in intervals 6 % wider.
GAMMA = 0.01
MIN_VARIANCE = 1e-4  # of ln y: no amount is foretold to 1 %, and val rows may agree by chance

FIGURES = {  # of `errors`
    "mae": Figure("mean absolute error", "basis points of price", "lower"),
    "rmse": Figure("root mean square error", "basis points of price", "lower"),
    "log_mse": Figure("mean square error of logs", "squared logs", "lower"),
    "r2": Figure("R²", "up to 1", "higher"),
    "mz_r2": Figure("R² of Mincer and Zarnowitz", SHARE, "higher"),
}


def event(rows: pd.DataFrame) -> Bools:
    """Whether more came than the benchmark said; shape (n_rows,)."""
    return surprise(rows) > 0


def surprise(rows: pd.DataFrame) -> Floats:
    """What came less the benchmark, in logs; shape (n_rows,)."""
    return (np.log(rows["y"]) - rows["benchmark"]).to_numpy(np.float64)


def side(rows: pd.DataFrame) -> Floats:
    """Always long: how much doesn't say which way; shape (n_rows,)."""
    return np.ones(len(rows))


def calls(rows: pd.DataFrame) -> pd.DataFrame:
    """Columns `actual` and `predicted`: the fifth, "1" (calm) to "5", of its symbol that each is in."""
    symbol = rows["symbol"]
    return pd.DataFrame({"actual": fifths(rows["y"], symbol), "predicted": fifths(rows["score"], symbol)})


def fifths(values: pd.Series, symbol: pd.Series) -> pd.Series:
    """Fifth of its symbol's rows that each value is in, "1" to "5"; ties share one."""
    share_below = (values.groupby(symbol).rank() - 0.5) / values.groupby(symbol).transform("size")
    return (share_below * 5 + 1).astype(int).astype(str)


def log_density(rows: pd.DataFrame, score: Floats) -> Floats:
    """Log density of y, in nats, where ln y ~ N(score + m, v); shape (n_rows,).

    m and v are the mean and the variance of ln y - score on the val rows of the row's fold and symbol,
    or of its fold if the symbol has none there, so that only the shape of the scores counts, not their
    level. v is at least 1e-4.
    """
    log_y = np.log(rows["y"])
    error = log_y - score
    val = error.where(rows["role"] == "val")
    fits = [val.groupby([rows[key] for key in keys]) for keys in (["fold", "symbol"], ["fold"])]
    m, m_of_fold = (fit.transform("mean") for fit in fits)
    v, v_of_fold = (fit.transform("var", ddof=0) for fit in fits)
    error, v = error - m.fillna(m_of_fold), v.fillna(v_of_fold).clip(lower=MIN_VARIANCE)
    return (-log_y - np.log(2 * np.pi * v) / 2 - error**2 / (2 * v)).to_numpy(np.float64)


def nonconformity(rows: pd.DataFrame) -> Floats:
    """What came less the forecast, in logs, with its sign; shape (n_rows,)."""
    return (np.log(rows["y"]) - rows["score"]).to_numpy(np.float64)


def bounds(ranked: list[float], misses: float) -> tuple[float, float]:
    """Lowest and highest nonconformity in an interval that a share `misses` may miss, half on each side.

    Of n in rising order those at ranks floor((n + 1) misses / 2) and, counted from the top, the same.
    Where that is rank 0, as it is where `misses` is 0 or less, the interval should be infinite; to have
    a width it ends at the least and the greatest seen, and where none was seen it is the forecast
    alone. Where `misses` is 1 or more it is empty.
    """
    if misses >= 1:
        return np.inf, -np.inf
    if not ranked:
        return 0.0, 0.0
    rank = max(1, int((len(ranked) + 1) * misses / 2))
    return ranked[rank - 1], ranked[-rank]


def width(_rows: pd.DataFrame, lo: Floats, hi: Floats) -> Floats:
    """Length of each row's interval in logs, 0 where it is empty; shape (n_rows,)."""
    return np.maximum(hi - lo, 0.0)


def outcomes(forecast: Floats, lo: Floats, hi: Floats) -> tuple[Floats, Floats]:
    """Ends of the interval around a forecast, in its own unit; NaN where it is empty."""
    empty = lo > hi
    return np.where(empty, np.nan, forecast * np.exp(lo)), np.where(empty, np.nan, forecast * np.exp(hi))


def errors(test: pd.DataFrame) -> dict[str, float]:
    """The classic figures of a regression, pooled over folds and symbols; 0 where one isn't defined.

    Of amounts that are shares of price: `mae` and `rmse` in basis points of it, `log_mse` in squared logs.
    `mz_r2`: Mincer and Zarnowitz (1969), of the regression of y on the forecast, so blind to its scale and
    level.
    """
    y, forecast = (test[name].to_numpy(np.float64) for name in ("y", "forecast"))
    error = forecast - y
    return {
        "mae": float(1e4 * np.mean(np.abs(error))),
        "rmse": float(1e4 * np.sqrt(np.mean(error**2))),
        "log_mse": float(np.mean((test["score"] - np.log(y)) ** 2)),
        "r2": float(1 - np.mean(error**2) / y.var()) if y.var() > 0 else 0.0,
        "mz_r2": correlation(y, forecast) ** 2,
    }


# A question of an amount; each one says for itself what isn't the same for all of them.
question = partial(
    Question,
    event=event,
    surprise=surprise,
    calls=calls,
    side=side,
    log_density=log_density,
    nonconformity=nonconformity,
    bounds=bounds,
    width=width,
    gamma=GAMMA,
    outcomes=outcomes,
    tails=False,
)

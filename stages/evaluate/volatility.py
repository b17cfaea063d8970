"""Volatility: how a forecast of "how much does a bar move?" is judged."""

import numpy as np
import pandas as pd

from stages.common.bars import Floats
from stages.evaluate import amount
from stages.evaluate.question import Question, Words

# How far a miss moves the intervals. Gibbs and Candes' .005 is too slow for labels of a day: on BTC/USDT
# 2022-2025 it covers 83 % of the worst 30 days, where this covers 85 %, by intervals 6 % wider.
GAMMA = 0.01
PERCENT = 100.0


def side(rows: pd.DataFrame) -> Floats:
    """Always long: how much a bar moves doesn't say where to; shape (n_rows,)."""
    return np.ones(len(rows))


def spread(rows: pd.DataFrame, _horizon_bars: int) -> Floats:
    """Spread of a bar's return: the forecast is of ATR or true range, over close; shape (n_rows,)."""
    return (rows["forecast"] * rows["return_per_atr"]).to_numpy(np.float64)


def block(test: pd.DataFrame, bars_a_year: float) -> dict[str, float]:
    """The classic figures of a regression, pooled over folds and symbols; 0 where one isn't defined.

    `mae` and `rmse` in basis points of price, `log_mse` in squared logs. `mz_r2`: Mincer and Zarnowitz
    (1969), of the regression of y on the forecast, so blind to its scale and level.
    """
    y, forecast = (test[name].to_numpy(np.float64) for name in ("y", "forecast"))
    error = forecast - y
    spread_a_bar = forecast * test["return_per_atr"].to_numpy(np.float64)
    return {
        "mae": float(1e4 * np.mean(np.abs(error))),
        "rmse": float(1e4 * np.sqrt(np.mean(error**2))),
        "log_mse": float(np.mean((test["score"] - np.log(y)) ** 2)),
        "r2": float(1 - np.mean(error**2) / y.var()) if y.var() > 0 else 0.0,
        "mz_r2": amount.squared_correlation(y, forecast),
        "annualised_vol_pct": float(100 * spread_a_bar.mean() * np.sqrt(bars_a_year)),
    }


QUESTION = Question(
    event=amount.event,
    surprise=amount.surprise,
    calls=amount.calls,
    side=side,
    spread=spread,
    log_density=amount.log_density,
    nonconformity=amount.nonconformity,
    bounds=amount.bounds,
    width=amount.width,
    gamma=GAMMA,
    block=block,
    scale=PERCENT,
    words=Words(
        unit="range of a bar, % of price",
        outcome="range of a bar, % of price",
        delta="ln forecast, less the naive forecast's",
        surprise="ln outcome, less the naive forecast's",
        calls="Calm (1) to wild (5) fifths, in % of the test rows",
    ),
)

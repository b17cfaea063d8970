"""Volatility: what counts as an event, a call and a good forecast of "how much?"."""

import numpy as np
import pandas as pd

from stages.common.bars import Bools, Floats

SCALE = 100.0  # of a forecast, for reading: percent of price
WORDS = {
    "unit": "range of a bar, % of price",
    "outcome": "range of a bar, % of price",
    "delta": "ln forecast, less the naive forecast's",
    "target": "ln outcome, less the naive forecast's",
    "calls": "Calm (1) to wild (5) fifths, in % of the test rows",
}


def event(rows: pd.DataFrame) -> Bools:
    """Whether more came than the naive forecast said; shape (n_rows,)."""
    return target(rows) > 0


def target(rows: pd.DataFrame) -> Floats:
    """What came less the naive forecast, in logs; shape (n_rows,)."""
    return (rows["outcome"] - rows["naive"]).to_numpy(np.float64)


def calls(rows: pd.DataFrame) -> pd.DataFrame:
    """Columns `actual` and `predicted`: the fifth, "1" (calm) to "5", of its symbol that each is in."""
    symbol = rows["symbol"]
    return pd.DataFrame({"actual": fifths(rows["y"], symbol), "predicted": fifths(rows["score"], symbol)})


def fifths(values: pd.Series, symbol: pd.Series) -> pd.Series:
    """Fifth of its symbol's rows that each value is in, "1" to "5"; ties share one."""
    share_below = (values.groupby(symbol).rank() - 0.5) / values.groupby(symbol).transform("size")
    return (share_below * 5 + 1).astype(int).astype(str)


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
        "mz_r2": squared_correlation(y, forecast),
        "annualised_vol_pct": float(100 * spread_a_bar.mean() * np.sqrt(bars_a_year)),
    }


def squared_correlation(a: Floats, b: Floats) -> float:
    """R squared of a straight line between the two; 0 where either is constant."""
    if np.ptp(a) == 0 or np.ptp(b) == 0:
        return 0.0
    return float(np.corrcoef(a, b)[0, 1] ** 2)

"""Volatility: how a forecast of "how much does a bar move?" is judged."""

import numpy as np
import pandas as pd

from stages.common.arrays import Floats
from stages.evaluate import amount
from stages.evaluate.figures import Figure
from stages.evaluate.question import Words

PERCENT = 100.0


def spread(rows: pd.DataFrame, _horizon_bars: int) -> Floats:
    """Spread of a bar's return: the forecast is of ATR or true range, over close; shape (n_rows,)."""
    return (rows["forecast"] * rows["return_per_atr"]).to_numpy(np.float64)


def block(test: pd.DataFrame, bars_a_year: float) -> dict[str, float]:
    """The classic figures of a regression, and the mean forecast as a spread of a year's returns."""
    annualised = float(100 * spread(test, 1).mean() * np.sqrt(bars_a_year))
    return amount.errors(test) | {"annualised_vol_pct": annualised}


QUESTION = amount.question(
    spread=spread,
    block=block,
    figures=amount.FIGURES
    | {"annualised_vol_pct": Figure("mean forecast, as volatility of a year", "% a year", "neither")},
    scale=PERCENT,
    tails=True,
    words=Words(
        unit="range of a bar, % of price",
        outcome="range of a bar, % of price",
        delta="ln forecast, less the benchmark's",
        surprise="ln outcome, less the benchmark's",
        calls="Fifths, calm (1) to wild (5), in % of rows",
    ),
)

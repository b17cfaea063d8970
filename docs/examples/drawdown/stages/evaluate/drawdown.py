"""Drawdown: how a forecast of "how far down?" is judged."""

import numpy as np
import pandas as pd

from stages.common.arrays import Floats
from stages.evaluate import amount
from stages.evaluate.figures import Figure
from stages.evaluate.question import Words

PERCENT = 100.0


def spread(rows: pd.DataFrame, horizon_bars: int) -> Floats:
    """Spread of a bar's return: that of the random walk whose deepest fall is what is forecast.

    Of a walk of h normal steps of spread s it is s (1/√1 + ... + 1/√h) / √(2π) in the mean, which nears
    s √(2h/π) as h grows. Shape (n_rows,). Source: Spitzer (1956), Transactions of the AMS 82(2), 323-339.
    """
    steps = np.arange(1, horizon_bars + 1)
    return rows["forecast"].to_numpy(np.float64) / np.sum(1 / np.sqrt(2 * np.pi * steps))


def block(test: pd.DataFrame, _bars_a_year: float) -> dict[str, float]:
    """The classic figures of a regression, and the share of rows that fell deeper than was forecast."""
    deeper = (test["y"] > test["forecast"]).mean()
    return amount.errors(test) | {"deeper_pct": float(100 * deeper)}


QUESTION = amount.question(
    spread=spread,
    block=block,
    figures=amount.FIGURES
    | {"deeper_pct": Figure("share of rows that fell deeper than was forecast", "%", "neither")},
    scale=PERCENT,
    words=Words(
        unit="deepest fall, % of price",
        outcome="deepest fall, % of price",
        delta="ln forecast, less the benchmark's",
        surprise="ln outcome, less the benchmark's",
        calls="Shallow (1) to deep (5) fifths, in % of the test rows",
    ),
)

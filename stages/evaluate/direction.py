"""Direction: how a forecast of "which way?" is judged."""

from functools import partial

import numpy as np
import pandas as pd

from stages.common.arrays import Floats
from stages.evaluate import chance
from stages.evaluate.question import Words


def surprise(rows: pd.DataFrame) -> Floats:
    """Return at the label's end, in ATR: no way is expected of it beforehand; shape (n_rows,)."""
    return rows["return_to_end"].to_numpy(np.float64)


def side(rows: pd.DataFrame) -> Floats:
    """Long where p is above the benchmark's, short where it is below; shape (n_rows,)."""
    return np.sign(rows["delta"].to_numpy(np.float64))


QUESTION = chance.question(
    surprise=surprise,
    calls=partial(chance.calls, no="down", yes="up"),
    side=side,
    words=Words(
        unit="probability of up",
        outcome="share that went up",
        delta="log-odds of up, less the benchmark's",
        surprise="return at the label's end, in ATR",
        calls="Calls, in % of the test rows",
    ),
)

"""How much a forecast knows, in the one unit that all tasks share: milli-nats a forecast."""

from collections.abc import Callable

import numpy as np
import pandas as pd

from stages.common.arrays import Floats
from stages.evaluate.losses import of_best


def gains(
    rows: pd.DataFrame,
    best: dict[str, str],
    log_density: Callable[[pd.DataFrame, Floats], Floats],
) -> dict[str, float]:
    """What the network knows beyond the benchmark and beyond the best baseline; higher is better.

    1000 times the test rows' mean of the log density of y under the network less that under the other.
    `rows` as `rows.join` gives them, val and test at least; `best` names each fold's baseline;
    `log_density(rows, score)` is the task's, in nats. Exactly 0 where the two agree on every val and
    test row. Source: the logarithmic score, Good (1952), JRSS B 14(1), 107-114.
    """
    test = (rows["role"] == "test").to_numpy()
    own, known = (rows[name].to_numpy(np.float64) for name in ("score", "benchmark"))
    scores = (own, known, of_best(rows["fold"], rows, best))
    network, benchmark, other = (log_density(rows, score)[test] for score in scores)
    return {
        "info_gain_mnats": float(1000 * np.mean(network - benchmark)),
        "edge_gain_mnats": float(1000 * np.mean(network - other)),
    }

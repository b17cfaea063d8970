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
    own, other = rows["score"].to_numpy(np.float64), of_best(rows["fold"], rows, best)
    over_best = log_density(rows, own)[test] - log_density(rows, other)[test]
    return {
        "info_gain_mnats": float(1000 * np.mean(information(rows, log_density)[test])),
        "edge_gain_mnats": float(1000 * np.mean(over_best)),
    }


def information(rows: pd.DataFrame, log_density: Callable[[pd.DataFrame, Floats], Floats]) -> Floats:
    """Log density of y under the network less that under the benchmark, in nats; shape (n_rows,)."""
    network, benchmark = (
        log_density(rows, rows[name].to_numpy(np.float64)) for name in ("score", "benchmark")
    )
    return network - benchmark

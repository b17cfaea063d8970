import numpy as np
import pandas as pd
import pytest

from stages.evaluate import amount, drawdown


@pytest.mark.parametrize("horizon", [4, 14, 100])
def test_spread_is_that_of_a_random_walk_that_falls_as_deep(horizon):
    """From the mean deepest fall of many walks, its steps' spread comes back."""
    steps = 0.01 * np.random.default_rng(1).standard_normal((40_000, horizon))
    falls = np.maximum(-np.cumsum(steps, axis=1).min(axis=1), 0)
    rows = pd.DataFrame({"forecast": [falls.mean()]})

    assert drawdown.spread(rows, horizon)[0] == pytest.approx(0.01, rel=0.02)


def test_spread_nears_that_of_a_path_without_steps():
    """The longer the walk, the nearer its deepest fall comes to sqrt(2 h / pi) spreads."""
    rows = pd.DataFrame({"forecast": [np.sqrt(2 * 1e6 / np.pi)]})

    assert drawdown.spread(rows, 1_000_000)[0] == pytest.approx(1, rel=1e-3)


def test_block_has_the_errors_of_every_amount_and_one_of_its_own():
    """Two of four fell deeper than was forecast."""
    score = np.log([0.01, 0.01, 0.02, 0.02])
    rows = pd.DataFrame({"y": [0.02, 0.01, 0.01, 0.03], "score": score, "forecast": np.exp(score)})

    assert drawdown.block(rows, 8760) == amount.errors(rows) | {"deeper_pct": 50.0}

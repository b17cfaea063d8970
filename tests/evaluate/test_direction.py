import numpy as np
import pandas as pd

from stages.evaluate.direction import QUESTION


def test_up_is_called_long_down_short_and_a_tie_neither():
    """Calls are in words, the side follows them, and the surprise is the return."""
    delta = np.array([0.1, -0.1, 0.0])
    rows = pd.DataFrame(
        {
            "y": [0.0, 1.0, 1.0],
            "delta": delta,
            "score": delta,
            "raw_score": delta,
            "return_to_end": [-1.5, 0.5, 2.0],
        }
    )

    calls = QUESTION.calls(rows)

    assert calls["actual"].tolist() == ["down", "up", "up"]
    assert calls["predicted"].tolist() == ["up", "down", "down"]
    np.testing.assert_array_equal(QUESTION.side(rows), [1, -1, 0])
    np.testing.assert_array_equal(QUESTION.surprise(rows), [-1.5, 0.5, 2.0])

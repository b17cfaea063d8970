"""The baseline's own last errors, and when they are known."""

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from stages.common.task import TASKS
from stages.train.errors import error_names, last_errors

HOUR = pd.Timedelta(hours=1)
HORIZON = 14 * HOUR


def errors_at(rows: pd.DataFrame, task: str = "volatility") -> NDArray[Any]:
    """Last errors, half-lives of 1 and 24 rows, at each row's time."""
    return last_errors(rows["close_time"], rows, TASKS[task], HORIZON, [1, 24])


def test_errors_are_averages_of_what_was_missed(rows):
    """Weighted by hand: of rows a horizon ago and before, each half as much a half-life further back."""
    actual = errors_at(rows, "direction")

    p = 1 / (1 + np.exp(-rows["offset"]))
    missed = (rows["y"] - p).to_numpy()
    for t in (14, 100, 399):
        told = missed[: t - 13]
        for column, half_life in enumerate((1, 24)):
            weight = 0.5 ** (np.arange(len(told))[::-1] / half_life)
            np.testing.assert_allclose(actual[t, column], np.average(told, weights=weight), rtol=1e-4)
    assert (actual[:14] == 0.0).all()
    assert error_names([1, 24]) == ["error_1", "error_24"]


def test_errors_ignore_the_future(rows):
    """An answer counts a horizon after its row, and not an hour before, even if it was there earlier."""
    expected = errors_at(rows, "direction")
    shocked = rows.copy()
    shocked.loc[200:, "y"] = 1 - shocked.loc[200:, "y"]

    actual = errors_at(shocked, "direction")
    np.testing.assert_array_equal(actual[:214], expected[:214])
    assert (actual[214] != expected[214]).all()
    np.testing.assert_array_equal(errors_at(rows[:300], "direction"), expected[:300])


def test_rows_before_the_baselines_first_fit_have_no_error(rows):
    """They are as if they weren't there; a row that only has features sees the errors known then."""
    late = rows.assign(offset=rows["offset"].where(rows.index >= 50))
    told = last_errors(rows["close_time"], late, TASKS["direction"], HORIZON, [1])
    assert (told[:64] == 0.0).all()
    assert told[64, 0] != 0.0

    fewer = late[late.index % 7 != 0]
    every_hour = last_errors(rows["close_time"], fewer, TASKS["direction"], HORIZON, [1])
    assert np.isfinite(every_hour).all()
    assert every_hour[64 + 6, 0] == every_hour[64 + 5, 0]  # row 56 has no label

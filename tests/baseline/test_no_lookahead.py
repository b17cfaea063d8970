"""The property that everything rests on: a forecast at t is of what was known at t."""

import numpy as np
import pandas as pd
import pytest
from pandas.testing import assert_frame_equal

from stages.baseline.stage import forecasters
from stages.common.task import TASKS
from tests.questions import QUESTIONS

PRICES = ["open", "high", "low", "close"]


@pytest.fixture
def forecasts_of(make_labels, rows_of, params):
    """`forecasts_of(candles, question)`: every column, a row a candle, those without a label too."""

    def run(candles, question):
        task, settings = QUESTIONS[question]
        rows = rows_of(candles, make_labels(task, candles))
        made = forecasters(task, settings.model_dump())
        columns = {name: column(rows, params) for name, column in made.items()}
        return pd.DataFrame({"close_time": rows["close_time"]} | columns)

    return run


@pytest.mark.parametrize("question", QUESTIONS)
def test_the_network_starts_from_a_baseline_that_there_is(question):
    """The offset that a task names, and the benchmark, are columns however the question is asked."""
    task, settings = QUESTIONS[question]
    assert {TASKS[task].offset, "benchmark"} <= forecasters(task, settings.model_dump()).keys()


@pytest.mark.parametrize("question", QUESTIONS)
def test_later_rows_change_nothing_before_them(make_candles, forecasts_of, question):
    """Forecasts of a shorter market are those of the longer one, to the last bit, up to its last candle."""
    candles = make_candles(2200, missing=[900, *range(1100, 1110)])
    whole = forecasts_of(candles, question)

    assert whole.iloc[2086:].notna().all(axis=None)
    for n_bars in (2188, 2187, 2100, 1060):
        cut = forecasts_of(candles.iloc[:n_bars], question)
        assert len(cut) == n_bars < len(whole)
        assert_frame_equal(cut, whole.iloc[: len(cut)], check_exact=True)


@pytest.mark.parametrize("question", QUESTIONS)
def test_forecasts_ignore_the_future(candles, forecasts_of, question):
    """A market that explodes after t leaves the forecasts up to t as they were, and moves later ones."""
    shocked = candles[:2000].copy()
    shocked.loc[1700:, PRICES] *= np.linspace(1, 9, 300)[:, None]
    calm, wild = (forecasts_of(frame, question) for frame in (candles[:2000], shocked))
    known = calm["close_time"] <= candles["open_time"][1700]

    assert_frame_equal(calm[known], wild[known], check_exact=True)
    assert known.any()
    for name in calm.columns[1:]:
        assert (calm[name] != wild[name])[~known].any()


@pytest.mark.parametrize("question", QUESTIONS)
def test_same_input_gives_the_same_forecasts(candles, forecasts_of, question):
    """Nothing is drawn by chance."""
    first, second = (forecasts_of(candles[:1500], question) for _ in range(2))

    assert_frame_equal(first, second, check_exact=True)

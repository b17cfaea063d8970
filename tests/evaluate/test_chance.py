import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import ArrayLike
from scipy.special import logit
from sklearn import metrics

from stages.common.task import TASKS
from stages.evaluate import chance
from stages.evaluate.question import Question, Words, question_of
from stages.evaluate.rows import join
from stages.evaluate.trading import forecast_spread


def rows_of(
    y: ArrayLike, p: ArrayLike, benchmark: float = 0.5, raw_score: ArrayLike | None = None
) -> pd.DataFrame:
    """Test rows of a forecast of chances."""
    came, forecast = np.array(y, dtype=float), np.array(p, dtype=float)
    score = logit(forecast)
    return pd.DataFrame(
        {
            "y": came,
            "score": score,
            "raw_score": score if raw_score is None else raw_score,
            "delta": score - logit(benchmark),
            "forecast": forecast,
        }
    )


classified = st.lists(st.tuples(st.integers(0, 1), st.sampled_from([0.2, 0.4, 0.5, 0.6, 0.9])), min_size=1)


@given(classified)
@settings(deadline=None, max_examples=80)
@pytest.mark.filterwarnings(
    "ignore::sklearn.exceptions.UndefinedMetricWarning"
)  # sklearn's one-class remark
@pytest.mark.filterwarnings("ignore:A single label was found:UserWarning")  # and its confusion matrix's
def test_block_equals_sklearns_figures(sample):
    """Every figure is the one that a classifier's report has, zero where sklearn has none."""
    y, p = (np.array(column) for column in zip(*sample, strict=True))
    called = p > 0.5
    tn, fp, fn, tp = metrics.confusion_matrix(y, called, labels=[0, 1]).ravel()

    block = chance.block(rows_of(y, p), 8760)

    expected = {
        "majority_share": max(y.mean(), 1 - y.mean()),
        "accuracy": metrics.accuracy_score(y, called),
        "precision": metrics.precision_score(y, called, zero_division=0),
        "recall": metrics.recall_score(y, called, zero_division=0),
        "f1": metrics.f1_score(y, called, zero_division=0),
        "mcc": metrics.matthews_corrcoef(y, called) if 0 < tn + fp < len(y) else 0,
        "roc_auc": metrics.roc_auc_score(y, p) if 0 < y.sum() < len(y) else 0.5,
        "pr_auc": metrics.average_precision_score(y, p) if y.any() else 0,
        "brier": np.mean((p - y) ** 2),
    }
    assert {name: block[name] for name in expected} == pytest.approx(expected)
    assert (block["tn"], block["fp"], block["fn"], block["tp"]) == (tn, fp, fn, tp)


@pytest.mark.parametrize(("p", "collapsed"), [([0.6, 0.7], 1), ([0.4, 0.3], 1), ([0.4, 0.6], 0)])
def test_collapsed_is_one_class_never_called(p, collapsed):
    """Whichever class it is; what came doesn't matter."""
    assert chance.block(rows_of([0, 1], p), 8760)["collapsed"] == collapsed


def test_the_original_run_is_called_what_it_was():
    """595 right of 696 by never saying "up": collapsed, its accuracy the majority's share."""
    block = chance.block(rows_of([0] * 595 + [1] * 101, [0.2] * 696), 8760)

    assert block["collapsed"] == 1
    assert block["accuracy"] == block["majority_share"] == pytest.approx(0.855, abs=5e-4)
    assert (block["precision"], block["recall"], block["f1"], block["mcc"]) == (0, 0, 0, 0)


def test_a_call_is_a_probability_above_the_benchmark():
    """Not above .5: in a market that mostly rises, .52 may be a call of "down"; a tie calls nothing."""
    rows = rows_of([1, 0, 1], [0.52, 0.58, 0.55], benchmark=0.55)

    np.testing.assert_array_equal(chance.called(rows), [False, True, False])


def test_with_class_weights_the_raw_output_calls():
    """It differs from the score there, and .5 is its middle."""
    rows = rows_of([1, 0], [0.52, 0.58], raw_score=[0.4, -0.1])

    np.testing.assert_array_equal(chance.called(rows), [True, False])


def test_events_and_calls():
    """An event is what came, and calls are in words."""
    rows = rows_of([1, 0], [0.4, 0.6])

    np.testing.assert_array_equal(chance.event(rows), [True, False])
    assert chance.calls(rows).to_numpy().tolist() == [["yes", "no"], ["no", "yes"]]


@pytest.mark.parametrize("task", [task for task in TASKS if TASKS[task].classes])
def test_the_surprise_of_a_chance_knows_no_forecast(make_inputs, task):
    """Less the benchmark's p it would share the benchmark's errors with delta, and rank those."""
    predictions, labels, baselines = make_inputs(task)
    rows = join(predictions, labels, baselines, TASKS[task])
    other = rows.assign(
        **{name: -rows[name] for name in ("benchmark", "score", "raw_score", "delta")},
        **{name: 1 - rows[name] for name in ("forecast", "benchmark_forecast")},
    )

    surprise = question_of(task).surprise

    np.testing.assert_array_equal(surprise(other), surprise(rows))


def test_a_chance_needs_no_more_than_words(make_inputs):
    """All else has a default: y is the surprise; without a way in it the strategy is the reference."""
    words = Words(unit="p", outcome="share", delta="log-odds", surprise="y", calls="Calls")
    predictions, labels, baselines = make_inputs("direction")
    rows = join(predictions, labels, baselines, TASKS["direction"])

    question = chance.question(words=words)

    assert isinstance(question, Question)
    np.testing.assert_array_equal(question.surprise(rows), rows["y"])
    np.testing.assert_array_equal(question.side(rows), 1.0)
    np.testing.assert_array_equal(question.spread(rows, 14), forecast_spread(rows))

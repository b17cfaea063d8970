from typing import Any

import pytest

from stages.evaluate.verdict import overfit, sentence


def metrics_of(test: dict[str, float] | None = None, task: str = "direction") -> dict[str, Any]:
    """Metrics of a run with nothing to say, but for what is given of its test block."""
    skill = {"skill_pct": -0.312, "skill_lo": -1.1, "skill_hi": 0.421, "dm_p": 0.7134, "signal": 0}
    edge = {"edge_pct": -0.004, "edge_lo": -1.0, "edge_hi": -0.001, "edge_dm_p": 0.88, "edge": 0}
    return {
        "test": skill | edge | {"too_short": 0, "is_baseline": 0} | (test or {}),
        "train": {"skill_pct": 0.1},
        "overfit_gap_pct": 0.4,
        task: {"collapsed": 0} if task == "direction" else {"mae": 3.0},
    }


def test_a_run_without_signal_is_called_that():
    """Task, verdict, both gains with interval and p-value; no minus before a rounded nil."""
    assert sentence(metrics_of(), "direction") == (
        "Direction: no signal, no edge. "
        "Skill over the benchmark -0.31 % [-1.10, 0.42], p = 0.71; "
        "edge over the best baseline 0.00 % [-1.00, 0.00], p = 0.88."
    )


@pytest.mark.parametrize(
    ("signal", "edge", "verdict"),
    [
        (1, 1, "signal, an edge"),
        (1, 0, "signal, no edge"),
        (1, -1, "signal, worse than the best baseline"),
        (-1, -1, "worse than the benchmark, worse than the best baseline"),
    ],
)
def test_verdicts_in_words(signal, edge, verdict):
    """Each of the verdicts has its words, and a tiny p-value its bound."""
    said = sentence(metrics_of({"signal": signal, "edge": edge, "dm_p": 3e-9}, "volatility"), "volatility")

    assert said.startswith(f"Volatility: {verdict}. ")
    assert "[-1.10, 0.42], p < 0.001;" in said


def test_a_market_that_is_known_is_named():
    """Before any verdict, for one on a simulated market is none on a real one."""
    assert sentence(metrics_of(), "direction", "a simulated market").startswith(
        "Direction on a simulated market: no signal, no edge. Skill"
    )


def test_a_short_test_has_no_verdict():
    """It would say "no signal" of what can't be known."""
    said = sentence(metrics_of({"too_short": 1}), "direction")

    assert said.startswith("Direction: not enough test to tell. Skill")
    assert "no signal" not in said


def test_a_forecast_that_is_a_single_baselines_is_called_that():
    """Validation may have preferred another, so that its edge looks like the network's."""
    assert "there is no network in it" in sentence(metrics_of({"is_baseline": 1}), "direction")
    assert "no network" not in sentence(metrics_of(), "direction")


def test_a_collapsed_classifier_is_called_that():
    """One class never called: the accuracy is the majority's share."""
    metrics = metrics_of()
    metrics["direction"]["collapsed"] = 1

    assert "Collapsed" in sentence(metrics, "direction")
    assert "Collapsed" not in sentence(metrics_of(), "direction")


def test_overfitting_is_called_that():
    """The original run's kind: much in training, less than nothing on new rows."""
    metrics = metrics_of() | {"train": {"skill_pct": 41.0}, "overfit_gap_pct": 41.312}

    assert sentence(metrics, "direction").endswith(
        "Overfit: a skill of 41.0 % on the rows it was trained on is -0.3 % on new ones."
    )


@pytest.mark.parametrize(
    ("train", "test", "expected"),
    [(40.0, 19.9, True), (40.0, 20.1, False), (0.4, -0.5, False), (-2.0, -9.0, False), (1.0, -1.0, True)],
)
def test_overfit_is_half_the_skill_lost_and_a_percent_at_least(train, test, expected):
    """Volatility's usual loss of a few percent is none, nor is a tenth of a percent around nil."""
    metrics = {"train": {"skill_pct": train}, "test": {"skill_pct": test}, "overfit_gap_pct": train - test}

    assert overfit(metrics) is expected


def test_a_network_that_learned_nothing_is_called_that():
    """Where it kept its start it is its offset, row for row, and says so."""
    nil = {"pct": 0.0, "lo": 0.0, "hi": 0.0}
    benchmark = metrics_of({f"skill_{name}": value for name, value in nil.items()})
    best = metrics_of({f"edge_{name}": value for name, value in nil.items()})

    assert sentence(benchmark, "direction").endswith(
        "The forecast is the benchmark on every row: any edge is the benchmark's."
    )
    benchmark["direction"] = {"collapsed": 1}
    assert "Collapsed" not in sentence(benchmark, "direction")
    assert sentence(best, "direction").endswith("The forecast is the best baseline's on every row.")

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from stages.common.task import TASKS
from stages.evaluate import amount, chance
from stages.evaluate.information import gains
from stages.evaluate.losses import best_baselines, of_best
from stages.evaluate.question import question_of
from stages.evaluate.rows import opponents


@pytest.fixture
def rows_and_best(compared, make_inputs):
    """`rows_and_best(task, knowledge=.5)` gives joined rows and the name of each fold's best baseline."""

    def make(task: str, knowledge: float = 0.5) -> tuple[pd.DataFrame, dict[str, str]]:
        inputs = make_inputs(task, knowledge=knowledge)
        rows, losses = compared(inputs, task)
        return rows, best_baselines(rows, losses[opponents(inputs.baselines)])

    return make


def gained(rows: pd.DataFrame, best: dict[str, str], task: str) -> tuple[float, float]:
    """Gain over the benchmark and over the best baseline, in milli-nats."""
    result = gains(rows, best, question_of(task).log_density)
    return result["info_gain_mnats"], result["edge_gain_mnats"]


@pytest.mark.parametrize("task", TASKS)
def test_equal_forecasts_gain_exactly_nothing(rows_and_best, task):
    """Not a rounding error of it: the same forecast on every row is 0."""
    rows, best = rows_and_best(task)

    assert gained(rows.assign(score=rows["benchmark"]), best, task)[0] == 0
    assert gained(rows.assign(score=of_best(rows["fold"], rows, best)), best, task)[1] == 0


@pytest.mark.parametrize("task", TASKS)
def test_who_knows_more_gains_and_the_best_baseline_takes_some_of_it(rows_and_best, task):
    """The second baseline knows a tenth of what can be known, the network half, or all."""
    (rows, best), (wise, _) = rows_and_best(task, 0.5), rows_and_best(task, 1.0)
    half, all_of_it = gained(rows, best, task), gained(wise, best, task)

    assert 0 < half[1] < half[0] < all_of_it[0]


@pytest.mark.parametrize("task", TASKS)
def test_a_gain_is_the_others_loss(rows_and_best, task):
    """Network and reference changed over: the same figure with the other sign."""
    rows, best = rows_and_best(task)
    swapped = rows.assign(score=rows["benchmark"], benchmark=rows["score"])

    assert gained(swapped, best, task)[0] == pytest.approx(-gained(rows, best, task)[0])


@pytest.mark.parametrize("task", TASKS)
def test_gains_add_up(rows_and_best, task):
    """Network over the benchmark is network over best and best over the benchmark."""
    rows, best = rows_and_best(task)
    info, edge = gained(rows, best, task)

    assert info == pytest.approx(
        edge + gained(rows.assign(score=of_best(rows["fold"], rows, best)), best, task)[0]
    )


def test_directions_gain_is_the_log_loss_saved(rows_and_best, compared, make_inputs):
    """1000 times the mean of the reference's loss less the network's, over the test rows."""
    rows, best = rows_and_best("direction")
    _, losses = compared(make_inputs("direction"), "direction")
    test = losses[rows["role"] == "test"].mean()

    expected = 1000 * (test["benchmark"] - test["network"]), 1000 * (test["best"] - test["network"])
    assert gained(rows, best, "direction") == pytest.approx(expected)


def test_volatilitys_gain_is_that_of_scipys_lognormal_densities(rows_and_best):
    """Location and spread of each forecast from the val rows of the same fold and symbol."""
    rows, best = rows_and_best("volatility")
    rows.loc[rows["symbol"] == "ETH-USDT", "score"] *= 1.3
    rows.loc[rows["fold"] == "2", "score"] += 0.7

    differences = []
    for _, group in rows.groupby(["fold", "symbol"]):
        val, test = (group[group["role"] == role] for role in ("val", "test"))
        log_density = {}
        for name in ("score", "benchmark"):
            error = np.log(val["y"]) - val[name]
            scale = np.exp(test[name] + error.mean())
            log_density[name] = stats.lognorm.logpdf(test["y"], s=error.std(ddof=0), scale=scale)
        differences.append(log_density["score"] - log_density["benchmark"])

    expected = 1000 * np.concatenate(differences).mean()
    assert gained(rows, best, "volatility")[0] == pytest.approx(expected, rel=1e-9)


def test_volatilitys_gain_ignores_the_level_of_a_forecast(rows_and_best):
    """Twice the forecast on every row knows as much: its location is fitted on val."""
    rows, best = rows_and_best("volatility")
    doubled = rows.assign(score=rows["score"] + np.log(2))

    assert gained(doubled, best, "volatility") == pytest.approx(gained(rows, best, "volatility"))


def test_directions_gain_does_not_ignore_it(rows_and_best):
    """A probability is meant as it is: logits moved by one lose."""
    rows, best = rows_and_best("direction")

    assert gained(rows.assign(score=rows["score"] + 1), best, "direction") < gained(rows, best, "direction")


@pytest.mark.parametrize("task", TASKS)
def test_densities_of_test_rows_are_fitted_on_val_alone(rows_and_best, task):
    """Neither train rows nor what comes later in test change a row's density."""
    rows, _ = rows_and_best(task)
    question = question_of(task)
    last = rows["role"].eq("test") & (rows["close_time"] > rows["close_time"].max() - pd.Timedelta("90h"))
    changed = last | (rows["role"] == "train")
    other = rows.assign(y=rows["y"].mask(changed, 1 - rows["y"] if TASKS[task].classes else 3 * rows["y"]))

    first, second = (question.log_density(table, table["score"].to_numpy()) for table in (rows, other))

    np.testing.assert_array_equal(first[~changed], second[~changed])
    assert (first[changed] != second[changed]).all()


def test_only_test_rows_count(rows_and_best):
    """A network that knows everything about train gains nothing by it."""
    rows, best = rows_and_best("direction")
    knowing = rows["score"].mask(rows["role"] != "test", 20 * (2 * rows["y"] - 1))

    assert gained(rows.assign(score=knowing), best, "direction") == gained(rows, best, "direction")


def test_each_fold_has_its_own_best_baseline(rows_and_best):
    """The score is that of the baseline named for the row's fold."""
    rows, _ = rows_and_best("volatility")
    expected = rows["har"].where(rows["fold"] == "1", rows["benchmark"])

    np.testing.assert_array_equal(of_best(rows["fold"], rows, {"1": "har", "2": "benchmark"}), expected)


def test_forecasts_that_val_finds_perfect_keep_a_spread(rows_and_best):
    """Of two forecasts without an error on val the density is finite, and so is the gain."""
    rows, best = rows_and_best("volatility")
    perfect = rows["score"].mask(rows["role"] == "val", np.log(rows["y"]) - 0.1)

    log_density = amount.log_density(rows, perfect.to_numpy())
    exact = (rows["role"] == "val").to_numpy()

    expected = stats.norm.logpdf(0, scale=0.01) - np.log(rows["y"][exact])
    np.testing.assert_allclose(log_density[exact], expected, rtol=1e-9)
    assert np.isfinite(gained(rows.assign(score=perfect), best, "volatility")).all()


def test_a_symbol_without_val_rows_is_judged_by_its_folds(rows_and_best):
    """A coin that was listed during the test has no val of its own: that of the others serves."""
    rows, best = rows_and_best("volatility")
    late = rows[~((rows["role"] == "val") & (rows["symbol"] == "ETH-USDT"))].reset_index(drop=True)

    log_density = amount.log_density(late, late["score"].to_numpy())

    renamed = amount.log_density(late.assign(symbol="BTC-USDT"), late["score"].to_numpy())
    np.testing.assert_allclose(log_density, renamed)
    assert np.isfinite(gained(late, best, "volatility")).all()


def test_direction_of_an_impossible_outcome_has_a_finite_density():
    """A logit of 800 that is wrong loses 800 nats, not infinitely many."""
    rows = pd.DataFrame({"y": [0.0, 1.0]})

    np.testing.assert_allclose(chance.log_density(rows, np.array([800.0, 800.0])), [-800, 0])

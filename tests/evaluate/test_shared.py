import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import spearmanr
from sklearn.metrics import balanced_accuracy_score, roc_auc_score

from stages.common.task import TASKS
from stages.evaluate.losses import loss_table
from stages.evaluate.rows import opponents
from stages.evaluate.shared import (
    auc,
    averaged,
    balanced_hits,
    role_block,
    shared_block,
    spearman,
    with_know_nothings,
)
from stages.evaluate.significance import sample_of

small = st.lists(
    st.tuples(st.integers(-3, 3), st.booleans(), st.integers(-3, 3)), min_size=1, max_size=30
).map(lambda rows: tuple(np.array(column) for column in zip(*rows, strict=True)))


def block_of_test(rows: pd.DataFrame, losses: pd.DataFrame, task: str, seed: int = 1) -> dict[str, float]:
    """The shared block of the test rows."""
    test, rng = rows["role"] == "test", np.random.default_rng(seed)
    sample = sample_of(rows[test], 14, pd.Timedelta(hours=1), 200, rng)
    return shared_block(rows[test], losses[test], TASKS[task].loss, sample, rng)


@given(small)
@settings(deadline=None, max_examples=80)
def test_auc_equals_sklearns_and_the_count_of_pairs(sample):
    """Of all pairs of an event and another row, the share that is in order; ties count a half."""
    score, event, _ = sample
    pairs = [np.sign(a - b) / 2 + 0.5 for a in score[event] for b in score[~event]]

    assert auc(score, event) == pytest.approx(np.mean(pairs) if pairs else 0.5)
    if pairs:
        assert auc(score, event) == pytest.approx(roc_auc_score(event, score))


@given(small)
@settings(deadline=None, max_examples=80)
def test_spearman_equals_scipys(sample):
    """Ranks of ties averaged; 0 where scipy has no answer."""
    score, _, target = sample
    defined = np.ptp(score) > 0 and np.ptp(target) > 0

    assert spearman(score, target) == pytest.approx(spearmanr(score, target).statistic if defined else 0)


@given(small)
@settings(deadline=None, max_examples=80)
def test_balanced_hits_equal_sklearns_balanced_accuracy(sample):
    """Where no call is a tie, it is the mean recall of both kinds."""
    delta, event, _ = sample
    delta = np.where(delta == 0, 1, delta)

    both = 0 < event.sum() < len(event)
    expected = balanced_accuracy_score(event, delta > 0) if both else 0.5

    assert balanced_hits(delta, event) == pytest.approx(expected)


def test_ties_are_half_a_hit():
    """A forecast that is the benchmark calls nothing: no skill, whatever the shares."""
    assert balanced_hits(np.zeros(4), np.array([True, False, False, False])) == 0.5
    assert balanced_hits(np.array([0.0, -1.0]), np.array([True, False])) == 0.75


def test_figures_are_averaged_over_folds_and_symbols_not_pooled():
    """Levels that differ between folds, and nothing known within: pooled it looks like a forecast."""
    rng = np.random.default_rng(1)
    fold = np.repeat(["1", "2"], [3000, 1000])
    event = rng.random(4000) < np.where(fold == "1", 0.7, 0.3)
    rows = pd.DataFrame(
        {"fold": fold, "symbol": "BTC-USDT", "event": event, "delta": rng.standard_normal(4000)}
    )
    rows["delta"] += np.where(fold == "1", 3, 0)

    assert auc(rows["delta"].to_numpy(), event) > 0.6
    assert averaged(auc, rows, "delta", "event") == pytest.approx(0.5, abs=0.03)


@pytest.mark.parametrize("level", ["fold", "symbol"])
def test_no_figure_takes_a_level_for_a_forecast(compared, make_inputs, level):
    """Scores, outcomes and shares that are higher in one fold or symbol rank nothing within any."""
    rows, losses = compared(make_inputs("direction"), "direction")
    rng, high = np.random.default_rng(1), rows[level] == rows[level].iloc[0]
    rows["event"] = rng.random(len(rows)) < np.where(high, 0.7, 0.3)
    rows["surprise"] = rng.standard_normal(len(rows)) + np.where(high, 3, 0)
    rows["delta"] = rng.standard_normal(len(rows)) + np.where(high, 3, 0)
    assert auc(rows["delta"].to_numpy(), rows["event"].to_numpy()) > 0.6
    assert spearman(rows["delta"].to_numpy(), rows["surprise"].to_numpy()) > 0.4

    shared, split = block_of_test(rows, losses, "direction"), role_block(rows, losses)

    assert shared["ic"] == pytest.approx(0, abs=0.1)
    for figure in (shared["auc"], shared["hit_rate"], split["auc"], split["hit_rate"]):
        assert figure == pytest.approx(0.5, abs=0.08)


def test_averages_count_rows():
    """A fold of three rows weighs three times a fold of one."""
    rows = pd.DataFrame({"fold": ["1", "1", "1", "2"], "symbol": "BTC-USDT", "a": 0.0, "b": 0.0})

    assert averaged(lambda a, _: float(len(a)), rows, "a", "b") == (3 * 3 + 1) / 4


@pytest.mark.parametrize("task", TASKS)
def test_a_copy_of_any_baseline_is_told(compared, make_inputs, task):
    """Also of one that another beats on the test, and not of one that differs on a single row."""
    rows, losses = compared(make_inputs(task), task)
    for name in losses.columns.drop(["network", "best"]):
        copied = losses.assign(network=losses[name])
        last = copied.index[rows["role"] == "test"][-1]
        assert block_of_test(rows, copied, task)["is_baseline"] == 1
        copied.loc[last, "network"] += 1e-9
        assert block_of_test(rows, copied, task)["is_baseline"] == 0


@pytest.mark.parametrize("task", TASKS)
def test_all_tasks_have_the_same_keys_all_finite(compared, make_inputs, task):
    """`metrics diff` lines them up; not one may be NaN."""
    rows, losses = compared(make_inputs(task), task)
    block = block_of_test(rows, losses, task)

    assert list(block) == [
        "signal", "too_short", "skill_pct", "skill_lo", "skill_hi", "dm_p",
        "edge", "edge_pct", "edge_lo", "edge_hi", "edge_dm_p", "is_baseline", "edge_min_pct",
        "fold_win_rate", "auc", "auc_ref", "ic", "ic_ref", "hit_rate", "cal_slope", "cal_intercept",
    ]  # fmt: skip
    assert np.isfinite(list(block.values())).all()


@pytest.mark.parametrize("task", TASKS)
def test_the_shared_block_is_what_its_words_say(compared, make_inputs, task):
    """Skill against the benchmark, edge against the best, and the least edge of all."""
    rows, losses = compared(make_inputs(task), task)
    block = block_of_test(rows, losses, task)
    test = losses[rows["role"] == "test"]
    second = opponents(make_inputs(task).baselines)[1]

    assert block["skill_pct"] == pytest.approx(
        100 * (1 - test["network"].mean() / test["benchmark"].mean())
    )
    assert block["edge_pct"] == pytest.approx(100 * (1 - test["network"].mean() / test[second].mean()))
    assert block["edge_min_pct"] == block["edge_pct"] < block["skill_pct"]
    assert block["skill_lo"] <= block["skill_pct"] <= block["skill_hi"]
    assert block["fold_win_rate"] == 1
    assert (block["auc"] > 0.7, block["ic"] > 0.5, block["hit_rate"] > 0.65) == (True, True, True)
    # Half of what could be known was used, so departures should be twice as large.
    assert block["cal_slope"] == pytest.approx(2, abs=0.5)
    assert (block["too_short"], block["signal"], block["edge"]) == (1, 0, 0)


@pytest.mark.parametrize("task", TASKS)
def test_a_long_test_of_a_knowing_model_is_a_signal_with_an_edge(compared, make_inputs, task):
    """Twenty blocks and more: the verdicts speak, and mirror where the network's departures are wrong."""
    inputs = make_inputs(task, symbols=["BTC-USDT"])
    rows, losses = compared(inputs, task)
    wrong = losses.assign(network=2 * losses[["benchmark", "best"]].max(axis=1) - losses["network"])
    # The same hours again and again, a year each: long enough for a verdict.
    years = [rows.assign(close_time=rows["close_time"] + pd.Timedelta(days=365 * k)) for k in range(50)]
    long = pd.concat(years, ignore_index=True)

    blocks = [
        block_of_test(long, pd.concat([table] * 50, ignore_index=True), task) for table in (losses, wrong)
    ]

    assert [block["too_short"] for block in blocks] == [0, 0]
    assert [(block["signal"], block["edge"]) for block in blocks] == [(1, 1), (-1, -1)]


@pytest.mark.parametrize("task", TASKS)
def test_edge_needs_a_signal(compared, make_inputs, task):
    """To beat a baseline that is worse than the benchmark is no edge; to lose to it is still said."""
    rows, losses = compared(make_inputs(task, symbols=["BTC-USDT"]), task)
    losses["network"] = losses["benchmark"] * 1.1
    years = [rows.assign(close_time=rows["close_time"] + pd.Timedelta(days=365 * k)) for k in range(50)]
    long, repeated = pd.concat(years, ignore_index=True), pd.concat([losses] * 50, ignore_index=True)

    beaten = block_of_test(long, repeated.assign(best=2 * repeated["network"]), task)
    lost = block_of_test(long, repeated.assign(best=0.5 * repeated["network"]), task)

    assert (beaten["edge_lo"] > 0, beaten["edge_dm_p"] < 0.05) == (True, True)
    assert (beaten["signal"], beaten["edge"]) == (-1, 0)
    assert lost["edge"] == -1


@pytest.mark.parametrize("task", TASKS)
def test_the_benchmark_itself_scores_nil(compared, make_inputs, task):
    """0, [0, 0], p = 1, auc .5, ic 0, slope 0: exactly, for it is the same forecast on every row."""
    inputs = make_inputs(task, knowledge=0)
    rows, losses = compared(inputs, task)
    block = block_of_test(rows, losses, task)

    assert (rows["delta"] == 0).all()
    names = ["skill_pct", "skill_lo", "skill_hi", "dm_p", "signal", "ic", "auc", "hit_rate", "cal_slope"]
    assert [block[name] for name in names] == [0, 0, 0, 1, 0, 0, 0.5, 0.5, 0]


@pytest.mark.parametrize("task", TASKS)
def test_the_order_of_rows_changes_nothing_but_rounding(compared, make_inputs, task):
    """Hours are put in order by their time, not by where they stand in the table."""
    rows, losses = compared(make_inputs(task), task)
    order = np.random.default_rng(5).permutation(len(rows))

    expected = block_of_test(rows, losses, task)
    actual = block_of_test(rows.iloc[order], losses.iloc[order], task)

    for name in expected:
        if not name.endswith("_ref"):  # these shuffle rows where they stand
            assert actual[name] == pytest.approx(expected[name], rel=1e-5, abs=1e-7), name


def test_fold_win_rate_is_the_share_of_folds_won_against_the_best_baseline(compared, make_inputs):
    """A fold won against the benchmark, but lost to its best baseline, is lost."""
    rows, losses = compared(make_inputs("volatility"), "volatility")
    losses.loc[rows["fold"] == "2", "best"] = 0.5 * losses["network"]

    block = block_of_test(rows, losses, "volatility")

    assert block["fold_win_rate"] == 0.5
    assert block["skill_pct"] > 0


def test_the_same_seed_gives_the_same_block(compared, make_inputs):
    """Chance comes in as an argument."""
    rows, losses = compared(make_inputs("direction"), "direction")

    first, again, other = (block_of_test(rows, losses, "direction", seed) for seed in (1, 1, 2))

    assert first == again
    assert first != other


@pytest.mark.parametrize("task", TASKS)
def test_one_class_and_few_rows_are_never_nan(compared, make_inputs, task):
    """Three test rows of one outcome, the same score on each: plain numbers all the same."""
    rows, losses = compared(make_inputs(task), task)
    few = rows[rows["role"] == "test"].head(3).index
    columns = ["y", "return_to_end", "surprise", "event", "score", "delta"]
    rows.loc[few, columns] = [1.0, 0.0, 0.3, True, 0.2, 0.2]
    rows = rows.loc[few]
    losses, _ = loss_table(rows.assign(role="val"), ["benchmark"], TASKS[task].loss)

    block = block_of_test(rows, losses, task)

    assert np.isfinite(list(block.values())).all()
    assert (block["auc"], block["ic"], block["hit_rate"], block["cal_slope"]) == (0.5, 0, 0.5, 0)


def test_a_split_without_rows_has_neutral_figures(compared, make_inputs):
    """Where every train row lacks a baseline there is nothing to compare: nil, not NaN."""
    rows, losses = compared(make_inputs("direction"), "direction")

    assert role_block(rows.iloc[:0], losses.iloc[:0]) == {
        "skill_pct": 0, "edge_pct": 0, "auc": 0.5, "hit_rate": 0.5
    }  # fmt: skip


def test_know_nothings_keep_folds_and_symbols_and_lose_the_order(compared, make_inputs):
    """The shuffled forecast has each group's scores, on other rows; the constant one has none."""
    rows, _ = compared(make_inputs("volatility"), "volatility")
    rows["benchmark"] = np.random.default_rng(2).standard_normal(len(rows))

    ignorant = with_know_nothings(rows, np.random.default_rng(3))

    shuffled = (ignorant["shuffled"] + rows["benchmark"]).round(12)
    assert (shuffled != rows["score"].round(12)).mean() > 0.9
    for _, group in rows.assign(shuffled=shuffled).groupby(["fold", "symbol"]):
        np.testing.assert_allclose(np.sort(group["shuffled"]), np.sort(group["score"]), atol=1e-11)
    np.testing.assert_array_equal(ignorant["constant"], -rows["benchmark"])


def test_against_a_noisy_benchmark_a_constant_looks_skilled(compared, make_inputs):
    """Why auc_ref is there: noise in the benchmark lifts every forecast without it above .5."""
    inputs = make_inputs("volatility", knowledge=0)
    rng = np.random.default_rng(4)
    inputs.baselines["benchmark"] *= np.exp(0.5 * rng.standard_normal(len(inputs.baselines)))

    rows, losses = compared(inputs, "volatility")
    block = block_of_test(rows, losses, "volatility")

    assert block["auc_ref"] > 0.65
    assert block["ic_ref"] > 0.3
    assert block["auc_ref"] == pytest.approx(block["auc"], abs=0.05)

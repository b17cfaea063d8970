import numpy as np
import pandas as pd
import pytest
from pandas.testing import assert_frame_equal

from stages.common.errors import InputError
from stages.common.task import TASKS
from stages.train.rows import Fold, label_rows, make_fold, predictions, wanted


def labels_of(rows: pd.DataFrame) -> pd.DataFrame:
    """A label table of these rows, with a column that train has no use for."""
    return rows[["close_time", "y", "weight"]].assign(return_to_end=0.0)


def test_the_offset_is_the_tasks_baseline_as_a_score(rows, make_params):
    """Classes start at the logit of the task's own baseline, amounts at its ln; no forecast stays none."""
    for task in TASKS.values():
        baselines = rows[["close_time"]].assign(**{"benchmark": 0.5, "har": 0.5, task.offset: 0.25})
        baselines.loc[:4, task.offset] = np.nan
        ends = rows["end"].to_numpy()
        offset = label_rows(labels_of(rows), baselines, ends, task, make_params())["offset"]
        assert offset[:5].isna().all()
        np.testing.assert_allclose(offset[5:], np.log(0.25 / 0.75 if task.classes else 0.25))


def test_baselines_are_matched_by_time(rows, make_params):
    """A baseline table that starts later leaves earlier rows without a forecast, and shifts none."""
    baselines = rows[["close_time"]].assign(benchmark=np.linspace(0.2, 0.8, len(rows)))
    ends = rows["end"].to_numpy()
    whole = label_rows(labels_of(rows), baselines, ends, TASKS["direction"], make_params())
    later = label_rows(labels_of(rows), baselines[100:], ends, TASKS["direction"], make_params())
    assert later["offset"][:100].isna().all()
    assert_frame_equal(later[100:], whole[100:], check_exact=True)


def test_a_fold_has_its_roles_rows_and_no_others(rows, spans, make_params):
    """Spans are inclusive; rows without a whole window or a finite offset are left out."""
    rows.loc[[50, 260], "offset"] = [np.nan, np.inf]
    fold = make_fold("1", spans, rows, TASKS["direction"], make_params())
    expected = [row for row in range(10, 400) if row not in (50, 260)]
    assert fold.rows["end"].tolist() == expected
    assert fold.of("train")["end"].iloc[[0, -1]].tolist() == [10, 249]
    assert fold.of("val")["end"].iloc[[0, -1]].tolist() == [250, 319]
    assert fold.of("test")["end"].iloc[[0, -1]].tolist() == [320, 399]


def test_rows_between_the_roles_belong_to_none(rows, spans, make_params):
    """What the purge left out of train is not put back."""
    spans.loc[0, "last"] = rows["close_time"][240]
    fold = make_fold("1", spans, rows, TASKS["direction"], make_params())
    assert fold.of("train")["end"].max() == 240
    assert len(fold.rows) == 390 - 9


def test_other_folds_spans_are_not_looked_at(rows, spans, make_params):
    """A fold is what its own spans say."""
    more = pd.concat([spans.assign(fold="2"), spans[spans["role"] != "test"].assign(fold="live")])
    assert set(make_fold("live", more, rows, TASKS["direction"], make_params()).rows["role"]) == {
        "train",
        "val",
    }


def test_rows_are_sorted_by_symbol_then_time(rows, spans, make_params):
    """Predictions come out in this order."""
    both = pd.concat([rows.assign(symbol="ETH-USDT"), rows])
    keys = make_fold("1", spans, both, TASKS["direction"], make_params()).rows[["symbol", "close_time"]]
    assert_frame_equal(keys, keys.sort_values(["symbol", "close_time"], ignore_index=True))
    assert keys["symbol"].iloc[0] == "BTC-USDT"


@pytest.mark.parametrize("column", ["end", "offset"])
def test_a_role_without_rows_is_refused(rows, spans, make_params, column):
    """A fold whose train rows are all lost can't be fitted: the error says which settings to look at."""
    rows.loc[:249, column] = {"end": -1, "offset": np.nan}[column]
    with pytest.raises(
        InputError, match=r"split and baseline\.min_bars .* none for train of fold 1, 2022-01-03"
    ):
        make_fold("1", spans, rows, TASKS["direction"], make_params())


def test_without_an_offset_scores_start_at_trains_mean(rows, spans, make_params):
    """A bare network starts at the train rows' base rate, whatever val and test hold."""
    params = make_params(offset="none")
    start = make_fold("1", spans, rows, TASKS["direction"], params).rows["offset"]
    share = rows["y"][10:250].mean()
    np.testing.assert_allclose(start, np.log(share / (1 - share)))
    rows.loc[250:, "y"] = 1.0
    assert_frame_equal(
        make_fold("1", spans, rows, TASKS["direction"], params).rows[["offset"]],
        start.to_frame(),
        check_exact=True,
    )


def test_balanced_classes_have_the_same_say(rows, spans, make_params):
    """Balanced weights make the ones of train weigh as much as its noughts, and their mean 1."""
    rows["y"] = (np.arange(400) % 5 == 0).astype(float)
    fold = make_fold("1", spans, rows, TASKS["direction"], make_params(class_weights="balanced"))
    train = fold.of("train")
    by_class = train.groupby("y")["sample_weight"].sum()
    assert by_class[0.0] == pytest.approx(by_class[1.0])
    assert train["sample_weight"].mean() == pytest.approx(1.0)
    assert fold.shift == pytest.approx(np.log(192 / 48))


def test_balanced_weights_move_the_best_constant_by_the_shift(rows, spans, make_params):
    """The log odds that minimise the weighted loss are those of the unweighted loss plus the shift."""
    fold = make_fold("1", spans, rows, TASKS["direction"], make_params(class_weights="balanced"))
    train = fold.of("train")
    p = train["y"].mean()
    weighted_p = np.average(train["y"], weights=train["sample_weight"])
    log_odds, weighted_log_odds = np.log(p / (1 - p)), np.log(weighted_p / (1 - weighted_p))
    assert weighted_log_odds == pytest.approx(log_odds + fold.shift)


@pytest.mark.parametrize("task", [task for task in TASKS.values() if not task.classes])
def test_amounts_have_no_classes_to_balance(rows, spans, make_params, task):
    """`train.class_weights` is nothing to them, so that switching the task needs no other change."""
    rows["y"] = np.linspace(0.001, 0.01, 400)
    fold = make_fold("1", spans, rows, task, make_params(class_weights="balanced"))
    assert fold.shift == 0.0
    assert (fold.rows["sample_weight"] == 1.0).all()


def test_one_class_alone_can_not_be_balanced(rows, spans, make_params):
    """Train rows of one class leave the other without a weight."""
    rows.loc[:249, "y"] = 1.0
    with pytest.raises(InputError, match=r"train\.class_weights must be none .* 240 ones among 240 rows"):
        make_fold("1", spans, rows, TASKS["direction"], make_params(class_weights="balanced"))


def test_uniqueness_weighs_by_the_labels_weight(rows, spans, make_params):
    """Sample weights are in proportion to `weight` if asked for, all alike otherwise; their mean is 1."""
    train = make_fold("1", spans, rows, TASKS["direction"], make_params(uniqueness=True)).of("train")
    ratio = train["sample_weight"].to_numpy() / rows["weight"].to_numpy()[10:250]
    np.testing.assert_allclose(ratio, ratio[0])
    assert train["sample_weight"].mean() == pytest.approx(1.0)
    plain = make_fold("1", spans, rows, TASKS["direction"], make_params()).of("train")
    assert (plain["sample_weight"] == 1.0).all()


def test_corrections_of_nil_leave_the_baselines_exact_figure(rows, spans, make_params):
    """Offset plus nil is the offset, bit for bit, with class weights too."""
    rows["offset"] = np.random.default_rng(3).standard_normal(400) / 3
    fold = make_fold("1", spans, rows, TASKS["direction"], make_params(class_weights="balanced"))
    nil = np.zeros(len(fold.rows))
    table = predictions(fold, nil)
    assert list(table.columns) == ["symbol", "close_time", "fold", "role", "raw_score", "score"]
    np.testing.assert_array_equal(table["score"], rows["offset"][10:])
    np.testing.assert_array_equal(table["raw_score"], table["score"] + fold.shift)
    assert fold.shift != 0.0


def test_a_bare_networks_raw_score_is_its_correction(rows, spans, make_params):
    """With balanced classes and no offset, the raw log odds are what the network itself says."""
    fold = make_fold(
        "1", spans, rows, TASKS["direction"], make_params(class_weights="balanced", offset="none")
    )
    correction = np.linspace(-2, 2, len(fold.rows))
    np.testing.assert_allclose(predictions(fold, correction)["raw_score"], correction, atol=1e-12)


def folds_of(rows, spans, params) -> dict[str, Fold]:
    """Two folds: val of rows 150-249, and of rows 250-319."""
    early = spans.assign(fold="0")
    times = rows["close_time"]
    early["first"] = [times[0], times[150], times[250]]
    early["last"] = [times[149], times[249], times[319]]
    both = pd.concat([spans, early])
    return {name: make_fold(name, both, rows, TASKS["direction"], params) for name in ("1", "0")}


def test_val_says_whether_a_correction_is_wanted(rows, spans, make_params):
    """A step towards val's y is, one away from it and none at all aren't, whatever the other rows say."""
    folds = {"1": folds_of(rows, spans, make_params())["1"]}
    fold = folds["1"].rows
    val, step = fold["role"] == "val", 0.1 * (2 * fold["y"] - 1)
    for correction, kept in ((step.where(val, -step), {"1"}), (step.where(~val, -step), set())):
        assert wanted(folds, {"1": correction.to_numpy()}, TASKS["direction"]) == kept
    assert wanted(folds, {"1": step.where(~val, 0.0).to_numpy()}, TASKS["direction"]) == set()


def test_the_test_before_decides(rows, spans, make_params):
    """What the fold before saved on its test counts, not its val nor this one's; nothing is too little."""
    folds = folds_of(rows, spans, make_params())
    towards = {name: 0.1 * (2 * fold.rows["y"].to_numpy() - 1) for name, fold in folds.items()}
    in_test = (folds["0"].rows["role"] == "test").to_numpy()
    fooled, late = (np.where(in_test, sign * towards["0"], -sign * towards["0"]) for sign in (-1, 1))
    task = TASKS["direction"]
    for first, second, kept in (
        (towards["0"], towards["1"], {"0", "1"}),
        (towards["0"], -towards["1"], {"0", "1"}),
        (fooled, towards["1"], {"0"}),
        (late, -towards["1"], {"1"}),
        (np.zeros(len(in_test)), towards["1"], set()),
    ):
        corrections = {"0": first.astype(np.float64), "1": second}
        assert wanted(folds, corrections, task) == kept


def test_a_test_row_counts_once_its_label_has_ended(rows, spans, make_params):
    """Of the test before, rows later than this fold's val aren't known as its own test begins."""
    params, times = make_params(), rows["close_time"]
    spans.loc[spans["role"] == "val", "last"] = times[309]
    folds = folds_of(rows, spans, params)  # the test of fold 0 goes on to row 319
    towards = {name: 0.1 * (2 * fold.rows["y"].to_numpy() - 1) for name, fold in folds.items()}
    known = (folds["0"].rows["close_time"] <= times[309]).to_numpy()

    for of_unknown in (9.0, -9.0):
        correction = towards["0"] * np.where(known, 1.0, of_unknown)
        assert wanted(folds, {"0": correction, "1": -towards["1"]}, TASKS["direction"]) == {"0", "1"}


def test_a_diverged_network_is_refused(rows, spans, make_params):
    """Or it would be dropped, and all folds after it, without a word."""
    folds = folds_of(rows, spans, make_params())
    corrections = {name: np.full(len(fold.rows), 0.1) for name, fold in folds.items()}
    corrections["0"][3] = np.nan
    with pytest.raises(InputError, match=r"^train.learning_rate .* no numbers in fold 0\.$"):
        wanted(folds, corrections, TASKS["direction"])

import copy
from pathlib import Path
from typing import Any

import pytest
import yaml

from stages.common.errors import InputError
from stages.common.task import TASKS
from stages.params import Params, check_params, check_unchanged, load_params, noted, read_params
from tests.refusals import refusal_of
from tests.settings import shipped
from tools.settings import changed

ROOT = Path(__file__).parents[1]


@pytest.fixture
def values() -> dict[str, Any]:
    """params.yaml as it is shipped, as plain values."""
    return shipped()


def change(values: dict[str, Any], key: str, value: Any) -> None:
    """Give the dotted key this value."""
    values |= changed(values, {key: value})


def remove(values: dict[str, Any], key: str) -> None:
    """Leave the dotted key out."""
    *blocks, name = key.split(".")
    for block in blocks:
        values = values[block]
    del values[name]


def refusal(values: dict[str, Any]) -> str:
    """What check_params says against these values: one line."""
    return refusal_of(lambda: check_params(values))


def test_the_default_settings_are_sound(values):
    """The params.yaml that the project ships passes its own check, and arrives as it is written."""
    assert check_params(values).model_dump() == values


@pytest.mark.parametrize(
    ("key", "nearest"),
    [
        ("tasks", "task"),
        ("labels", "label"),
        ("label.horizons", "label.horizon"),
        ("featurize.window", "featurize.windows"),
        ("split.warm_up_bars", "split.warmup_bars"),
        ("train.unit", "train.units"),
        ("label.direction.up_art", "label.direction.up_atr"),
        ("fetch.simulated.sead", "fetch.simulated.seed"),
    ],
)
def test_a_misspelt_key_names_the_nearest(values, key, nearest):
    """An unknown setting is refused, and the one that it looks like is named in full."""
    change(values, key, 1)
    assert refusal(values) == f"{key} is no setting; the nearest one is {nearest}."


def test_a_key_like_no_other_is_refused_all_the_same(values):
    """Where nothing looks alike, nothing is suggested."""
    change(values, "train.zzz", 1)
    assert refusal(values) == "train.zzz is no setting."


@pytest.mark.parametrize(
    "key",
    ["task", "featurize", "label.horizon", "label.direction", "label.volatility.target", "train.seeds"],
)
def test_a_missing_key_is_named(values, key):
    """There are no hidden defaults: each setting must be there, the other task's too."""
    remove(values, key)
    assert refusal(values).startswith(f"{key} is missing; ")


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("label.horizon", "14"),
        ("label.horizon", 14.0),
        ("train.units", True),
        ("train.dropout", "low"),
        ("train.dropout", float("nan")),
        ("train.learning_rate", float("inf")),
        ("train.uniqueness", 1),
        ("featurize.windows", 24),
        ("featurize.groups", ["returns", "rangs"]),
        ("label.direction", None),
        ("train.batch", 0),
        ("fetch.timeframe", "1 hour"),
    ],
)
def test_a_wrong_type_or_value_is_named_with_what_arrived(values, key, value):
    """No type is guessed: the line names the setting first and ends with what arrived."""
    change(values, key, value)
    message = refusal(values)
    assert message.startswith(key)
    culprit = value[-1] if isinstance(value, list) else value
    assert message.endswith(f"received {culprit!r}.")


@pytest.mark.parametrize("block", ["featurize", "label", "train"])
@pytest.mark.parametrize("value", [None, 3, [1]])
def test_a_section_must_be_a_block(values, block, value):
    """A section that holds no settings of its own is refused by its name."""
    change(values, block, value)
    assert refusal(values).startswith(block)


def test_an_unknown_task_is_refused(values):
    """There are so many questions, and the line names them all."""
    change(values, "task", "both")
    assert refusal(values) == f"task must be one of {', '.join(TASKS)}; received 'both'."


@pytest.mark.parametrize("horizon", [3, 1, 0, -5])
def test_a_horizon_within_the_memory_of_the_atr_is_refused(values, horizon):
    """Below four bars the ATR's own memory would be the forecast."""
    change(values, "label.horizon", horizon)
    message = refusal(values)
    assert message.startswith("label.horizon must be at least 4 bars")
    assert message.endswith(f"received {horizon}.")


def test_four_bars_are_enough_of_a_horizon(values):
    """The rule refuses horizons below 4, not 4."""
    change(values, "label.horizon", 4)
    check_params(values)


def test_a_val_that_the_purge_would_empty_is_refused(values):
    """Walk-forward's val must outlast the horizon; the hold-out's is a share of the rows."""
    values["split"]["val_bars"] = values["label"]["horizon"]

    assert refusal(values).startswith("split.val_bars must exceed label.horizon")
    values["split"]["scheme"] = "holdout"
    check_params(values)


@pytest.mark.parametrize(
    ("key", "value"), [("split.warmup_bars", 760), ("train.window", 100), ("featurize.windows", [1, 790])]
)
def test_a_warm_up_too_short_for_features_and_window_is_refused(values, key, value):
    """The first row's window needs features, and the first of those their look-back."""
    change(values, key, value)
    assert refusal(values).startswith("split.warmup_bars must be at least")


def test_params_are_loaded_as_their_model(values, tmp_path):
    """Each section has its stage's own type, and can't be changed afterwards."""
    path = tmp_path / "params.yaml"
    path.write_text(yaml.safe_dump(values), encoding="utf-8")

    params = load_params(str(path)).featurize
    assert params.windows == values["featurize"]["windows"]
    with pytest.raises(ValueError, match="frozen"):
        params.windows = [1, 2]  # type: ignore[misc]  # mypy knows it too


def test_a_stage_refuses_to_start_over_another_stages_setting(values, tmp_path):
    """All sections are checked whatever a stage needs: train must not fail after an hour of fetching."""
    change(values, "train.units", -1)
    path = tmp_path / "params.yaml"
    path.write_text(yaml.safe_dump(values), encoding="utf-8")
    with pytest.raises(InputError, match=r"^train\.units should be"):
        load_params(str(path))


@pytest.mark.parametrize("text", ["a: [1", "- 1\n- 2", "", "key: \x01", "a: 1\n b: 2"])
def test_what_is_no_block_of_settings_is_refused_in_a_line(tmp_path, text):
    """Broken YAML, a list, an empty file: one line that names the file."""
    path = tmp_path / "params.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(InputError) as caught:
        read_params(str(path))
    assert str(caught.value).startswith(str(path))
    assert "\n" not in str(caught.value)


def test_a_missing_file_is_named(tmp_path):
    """Without params.yaml the line says which file was looked for."""
    with pytest.raises(InputError, match=r"params\.yaml must be a readable file"):
        read_params(str(tmp_path / "params.yaml"))


@pytest.mark.parametrize(
    ("key", "values_out"),
    [
        ("fetch.end", ["2225-01-01", "9999-12-31"]),
        ("fetch.start", ["1969-12-31"]),
        ("fetch.timeframe", ["5w", "9999d"]),
        ("fetch.symbols", [[f"A{number}/B" for number in range(1001)]]),
        ("fetch.max_gap_bars", [10**7 + 1]),
        ("fetch.simulated.seed", [2**32, -1]),
        ("fetch.exchange.name", ["x" * 51]),
        ("featurize.windows", [[1, 10**7 + 1], list(range(1, 60))]),
        ("label.horizon", [100_001]),
        ("label.direction.up_atr", [1e300, 1e-300, 0.0]),
        ("label.direction.down_atr", [1e300, 1e-300, 0.0]),
        ("split.folds", [0, 1001]),
        ("split.test_bars", [0, 10**7 + 1]),
        ("split.val_bars", [0, 10**7 + 1]),
        ("split.warmup_bars", [0, 10**7 + 1]),
        ("baseline.refit_bars", [0, 10**7 + 1]),
        ("baseline.window_bars", [199, 10**7 + 1]),
        ("train.units", [0, 1_000_000]),
        ("train.window", [0, 5_001]),
        ("train.dropout", [-0.1, 1.0]),
        ("train.batch", [0, 10**9]),
        ("train.epochs", [0, 10**9]),
        ("train.patience", [0, 10**9]),
        ("train.learning_rate", [0.0, 1e-300, 1.5, 1e300]),
        ("train.seeds", [[], [2**32], list(range(101))]),
        ("evaluate.bootstrap", [99, 10**9]),
        ("evaluate.seed", [2**32]),
        ("evaluate.cost_bps", [-0.1, 1e308]),
        ("evaluate.target_volatility_pct", [0.0, 1e-300, 1e300]),
        ("evaluate.max_position", [0.0, 1e-300, 1e300]),
        ("evaluate.no_trade_band", [-0.1, 1.0]),
    ],
)
def test_a_number_that_no_run_could_use_is_refused(values, key, values_out):
    """Too small to do anything, or too large for memory, time or arithmetic: never found out by the run."""
    for value in values_out:
        changed = copy.deepcopy(values)
        change(changed, key, value)
        assert refusal(changed).startswith(key)


def test_a_barrier_that_nothing_can_touch_is_refused_where_it_decides(values):
    """With time-outs as zeros all labels would be 0; with the return's sign, far barriers are none."""
    values["label"]["direction"] |= {"up_atr": 14.5, "timeout": "zero"}
    assert refusal(values).startswith("label.direction.up_atr must be at most label.horizon")

    for harmless in ({"timeout": "sign"}, {"timeout": "zero", "up_atr": 14.0, "down_atr": 100.0}):
        values["label"]["direction"] |= harmless
        check_params(values)


def test_a_window_of_too_many_bars_is_refused(values):
    """Each end may be sound alone: eighty years of hours are, eighty years of minutes aren't."""
    values["fetch"] |= {"start": "1970-01-01", "end": "2050-01-01"}
    check_params(values)

    values["fetch"]["timeframe"] = "1m"
    assert "must leave at most 10,000,000 bars of 1m" in refusal(values)


@pytest.mark.parametrize(("value", "words"), [(10.0, "10.0"), ("010", "'010'"), (True, "True")])
def test_a_whole_number_must_be_written_as_one(values, value, words):
    """`10.0` and `1e1` are no counts of units: a line says so, and nothing is rounded."""
    change(values, "train.units", value)
    assert refusal(values) == f"train.units should be a valid integer; received {words}."


@pytest.fixture
def running(values: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Params:
    """The settings that a stage has begun with, in a folder of its own, with the project's dvc.yaml."""
    monkeypatch.chdir(tmp_path)
    Path("dvc.yaml").write_bytes((ROOT / "dvc.yaml").read_bytes())
    Path("params.yaml").write_text(yaml.safe_dump(values), encoding="utf-8")
    return load_params()


@pytest.mark.parametrize(
    ("noted_for", "value", "told"),
    [
        ("featurize featurize.windows", [1, 4], "received [1, 4], after [1, 4, 24, 168, 720] at first"),
        ("featurize fetch.timeframe", "4h", "received '4h', after '1h' at first"),
        ("featurize featurize", 5, "received 5, after {"),
        ("label label.direction.up_atr", 3.0, "received 3.0, after 1.5 at first"),
        ("label task", "volatility", "received 'volatility', after 'direction' at first"),
        ("fetch fetch.simulated.seed", 2, "received 2, after 1 at first"),
    ],
)
def test_a_setting_that_changes_under_a_stage_is_refused(
    running: Params, values: dict[str, Any], noted_for: str, value: Any, told: str
):
    """The setting is named, and what it was, if DVC notes it for the stage."""
    stage, key = noted_for.split()
    check_unchanged(stage, running)
    change(values, key, value)
    Path("params.yaml").write_text(yaml.safe_dump(values), encoding="utf-8")

    with pytest.raises(InputError, match=f"^{key} must stay as it is while a stage .* runs") as caught:
        check_unchanged(stage, running)
    assert told in str(caught.value)


@pytest.mark.parametrize(
    ("stage", "key", "value"),
    [
        ("featurize", "train.units", 77),
        ("featurize", "task", "volatility"),
        ("label", "label.volatility.target", "true_range"),
        ("fetch", "fetch.file.timezone", "Asia/Tokyo"),
    ],
)
def test_other_settings_may_change_meanwhile(
    running: Params, values: dict[str, Any], stage: str, key: str, value: Any
):
    """A stage has nothing to say to those that DVC doesn't note for it, nor to comments."""
    change(values, key, value)
    Path("params.yaml").write_text("# for the next run\n" + yaml.safe_dump(values), encoding="utf-8")

    check_unchanged(stage, running)


def test_without_a_pipeline_nothing_is_noted(running: Params):
    """A stage can be run by hand where there is no DVC."""
    listed = ["task", "fetch.timeframe", "label.horizon", "split.bridge_bars", "train"]
    assert noted("train", running.model_dump()) == listed
    Path("dvc.yaml").unlink()

    assert noted("train", running.model_dump()) == []


def test_a_misspelt_name_is_named_rather_than_the_one_it_hides(values: dict[str, Any]):
    """Both are wrong; the error shows what stands in the file."""
    change(values, "train.unitz", 32)
    remove(values, "train.units")

    assert refusal(values) == "train.unitz is no setting; the nearest one is train.units."

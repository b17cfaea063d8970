"""`dvc exp run -S`, for every setting: what DVC writes is what a stage reads and what dvc.lock says.

Most tests call what writes params.yaml inside DVC; a few run all of it.
"""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from dvc.utils.hydra import apply_overrides
from ruamel.yaml import YAML

from stages.common.errors import InputError
from stages.common.task import TASKS
from stages.evaluate.subject import flat
from stages.params import check_params, read_params
from tests.project import ROOT, Project
from tests.questions import other_settings

# The program of the only stage: what the models of params.yaml hold.
READS = """
import json
from pathlib import Path

from stages.params import load_params

Path("read.json").write_text(json.dumps(load_params().model_dump()))
"""
STAGE = {
    "cmd": "python reads.py",
    "params": ["task", "fetch", "featurize", "label", "split", "baseline", "train", "evaluate"],
    "outs": ["read.json"],
}

# As it is written behind `-S`, and what is meant; none is what is committed.
VALUES: dict[str, list[tuple[str, Any]]] = {
    # Of a task that has none below.
    **{
        f"label.{task}.{name}": [(str(value), value)]
        for task in TASKS
        for name, value in other_settings(task).items()
    },
    "task": [("volatility", "volatility"), ("'volatility'", "volatility")],
    "fetch.source": [("exchange", "exchange"), ("file", "file")],
    "fetch.symbols": [
        ("[BTC/USDT,ETH/USDT]", ["BTC/USDT", "ETH/USDT"]),
        ("[BTC/USDT:USDT, SOL/USDT]", ["BTC/USDT:USDT", "SOL/USDT"]),
    ],
    "fetch.timeframe": [("4h", "4h"), ("1d", "1d")],
    "fetch.start": [("2020-09-20", "2020-09-20"), ("2021-01-20T16:00", "2021-01-20T16:00")],
    "fetch.end": [("2025-12-01", "2025-12-01"), ("2025-09-19T23:00:00", "2025-09-19T23:00:00")],
    "fetch.max_gap_bars": [("0", 0), ("1_000", 1000), ("10000", 10_000)],
    "fetch.max_jump": [("1e12", 1e12), ("2", 2.0)],
    "fetch.simulated.seed": [("4294967295", 4294967295), ("0", 0)],
    "fetch.simulated.drift_signal": [("1e-300", 1e-300), (".05", 0.05)],
    "fetch.simulated.volatility_memory": [("0", 0.0), ("5E-5", 5e-5)],
    "fetch.simulated.distance_effect": [("0", 0.0), (".5", 0.5)],
    "fetch.simulated.release_effect": [("0", 0.0), ("1e-3", 1e-3)],
    "fetch.exchange.name": [("kraken", "kraken"), ("okx", "okx")],
    "fetch.file.timezone": [("Europe/Zurich", "Europe/Zurich"), ("'Etc/GMT+5'", "Etc/GMT+5")],
    "featurize.events": [("none", "none"), ("'none'", "none")],
    "featurize.groups": [("[returns,clock]", ["returns", "clock"]), ("[freed]", ["freed"])],
    "featurize.windows": [("[1,4]", [1, 4]), ("[2,3,600]", [2, 3, 600])],
    "label.horizon": [("4", 4), ("24", 24)],
    "label.direction.up_atr": [("3", 3.0), ("0.1", 0.1)],
    "label.direction.down_atr": [("2.50", 2.5), ("1e1", 10.0)],
    "label.direction.timeout": [("zero", "zero"), ("'zero'", "zero")],
    "label.volatility.target": [("true_range", "true_range"), ('"true_range"', "true_range")],
    "split.scheme": [("holdout", "holdout"), ("'holdout'", "holdout")],
    "split.folds": [("1", 1), ("9", 9)],
    "split.test_bars": [("3600", 3600), ("100", 100)],
    "split.val_bars": [("720", 720), ("8", 8)],
    "split.warmup_bars": [("900", 900), ("10000", 10_000)],
    "split.bridge_bars": [("0", 0), ("48", 48)],
    "baseline.refit_bars": [("24", 24), ("1", 1)],
    "baseline.min_bars": [("200", 200), ("1500", 1500)],
    "baseline.window_bars": [("17520", 17_520), ("10000000", 10_000_000)],
    "baseline.slow_refit_bars": [("2160", 2160), ("10", 10)],
    "train.network": [("gru", "gru"), ("dense", "dense")],
    "train.units": [("64", 64), ("2048", 2048)],
    "train.window": [("24", 24), ("96", 96)],
    "train.dropout": [("0", 0.0), ("0.30000000000000004", 0.30000000000000004)],
    "train.offset": [("none", "none"), ("'none'", "none")],
    "train.error_half_lives": [("[1,24,168]", [1, 24, 168]), ("[3]", [3])],
    "train.trees": [("60", 60), ("1", 1)],
    "train.class_weights": [("balanced", "balanced"), ('"balanced"', "balanced")],
    "train.uniqueness": [("true", True), ("True", True)],
    "train.batch": [("32", 32), ("1", 1)],
    "train.epochs": [("50", 50), ("8", 8)],
    "train.keep_epoch": [("last", "last"), ("'last'", "last")],
    "train.refit_epochs": [("6", 6), ("10000", 10_000)],
    "train.patience": [("10", 10), ("7", 7)],
    "train.learning_rate": [("5e-5", 5e-5), ("1e-8", 1e-8), ("0.00001", 1e-5)],
    "train.seeds": [("[1,2,3]", [1, 2, 3]), ("[4294967295]", [4294967295])],
    "evaluate.bootstrap": [("100", 100), ("100000", 100_000)],
    "evaluate.seed": [("7", 7), ("10", 10)],
    "evaluate.cost_bps": [("0", 0.0), ("1e-7", 1e-7)],
    "evaluate.target_volatility_pct": [("1_0.5", 10.5), ("33.3", 33.3)],
    "evaluate.max_position": [("1", 1.0), ("1e6", 1e6)],
    "evaluate.no_trade_band": [("0", 0.0), ("9e-1", 0.9)],
}


DATE_RULE = 'must be an ISO date or date-time from 1970 to 2100, in quotes, as "2022-01-01"'


def of_yaml(path: Path) -> Any:
    """A YAML file as DVC reads it."""
    return YAML(typ="safe").load(path.read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """The project as committed, but for a single stage, which tells what it reads."""
    project = Project(tmp_path_factory.mktemp("settings"))
    (project.folder / "params.yaml").write_bytes((ROOT / "params.yaml").read_bytes())
    (project.folder / "reads.py").write_text(READS, encoding="utf-8")
    (project.folder / "dvc.yaml").write_text(json.dumps({"stages": {"read": STAGE}}), encoding="utf-8")
    project.run("dvc", "repro", "-q")
    project.commit()
    return project


@pytest.fixture
def params(tmp_path: Path) -> Path:
    """params.yaml as committed."""
    path = tmp_path / "params.yaml"
    path.write_bytes((ROOT / "params.yaml").read_bytes())
    return path


def turns(turn: int) -> tuple[list[str], dict[str, Any]]:
    """Every setting in one of its ways, as it stands behind `-S`, and what is meant."""
    chosen = {key: values[turn % len(values)] for key, values in VALUES.items()}
    expected = {key: value for key, (_, value) in chosen.items()}
    if turn == 1:  # or the look-back is too long for it
        chosen["split.warmup_bars"] = VALUES["split.warmup_bars"][1]
    return [f"{key}={text}" for key, (text, _) in chosen.items()], expected


def check_same(found: Any, expected: dict[str, Any]) -> None:
    """Fail unless all settings are these, and of these types."""
    assert flat(found) == expected
    for key, value in flat(found).items():
        assert isinstance(value, bool) == isinstance(expected[key], bool)


def options(settings: list[str]) -> list[str]:
    """As `dvc exp run` has them."""
    return [part for setting in settings for part in ("-S", setting)]


@pytest.mark.parametrize("turn", range(3))
def test_every_setting_is_read_as_it_is_set(params: Path, turn: int):
    """Each way of writing a value is tried."""
    committed = flat(of_yaml(params))
    assert VALUES.keys() == committed.keys()
    settings, expected = turns(turn)

    apply_overrides(str(params), settings)

    values = read_params(str(params))
    for found in (check_params(values).model_dump(), values, of_yaml(params)):
        check_same(found, expected)
    assert all(value != committed[key] for key, value in expected.items())


def test_a_stage_and_the_lock_have_what_is_set(reader: Project):
    """Every setting, through the whole of DVC."""
    settings, expected = turns(0)

    reader.run("dvc", "exp", "run", *options(settings))

    read = json.loads((reader.folder / "read.json").read_text(encoding="utf-8"))
    lock = of_yaml(reader.folder / "dvc.lock")["stages"]["read"]["params"]["params.yaml"]
    for found in (read, lock, of_yaml(reader.folder / "params.yaml")):
        check_same(found, expected)


def test_there_and_back_leaves_params_yaml_as_it_was(params: Path):
    """Every setting, comments and all: the file is in the form that DVC writes."""
    committed = params.read_text(encoding="utf-8").splitlines(
        keepends=True
    )  # so that a failure shows the line
    original = [f"{key}={json.dumps(value)}" for key, value in flat(of_yaml(params)).items()]
    apply_overrides(str(params), turns(0)[0])
    assert params.read_text(encoding="utf-8").splitlines(keepends=True) != committed

    apply_overrides(str(params), original)

    assert params.read_text(encoding="utf-8").splitlines(keepends=True) == committed


@pytest.mark.parametrize(
    ("setting", "rule"),
    [
        ("evaluate.seed=08", "should be a valid integer; received '08'."),
        ("train.uniqueness=yes", "should be a valid boolean; received 'yes'."),
        ("train.window=null", "should be a valid integer; received None."),
        ("train.units=1e3", "should be a valid integer; received 1000.0."),
        ("task=", f"must be one of {', '.join(TASKS)}; received ''."),
        ("fetch.symbols=BTC/USDT", "should be a valid list; received 'BTC/USDT'."),
        ("fetch.end=2022-02-30", f"{DATE_RULE}; received '2022-02-30'."),
        ("fetch.symbols=[]", "must have at least 1 item; received []."),
        ("featurize.groups=[]", "must have at least 1 item; received []."),
        ("featurize.windows=[]", "must have at least 2 items; received []."),
        ("train.seeds=[]", "must have at least 1 item; received []."),
    ],
)
def test_what_dvc_makes_of_another_text_is_refused(params: Path, setting: str, rule: str):
    """YAML 1.2 has no octal numbers but 0o10 and no yes; a stage takes no text for a number."""
    apply_overrides(str(params), [setting])

    with pytest.raises(InputError, match=f"{re.escape(rule)}$"):
        check_params(read_params(str(params)))


def test_a_stage_refuses_it(reader: Project):
    """Of all of them one, through the whole of DVC."""
    result = reader.try_run("dvc", "exp", "run", "-S", "evaluate.seed=08")
    reader.run("git", "reset", "--hard")

    assert result.returncode
    assert "should be a valid integer; received '08'." in result.stderr


def test_a_name_that_is_no_setting_is_refused_by_dvc(reader: Project):
    """Before anything runs."""
    before = (reader.folder / "params.yaml").read_bytes()

    result = reader.try_run("dvc", "exp", "run", "-S", "train.unit=3")

    assert result.returncode
    assert "Running stage" not in result.stdout
    assert (reader.folder / "params.yaml").read_bytes() == before


def test_a_grid_is_one_command(reader: Project):
    """Lists of values behind `-S` make a queue of their combinations."""
    grid = ["task=direction,volatility", "label.horizon=range(4,16,4)"]
    printed = reader.run("dvc", "exp", "run", "--queue", *options(grid))
    reader.run("dvc", "queue", "remove", "--all")

    assert printed.count("Queued experiment") == 6

"""A pipeline of two symbols with gaps, run once for each task, whose networks all have a part in it."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from stages.baseline.__main__ import main as baseline
from stages.evaluate.__main__ import main as evaluate
from stages.featurize.__main__ import main as featurize
from stages.fetch.__main__ import main as fetch
from stages.label.__main__ import main as label
from stages.params import load_params
from stages.train import stage as train_stage
from stages.train import trees
from stages.train.__main__ import main as train
from tests.conftest import random_candles
from tests.settings import write_params

N_BARS = 2200
END = "2022-04-04T16:00"  # N_BARS hours after the first
SETTINGS = {
    "fetch.source": "file",
    "fetch.symbols": ["BTC/USDT", "ETH/USDT"],
    "fetch.start": "2022-01-03",
    "fetch.end": END,
    "featurize.windows": [1, 4, 24],
    "featurize.groups": ["returns", "ranges", "clock", "distance", "freed"],
    "label.horizon": 5,
    "split.folds": 2,
    "split.test_bars": 250,
    "split.val_bars": 200,
    "split.warmup_bars": 200,
    "baseline.min_bars": 200,
    "baseline.window_bars": 400,
    "train.network": "dense",
    "train.units": 4,
    "train.window": 4,
    "train.epochs": 1,
    "train.keep_epoch": "last",
    "train.refit_epochs": 1,
    "train.learning_rate": 0.01,
    "train.error_half_lives": [24],
    "train.trees": 5,
    "train.seeds": [1, 2],
    "evaluate.bootstrap": 100,
}
MISSING = {"BTC-USDT": [900, 901, 1500], "ETH-USDT": [*range(1200, 1230), 1990]}

MakeMarket = Callable[[str], Path]


def put_candles(n_bars: int = N_BARS) -> None:
    """The files that the source reads: each symbol has gaps of its own."""
    folder = Path("data/import/file")
    folder.mkdir(parents=True, exist_ok=True)
    for seed, (name, missing) in enumerate(MISSING.items(), 1):
        candles = random_candles(N_BARS + 50, seed, missing)
        first = candles["open_time"].iloc[0]
        inside = candles["open_time"] < first + (n_bars * candles["open_time"].diff().min())
        candles[inside].to_parquet(folder / f"{name}.parquet")


def run_pipeline() -> None:
    """All stages in this process, whatever a network is worth."""
    params = load_params()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LOKY_MAX_CPU_COUNT", "1")
        patch.setattr(train_stage, "wanted", lambda folds, *_: set(folds))
        patch.setitem(trees.COMMON, "min_samples_leaf", 20)
        for stage in (fetch, featurize, label, baseline, train, evaluate):
            stage(params)


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> MakeMarket:
    """`made(task)` gives a folder in which its pipeline has run; only to be copied."""
    folders: dict[str, Path] = {}

    def make(task: str) -> Path:
        if task not in folders:
            folder, before = tmp_path_factory.mktemp(task), Path.cwd()
            os.chdir(folder)
            try:
                put_candles()
                write_params(SETTINGS | {"task": task})
                run_pipeline()
            finally:
                os.chdir(before)
            folders[task] = folder
        return folders[task]

    return make


@pytest.fixture
def market(made: MakeMarket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> MakeMarket:
    """`market(task)` goes to a copy of that folder, where the defaults of the settings are, too."""

    def go(task: str) -> Path:
        folder = tmp_path / task
        shutil.copytree(made(task), folder)
        (folder / "stages/evaluate").mkdir(parents=True)
        source = Path(__file__).parents[3] / "stages/evaluate/defaults.yaml"
        shutil.copy(source, folder / "stages/evaluate/defaults.yaml")
        monkeypatch.chdir(folder)
        monkeypatch.setenv("LOKY_MAX_CPU_COUNT", "1")
        return folder

    return go

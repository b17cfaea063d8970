import re
from itertools import combinations, pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from pandas.testing import assert_frame_equal

from stages.common.errors import InputError
from stages.common.tables import read_table, read_tables, write_table
from stages.common.task import TASKS
from stages.evaluate.subject import flat
from stages.label.__main__ import main
from stages.params import load_params
from tests import settings
from tests.conftest import random_candles
from tests.questions import other_settings
from tests.refusals import refusal_of

SMALL: dict[str, dict[str, Any]] = {
    "featurize": {"groups": ["clock"]},
    "train": {"window": 10},
    "label": {"horizon": 6},
    "split": {"folds": 2, "test_bars": 80, "val_bars": 40, "warmup_bars": 40},
}


def write_params(**changes: Any) -> None:
    """params.yaml as shipped, with small numbers of bars and the changes given, section by section."""
    settings.write_params({**flat(SMALL), **flat(changes)})


def labels_as_bytes() -> dict[str, bytes]:
    """All files of data/labels."""
    return {path.name: path.read_bytes() for path in Path("data/labels").iterdir()}


@pytest.fixture(autouse=True)
def market(tmp_path, monkeypatch) -> None:
    """A folder of its own with small settings and candles of one symbol."""
    monkeypatch.chdir(tmp_path)
    write_params()
    write_table("data/candles/BTC-USDT.parquet", random_candles(400))


def test_label_writes_a_table_a_symbol_and_the_folds(capsys):
    """Folds are cut on the hours of all symbols' rows together, each hour counted once."""
    write_table("data/candles/ETH-USDT.parquet", random_candles(300, seed=2, start="2022-01-08"))

    main(load_params())

    labels = read_tables("data/labels")
    assert list(labels) == ["BTC-USDT", "ETH-USDT"]
    assert [len(table) for table in labels.values()] == [400 - 46, 300 - 46]
    folds = read_table("data/folds.parquet").set_index(["fold", "role"])
    assert folds.loc[("live", "train"), "first"] == labels["BTC-USDT"]["close_time"].min()
    assert folds.loc[("2", "test"), "last"] == labels["ETH-USDT"]["close_time"].max()
    assert (folds["last"] - folds["first"])[("2", "test")] == pd.Timedelta(
        hours=SMALL["split"]["test_bars"] - 1
    )
    summary = capsys.readouterr().out
    assert summary.startswith("label: 608 rows, mean y ")
    assert "lost: 80 warm-up, 12 horizon, 0 gap, 0 flat" in summary


@pytest.mark.parametrize("task", TASKS)
def test_equal_input_gives_equal_bytes_whatever_the_other_tasks_are_set_to(task):
    """A second run, with the other tasks' blocks edited, rewrites the same files."""
    write_params(task=task)
    main(load_params())
    before = labels_as_bytes()

    write_params(task=task, label={other: other_settings(other) for other in TASKS if other != task})
    main(load_params())

    assert labels_as_bytes() == before


def test_all_tasks_have_the_same_rows_and_folds():
    """Switching the task changes what is asked, neither of whom nor when."""
    tables = []
    for task in TASKS:
        write_params(task=task)
        main(load_params())
        tables.append((read_table("data/labels/BTC-USDT.parquet"), read_table("data/folds.parquet")))

    for (labels, folds), (others, same_folds) in combinations(tables, 2):
        assert_frame_equal(labels[["close_time"]], others[["close_time"]], check_exact=True)
        assert_frame_equal(folds, same_folds, check_exact=True)
        assert not pd.Series.equals(labels["y"], others["y"])


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("scheme", ["walk_forward", "holdout"])
def test_no_label_of_a_role_reaches_the_next_one(task, scheme):
    """In what was written, max(label_end of train) < min(time of val), and likewise of val and test."""
    write_table("data/candles/BTC-USDT.parquet", random_candles(400, missing=[150, 340, 341]))
    write_params(task=task, split={"scheme": scheme})

    main(load_params())

    labels = read_table("data/labels/BTC-USDT.parquet")
    for _, fold in read_table("data/folds.parquet").groupby("fold"):
        spans = zip(fold["first"], fold["last"], strict=True)
        for (first, last), (next_first, _) in pairwise(spans):
            rows = labels[labels["close_time"].between(first, last)]
            assert rows["label_end"].max() < next_first


@pytest.mark.parametrize(
    ("changes", "n_bars", "named"),
    [
        ({"split": {"test_bars": 200}}, 400, "split.test_bars"),
        ({"split": {"val_bars": 6}}, 400, "split.val_bars"),
        ({}, 46, "split.warmup_bars .* while of BTC-USDT's 46 candles 40 come"),
        ({"label": {"horizon": 2}}, 400, "label.horizon"),
    ],
)
def test_bad_input_is_named_and_leaves_the_labels_alone(changes, n_bars, named):
    """What an earlier run wrote stays as it was, byte by byte."""
    main(load_params())
    before = labels_as_bytes()
    write_table("data/candles/BTC-USDT.parquet", random_candles(n_bars))
    write_params(**changes)

    with pytest.raises(InputError, match=named):
        main(load_params())

    assert labels_as_bytes() == before
    assert [path.name for path in Path("data").iterdir() if "labels" in path.name] == ["labels"]


def refusal() -> str:
    """What label says to what is in this folder."""
    return refusal_of(lambda: main(load_params()))


def still(candles: pd.DataFrame) -> pd.DataFrame:
    """The candles of a market that stands still."""
    return candles.assign(**dict.fromkeys(["open", "high", "low", "close"], 5.0))


def test_a_refusal_says_what_the_rows_were_lost_to():
    """Warm-up and horizon always cost a few; here a market stands still, and there none has weekends."""
    write_table("data/candles/BTC-USDT.parquet", still(random_candles(400)))
    assert refusal() == (
        "split.warmup_bars and label.horizon must leave each symbol rows; received 40 and 6, while of "
        "BTC-USDT's 400 candles 40 come within split.warmup_bars of a gap or of the first candle, 6 have "
        "fewer than label.horizon candles after them, 354 are flat, for no price moves in the hours "
        "around them."
    )

    write_params(fetch={"timeframe": "1d"})
    days = pd.Series(pd.date_range("2020-01-06", periods=400, freq="B", tz="UTC", unit="ms"))
    write_table("data/candles/BTC-USDT.parquet", random_candles(400).assign(open_time=days))
    assert refusal().endswith(
        "6 have fewer than label.horizon candles after them, 354 have a gap within label.horizon, as "
        "daily candles without weekends do."
    )


def test_a_refusal_for_too_few_rows_says_where_they_are():
    """Rows that are too few for the folds are mostly lost to what the line says."""
    market = random_candles(400)
    still = market["close"].where(market.index < 100).ffill()
    market = market.assign(
        **{name: market[name].where(market.index < 100, still) for name in ["open", "high", "low", "close"]}
    )
    write_table("data/candles/BTC-USDT.parquet", market)

    message = refusal()

    assert message.startswith("split.folds x split.test_bars + split.val_bars must leave ")
    assert ". Of 400 candles 40 come within " in message
    assert re.search(r", 2\d\d are flat, ", message)


@pytest.mark.parametrize(("growth", "y"), [(-0.02, 0), (0.02, 1)])
def test_labels_of_a_single_class_are_told(capsys, growth, y):
    """A market that goes one way all the time leaves nothing to forecast: a line says so."""
    candles = random_candles(400)
    candles[["open", "high", "low", "close"]] *= np.exp(growth * np.arange(400))[:, None]
    write_table("data/candles/BTC-USDT.parquet", candles)
    write_params(task="direction")

    main(load_params())

    told = capsys.readouterr().out.splitlines()[1:]
    assert told == [f"label: BTC-USDT: every y is {y}, so nothing is left to forecast"]


@pytest.mark.parametrize("task", TASKS)
def test_nothing_is_told_of_labels_that_differ(capsys, task):
    """The summary is all."""
    write_params(task=task)

    main(load_params())

    assert len(capsys.readouterr().out.splitlines()) == 1


def test_no_candles_are_named():
    """Without fetch's output there is a clear line, not a traceback."""
    Path("data/candles/BTC-USDT.parquet").unlink()

    with pytest.raises(InputError, match="data/candles"):
        main(load_params())

import json
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from pandas.testing import assert_frame_equal

from stages.common.environment import ENVIRONMENT_FILE
from stages.common.errors import InputError
from stages.common.tables import Tables, read_table, read_tables, write_table
from stages.common.task import TASKS
from stages.params import check_params, load_params
from stages.train import __main__ as train
from stages.train import trees
from stages.train.errors import last_errors
from stages.train.fitting import fit
from stages.train.params import TrainParams
from stages.train.rows import make_fold, predictions
from stages.train.stage import labelled_rows, with_errors
from stages.train.trees import fit_trees
from stages.train.windows import stack_features
from tests.settings import shipped, write_params
from tests.train.conftest import tiny_params, tiny_rows, tiny_spans, tiny_table

# Keras 3.15 converts TensorFlow's variables in a way that NumPy 2 means to refuse one day.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy keyword")

SYMBOLS = ["BTC-USDT", "ETH-USDT"]
SHIPPED = ["seed-1.weights.h5", "seed-2.weights.h5", "spec.json"]
LIVE_SPEC = Path("models/networks/live/spec.json")
SETTINGS = tiny_params(network="lstm", dropout=0.2, epochs=1, class_weights="balanced", seeds=[1, 2])


def outputs() -> dict[str, bytes]:
    """All files that train wrote, but for what says where it ran."""
    folders = [Path("models"), Path("results"), Path("data/predictions.parquet")]
    files = [
        path
        for top in folders
        for path in (top, *top.rglob("*"))
        if path.is_file() and path != ENVIRONMENT_FILE
    ]
    return {str(path): path.read_bytes() for path in sorted(files)}


def rows_of(features: Tables) -> pd.DataFrame:
    """The rows that the stage makes of what is in the folder."""
    labels, baselines = (read_tables(f"data/{name}", features) for name in ("labels", "baselines"))
    return labelled_rows(features, labels, baselines, load_params())


@pytest.fixture(autouse=True)
def market(tmp_path, monkeypatch) -> None:
    """A folder of its own with the tables of two symbols, as the earlier stages leave them."""
    monkeypatch.chdir(tmp_path)
    write_params({"train": SETTINGS.model_dump()})
    rows, spans = tiny_rows("direction", 2.0), tiny_spans(tiny_rows("direction", 2.0))
    for symbol, table in zip(SYMBOLS, [tiny_table(), tiny_table()[::-1]], strict=True):
        features = rows[["close_time"]].join(pd.DataFrame(table, columns=["a", "b", "c"]))
        write_table(f"data/features/{symbol}.parquet", features[7:])
        write_table(f"data/labels/{symbol}.parquet", rows[["close_time", "y", "weight"]])
        write_table(f"data/baselines/{symbol}.parquet", rows[["close_time"]].assign(benchmark=0.25))
    # Its val is what the last test was, as label cuts it.
    live = spans.iloc[:2].assign(fold="live", last=spans["last"].iloc[1:].array)
    live.loc[live["role"] == "val", "first"] = spans["first"].iloc[2]
    write_table("data/folds.parquet", pd.concat([spans, live]))


def test_train_writes_what_others_read(capsys):
    """Forecasts and curves of the numbered folds, and the networks of all: nothing else.

    They come from processes of their own, and are those that this process finds by itself.
    """
    train.main(load_params())

    curves = [f"fold_1/{role}_{figure}.tsv" for role in ("train", "val") for figure in ("auc", "loss")]
    assert list(outputs()) == [
        "data/predictions.parquet",
        *(f"models/networks/{fold}/{name}" for fold in ("1", "live") for name in SHIPPED),
        "results/train/metrics.json",
        *(f"results/train/plots/metrics/{curve}" for curve in curves),
        "results/training.csv",
    ]
    summary = capsys.readouterr().out
    assert "800 rows; lost: 20 without a whole window, 0 before" in summary

    features = read_tables("data/features")
    _, stacked = stack_features(list(features.values()))
    rows, spans = rows_of(features), read_table("data/folds.parquet")
    fold = make_fold("1", spans, rows, TASKS["direction"], SETTINGS)
    fits = [fit(fold, seed, stacked, TASKS["direction"], SETTINGS) for seed in SETTINGS.seeds]
    expected = predictions(fold, np.mean([f.correction for f in fits], axis=0))
    actual = read_table("data/predictions.parquet")
    assert_frame_equal(actual, expected, check_exact=True, check_dtype=False)
    curve = pd.read_csv("results/train/plots/metrics/fold_1/val_loss.tsv", sep="\t")
    np.testing.assert_array_equal(curve["step"], [0, 1])
    mean_loss = (fits[0].curves["val_loss"] + fits[1].curves["val_loss"]) / 2
    assert curve["val_loss"].tolist() == [float(f"{loss:.6g}") for loss in mean_loss]
    table = pd.read_csv("results/training.csv", dtype={"fold": str})
    assert list(table) == ["fold", "epoch", "train_loss", "val_loss", "unit"]
    assert table["val_loss"].tolist() == curve["val_loss"].tolist()
    assert set(table["fold"]) == {"1"}
    assert set(table["unit"]) == {"direction: log loss"}

    spec = json.loads(LIVE_SPEC.read_text(encoding="utf-8"))
    assert TrainParams(**spec["train"]) == SETTINGS
    assert spec["features"] == ["a", "b", "c"]


def test_with_trees_three_voices_are_averaged(monkeypatch):
    """Baseline, network and trees; what ships with the networks gives the trees' voice again."""
    monkeypatch.setenv("LOKY_MAX_CPU_COUNT", "1")  # in this process, which has smaller leaves
    monkeypatch.setitem(trees.COMMON, "min_samples_leaf", 20)
    settings = SETTINGS.model_copy(
        update={"trees": 40, "error_half_lives": [24], "seeds": [1], "network": "dense"}
    )
    write_params({"train": settings.model_dump()})
    params = load_params()
    task, features = TASKS["direction"], read_tables("data/features")

    train.main(params)

    names, table = stack_features(list(features.values()))
    rows = rows_of(features)
    names, table = with_errors(names, table, features, rows, params)
    folds = {name: make_fold(name, read_table("data/folds.parquet"), rows, task, settings) for name in "1"}
    fold = folds["1"]
    network = fit(fold, 1, table, task, settings).correction
    expected = predictions(fold, (network + fit_trees(fold, table, task, settings).correction) / 3)
    assert_frame_equal(
        read_table("data/predictions.parquet"), expected, check_exact=True, check_dtype=False
    )

    spec = json.loads(LIVE_SPEC.read_text(encoding="utf-8"))
    assert spec["features"] == names == ["a", "b", "c", "error_24"]
    after = fold.of("test").index
    y, offset = fold.rows["y"][after].to_numpy(), fold.rows["offset"][after].to_numpy()
    saved = task.loss(y, offset) - task.loss(y, expected["score"][after].to_numpy())
    assert spec["kept"] is bool(saved.sum() > 0)
    live = make_fold("live", read_table("data/folds.parquet"), rows, task, settings)
    again = trees.corrections(
        read_table("models/networks/live/trees.parquet"), table[live.rows["end"].to_numpy()]
    )
    np.testing.assert_array_equal(again, fit_trees(live, table, task, settings).correction)


def test_where_nothing_is_saved_the_baseline_stays(capsys):
    """Bit for bit, and it is said: in the log, and for whoever builds the networks again."""
    write_params({"train": SETTINGS.model_dump() | {"keep_epoch": "last", "class_weights": "none"}})
    spans = read_table("data/folds.parquet")
    first = spans.loc[spans["role"] == "val", "first"].iloc[0]
    for symbol in SYMBOLS:
        labels = read_table(f"data/labels/{symbol}.parquet")
        # What train learns is wrong ever after: on val, and on the test that decides for the live fold.
        labels["y"] = (labels["close_time"] < first).astype(float)
        write_table(f"data/labels/{symbol}.parquet", labels)

    train.main(load_params())

    predictions = read_table("data/predictions.parquet")
    assert (predictions["score"] == TASKS["direction"].link(np.full(1, 0.25))[0]).all()
    assert json.loads(LIVE_SPEC.read_text(encoding="utf-8"))["kept"] is False
    assert "none kept, for it had saved nothing so far: 1, live" in capsys.readouterr().out


def test_errors_are_each_symbols_own(rows):
    """They stand beside the features of the symbol whose baseline erred, in the features' order."""
    params = check_params(
        shipped() | {"train": SETTINGS.model_copy(update={"error_half_lives": [2]}).model_dump()}
    )
    features = {name: rows[["close_time"]].assign(a=1.0) for name in ("ETH-USDT", "BTC-USDT")}
    labelled = pd.concat([rows.assign(symbol="BTC-USDT"), rows.assign(symbol="ETH-USDT", y=1 - rows["y"])])
    table = np.ones((800, 1), np.float32)
    names, wider = with_errors(["a"], table, features, labelled, params)
    assert names == ["a", "error_2"]
    horizon = pd.Timedelta(hours=params.label.horizon)
    for first, symbol in ((0, "ETH-USDT"), (400, "BTC-USDT")):
        own = labelled[labelled["symbol"] == symbol]
        expected = last_errors(own["close_time"], own, TASKS["direction"], horizon, [2])
        np.testing.assert_array_equal(wider[first : first + 400, 1:], expected)


def test_curves_are_there_as_each_fold_ends():
    """For whoever watches a run; in the order of the folds, in whatever order they end."""
    curves = pd.DataFrame({"train_loss": [0.7, 0.6], "val_loss": [0.8, 0.9]}, index=[0, 1])
    curves.index.name = "epoch"

    with ExitStack() as opened:
        note = train.curves_writer(opened, "direction: log loss")
        assert not Path("results").exists()
        seen = []
        for fold in ("10", "2"):
            note(fold, curves)
            seen.append(pd.read_csv("results/training.csv")["fold"].tolist())
            summary = json.loads(Path("results/train/metrics.json").read_text(encoding="utf-8"))
            assert summary[f"fold_{fold}"] == {"train_loss": 0.6, "val_loss": 0.9}

    assert seen == [[10, 10], [2, 2, 10, 10]]


def test_each_rows_window_ends_in_its_own_symbols_features():
    """Below each other, the symbols' features are still found by symbol and time."""
    features = read_tables("data/features")
    names, table = stack_features(list(features.values()))
    rows = rows_of(features)
    rows = rows[rows["end"] >= 0]
    assert len(rows) == 2 * 390
    for symbol in SYMBOLS:
        of_symbol = rows[rows["symbol"] == symbol]
        expected = features[symbol].set_index("close_time").loc[of_symbol["close_time"], names]
        np.testing.assert_array_equal(table[of_symbol["end"]], expected.to_numpy())


def test_bad_input_leaves_the_outputs_alone(monkeypatch):
    """Where a fold has no rows to train on, the error comes before any output is touched."""
    for path in ("data/predictions.parquet", str(LIVE_SPEC), "results/train/metrics.json"):
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        Path(path).write_text("as it was", encoding="utf-8")
    before = outputs()
    for symbol in SYMBOLS:
        path = f"data/baselines/{symbol}.parquet"
        write_table(path, read_table(path).assign(benchmark=np.nan))
    with pytest.raises(InputError, match=r"baseline\.min_bars"):
        train.main(load_params())
    assert outputs() == before


def test_a_folder_without_features_is_refused():
    """Nothing to train on is bad input, not a crash."""
    for symbol in SYMBOLS:
        Path(f"data/features/{symbol}.parquet").unlink()
    with pytest.raises(InputError, match="data/features must hold a table a symbol"):
        train.main(load_params())


def test_a_plug_in_that_would_crash_is_found_first(monkeypatch):
    """The accelerator is checked before any work starts."""
    monkeypatch.setattr(train, "installed", {"tensorflow": "2.21.0", "tensorflow-metal": "1.2.0"}.get)
    with pytest.raises(InputError, match=r"tensorflow-metal 1\.2\.0 with TensorFlow 2\.21\.0"):
        train.main(load_params())

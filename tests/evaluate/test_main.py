import hashlib
import importlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from stages.common.environment import ENVIRONMENT_FILE
from stages.common.errors import InputError
from stages.common.tables import write_table
from stages.common.task import TASKS
from stages.evaluate.ledger import FORECAST, SCORES, md5, read_trial
from stages.params import load_params
from tests.settings import write_params

main = importlib.import_module("stages.evaluate.__main__")

CANDLES = {
    "rows": 600,
    "gaps": [],
    "jumps": [],
    "broken_rows_left_out": [],
    "sha256": "0123456789ab",
    "first": "2022-01-03T00:00:00+00:00",
    "last": "2022-01-27T23:00:00+00:00",
}
CURVES = "fold,epoch,train_loss,val_loss,unit\n2,0,0.6,0.7,a: b\n2,1,0.5,0.6,a: b\n10,0,0.6,0.7,a: b\n"


def stand_in(inputs: Any, task: str, folder: Path) -> None:
    """What the stages before evaluate leave, in `folder`."""
    write_params({"task": task, "evaluate.bootstrap": 100}, folder)
    write_table(folder / "data/predictions.parquet", inputs.predictions)
    for stage, table in (("labels", inputs.labels), ("baselines", inputs.baselines)):
        for symbol, rows in table.groupby("symbol"):
            write_table(folder / f"data/{stage}/{symbol}.parquet", rows.drop(columns="symbol"))
    (folder / "results").mkdir()
    (folder / "results/training.csv").write_text(CURVES, encoding="utf-8")
    (folder / "data/candles").mkdir()
    (folder / "data/candles/receipt.json").write_text(json.dumps({"symbols": {"BTC": CANDLES}}), "utf-8")


def digests(folder: Path) -> dict[str, str]:
    """Each output file's digest, by its path; what says where the stage ran is no output."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted((folder / "results").rglob("*"))
        if path.is_file() and path != folder / ENVIRONMENT_FILE
    }


@pytest.mark.parametrize("task", TASKS)
def test_a_run_writes_metrics_plots_and_figures(make_inputs, task, tmp_path, monkeypatch, capsys):
    """The same names whatever the task, the same bytes every time, and the verdict on the screen."""
    stand_in(make_inputs(task), task, tmp_path)
    monkeypatch.chdir(tmp_path)

    main.main(load_params())
    first, printed = digests(tmp_path), capsys.readouterr().out
    main.main(load_params())

    assert digests(tmp_path) == first
    shown = {"forecast", "calibration", "forecasts", "folds", "months", "calls"}
    pictured = shown | {"training", "recent", "coverage", "wealth"}
    written = first.keys() - {"results/training.csv"}
    assert written == {
        "results/metrics.json",
        "results/by_time.parquet",
        "results/report.html",
        *(f"results/plots/{name}.csv" for name in shown | {"symbols"}),
        *(f"results/figures/{name}.svg" for name in pictured),
    }
    metrics = json.loads((tmp_path / "results/metrics.json").read_text(encoding="utf-8"))
    assert list(metrics) == ["test", "val", "train", "overfit_gap_pct", task, "baselines"]
    assert "120 left out" in printed
    verdict = f"{task.capitalize()} on a simulated market: not enough test to tell"
    report = (tmp_path / "results/report.html").read_text(encoding="utf-8")
    assert verdict in printed
    assert verdict in report
    assert f"<dd>{'' if task == 'direction' else f'task={task}, '}evaluate.bootstrap=100</dd>" in report


def test_bad_input_leaves_the_last_results_alone(make_inputs, tmp_path, monkeypatch):
    """A run that can't be finished changes no output and leaves no scraps."""
    inputs = make_inputs("direction")
    inputs.predictions.loc[0, "score"] = np.nan
    stand_in(inputs, "direction", tmp_path)
    monkeypatch.chdir(tmp_path)
    for path in ("results/metrics.json", "results/plots/folds.csv", "results/figures/folds.svg"):
        Path(path).parent.mkdir(exist_ok=True)
        Path(path).write_text("of the last run", encoding="utf-8")
    before = digests(tmp_path)

    with pytest.raises(InputError, match="score must be finite"):
        main.main(load_params())

    assert digests(tmp_path) == before


def test_a_result_is_entered_into_the_ledger(make_inputs, tmp_path, monkeypatch):
    """With what tools.trials needs of it, under the name of its experiment; twice the same is one entry."""
    stand_in(make_inputs("direction"), "direction", tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DVC_EXP_NAME", "bold-ant")

    main.main(load_params())
    main.main(load_params())

    (trial,) = (read_trial(path) for path in (tmp_path / ".cache/trials").iterdir())
    metrics = json.loads((tmp_path / "results/metrics.json").read_text(encoding="utf-8"))
    by_time = pd.read_parquet(tmp_path / "results/by_time.parquet")
    assert trial.figures == metrics["test"]
    pd.testing.assert_frame_equal(trial.by_time, by_time[["close_time", "net_return"]], check_exact=True)
    assert trial.scores == tuple(md5(tmp_path / path) for path in SCORES)
    assert trial.forecast == tuple(md5(tmp_path / path) for path in FORECAST)
    assert trial.settings["evaluate.bootstrap"] == 100
    assert "label.volatility.target" not in trial.settings
    assert len(trial.market) == 3  # the mean, and two symbols
    assert trial.experiment == "bold-ant"


def test_a_result_that_cannot_be_entered_stands(make_inputs, tmp_path, monkeypatch, capsys):
    """A full or foreign folder costs no result, but a warning."""
    stand_in(make_inputs("direction"), "direction", tmp_path)
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".cache").mkdir()
    (tmp_path / ".cache/trials").write_text("", encoding="utf-8")

    main.main(load_params())

    assert (tmp_path / "results/metrics.json").is_file()
    error = capsys.readouterr().err
    assert "warning: .cache/trials must be a folder that can be written to" in error
    assert len(error.splitlines()) == 1


def test_curves_come_as_they_were_written(tmp_path, monkeypatch):
    """In the order of the folds; a fold's name is a text."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "results").mkdir()
    (tmp_path / "results/training.csv").write_text(CURVES, encoding="utf-8")

    curves = main.read_curves()

    assert curves["fold"].tolist() == ["2", "2", "10"]
    assert curves["val_loss"].tolist() == [0.7, 0.6, 0.7]


@pytest.mark.parametrize(
    "text",
    [
        None,
        "",
        "{",
        "[]",
        '{"symbols": {"BTC": {}}}',
        json.dumps({"symbols": {"BTC": {**CANDLES, "rows": "many"}}}),
    ],
)
def test_a_receipt_that_was_edited_is_named(tmp_path, monkeypatch, text):
    """In one line, with the file's name."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data/candles").mkdir(parents=True)
    if text is not None:
        (tmp_path / main.RECEIPT).write_text(text, encoding="utf-8")

    with pytest.raises(InputError) as told:
        main.read_receipt()

    assert str(told.value).startswith(f"{main.RECEIPT} must be as its stage wrote it; received ")
    assert len(str(told.value).splitlines()) == 1


@pytest.mark.parametrize("text", [None, "", "fold,epoch,loss\n1,0,0.7\n", CURVES.replace("0.7", "many")])
def test_curves_that_were_edited_are_named(tmp_path, monkeypatch, text):
    """In one line, with the file's name."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "results").mkdir()
    if text is not None:
        (tmp_path / "results/training.csv").write_text(text, encoding="utf-8")

    with pytest.raises(
        InputError, match="must be as its stage wrote it; received what can't be read"
    ) as told:
        main.read_curves()
    assert str(told.value).startswith(str(main.CURVES))


def test_what_is_missing_is_written_as_nan(tmp_path):
    """DVC would draw an empty cell as a loss of nil."""
    main.write_csv(tmp_path / "a.csv", pd.DataFrame({"epoch": [0, 1], "train_loss": [np.nan, 0.1 + 0.2]}))

    assert (tmp_path / "a.csv").read_text(encoding="utf-8") == "epoch,train_loss\n0,NaN\n1,0.3\n"

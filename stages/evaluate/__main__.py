"""evaluate: what the forecasts were worth, against the naive one and against the best baseline."""

import importlib
import os
import sys
from collections.abc import Collection
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from ruamel.yaml import YAML

from stages.common.bars import bar_length
from stages.common.environment import record
from stages.common.errors import InputError, run
from stages.common.outputs import alone, fresh_folder, write_text
from stages.common.params import check_unchanged, load_params, load_value, read_params
from stages.common.tables import not_as_written, read_table, read_tables, write_table
from stages.common.task import TASKS
from stages.evaluate.curves import make_tables, scatter, units
from stages.evaluate.ledger import (
    FORECAST,
    SCORES,
    Settings,
    Trial,
    flat,
    ledger_folder,
    market_hashes,
    md5,
    settings_of,
    write_trial,
)
from stages.evaluate.metrics import Setting, as_json, judge, make_metrics, rounded
from stages.evaluate.params import EvaluateParams
from stages.evaluate.plots import draw, save
from stages.evaluate.report import page, subject_of
from stages.evaluate.rows import join, opponents
from stages.evaluate.scores import loss_table
from stages.evaluate.trading import YEAR
from stages.evaluate.verdict import sentence


def main() -> None:
    """Read predictions, labels, baselines and training curves; write results/, all but its train/."""
    params = load_params("evaluate", EvaluateParams)
    task = load_value("task", str)
    timeframe = load_value("fetch.timeframe", str)
    bar = bar_length(timeframe)
    question = importlib.import_module(f"stages.evaluate.{task}")
    setting = Setting(question, TASKS[task].loss, load_value("label.horizon", int), bar, params)

    predictions = read_table("data/predictions.parquet")
    labels = read_symbols("data/labels")
    baselines = read_symbols("data/baselines", labels["symbol"].unique())
    rows = join(predictions, labels, baselines, TASKS[task])
    rows = rows.assign(event=question.event, target=question.target)
    losses = loss_table(rows, opponents(baselines), setting.loss)
    test = rows[rows["role"] == "test"]
    findings = judge(rows, losses, setting)
    own_block = question.block(test, YEAR / bar)
    metrics = rounded(make_metrics(rows, losses, findings.test, own_block, task))
    curves = make_tables(test, read_curves("results/train"), question.calls(test), question.SCALE)
    tables = findings.tables | curves
    pictures = draw(tables, scatter(test), question.WORDS, metrics["test"])

    check_unchanged()  # before anything is written: by other settings it would be another result
    with fresh_folder("results/plots") as folder:
        for plot, unit in units(task, question.WORDS).items():
            write_csv(folder / f"{plot}.csv", tables[plot].assign(unit=unit))
    with fresh_folder("results/figures") as folder:
        for plot, picture in pictures.items():
            save(picture, folder / f"{plot}.png")
        images = {plot: (folder / f"{plot}.png").read_bytes() for plot in pictures}
    # As float32, for the last bits of a logarithm are the C library's own.
    floats = findings.by_time.select_dtypes("float64").columns
    by_time = findings.by_time.astype(dict.fromkeys(floats, "float32"))
    write_table("results/by_time.parquet", by_time)
    subject = subject_of(test, task, timeframe, setting.horizon_bars)
    html = page(subject, sentence(metrics, task), metrics, tables, images)
    write_text("results/report.html", html)
    write_text("results/metrics.json", as_json(metrics))
    remember(test, by_time, metrics)
    n_lost = len(predictions) - len(rows)
    print(f"evaluate: {len(rows):,} rows, {n_lost:,} left out for want of a baseline's forecast")
    print(f"{sentence(metrics, task)} More: results/report.html")
    record("evaluate")


def read_symbols(folder: str, symbols: Collection[str] | None = None) -> pd.DataFrame:
    """The tables of a folder in one, with `symbol`. Raises InputError as `read_tables` does."""
    tables = [table.assign(symbol=symbol) for symbol, table in read_tables(folder, symbols)]
    return pd.concat(tables, ignore_index=True)


def read_curves(folder: str) -> dict[str, pd.DataFrame]:
    """Epoch, train_loss and val_loss of each fold, as dvclive logged them, `live` last.

    Raises InputError if there are none, or where a file isn't as it was logged.
    """
    curves = {}
    paths = Path(folder).glob("plots/metrics/*/val_loss.tsv")
    for path in sorted(paths, key=lambda path: (len(path.parent.name), path)):  # fold_10 after fold_9
        train, val = (read_losses(path.with_name(f"{name}_loss.tsv")) for name in ("train", "val"))
        curve = val.merge(train, on="step", how="left").rename(columns={"step": "epoch"})
        curves[path.parent.name.removeprefix("fold_")] = curve
    if not curves:
        raise InputError(f"{folder} must hold each fold's losses, as dvclive logs them; received none.")
    return curves


def read_losses(path: Path) -> pd.DataFrame:
    """Step, and the loss that the file is named after. Raises InputError if they can't be read."""
    types = {"step": np.int64, path.stem: np.float64}
    try:
        return pd.read_csv(path, sep="\t", usecols=[*types], dtype=types)
    except (FileNotFoundError, ValueError) as error:
        reason = str(error).partition("\n")[0]
        raise not_as_written(path, f"what can't be read: {reason}") from None


def settings_of_forecast() -> Settings:
    """What earlier stages ran with, if DVC has noted it: params.yaml may have been edited since."""
    if not Path("dvc.lock").exists():
        return {}
    stages = YAML(typ="safe").load(Path("dvc.lock").read_text(encoding="utf-8"))["stages"]
    outs = {out["path"]: out["md5"] for out in stages.get("train", {}).get("outs", [])}
    if outs.get(FORECAST[0]) != md5(Path(FORECAST[0])):
        return {}
    noted = [stage["params"]["params.yaml"] for name, stage in stages.items() if name != "evaluate"]
    return {key: value for params in noted for key, value in flat(params).items()}


def remember(test: pd.DataFrame, by_time: pd.DataFrame, metrics: dict[str, Any]) -> None:
    """Enter what was scored into the ledger; where that fails, say so, for the results stand without it."""
    try:
        trial = Trial(
            forecast=tuple(md5(Path(path)) for path in FORECAST),
            scores=tuple(md5(Path(path)) for path in SCORES),
            settings=settings_of(read_params()) | settings_of_forecast(),
            code={
                path.as_posix(): md5(path)
                for path in sorted(Path("stages").rglob("*.py"))
                if not path.is_relative_to("stages/evaluate")
            },
            figures=metrics["test"],
            market=market_hashes(by_time, test),
            by_time=by_time[["close_time", "net_return"]],
            experiment=os.environ.get("DVC_EXP_NAME", ""),
        )
        write_trial(ledger_folder(), trial)
    except OSError as error:
        print(
            f"warning: {ledger_folder()} must be a folder that can be written to, or else python -m "
            f"tools.trials will not know of this try once `dvc gc` has run; received: {error}.",
            file=sys.stderr,
        )


def write_csv(path: Path, table: pd.DataFrame) -> None:
    """Write a table for DVC to draw: what is missing as NaN, for it draws an empty cell as 0."""
    table.to_csv(path, index=False, float_format="%.8g", na_rep="NaN", lineterminator="\n")


if __name__ == "__main__":
    run(alone("stages.evaluate", main))

"""evaluate: reads predictions, labels, baselines and training curves; writes results/."""

import os
import sys
from pathlib import Path

import numpy as np
import pandas as pd
from ruamel.yaml import YAML

from stages.common.outputs import fresh_folder, write_text
from stages.common.settings import read_settings
from stages.common.tables import not_as_written, read_table, read_tables, write_table
from stages.common.task import TASKS
from stages.evaluate.curves import scatter, units
from stages.evaluate.ledger import (
    FORECAST,
    SCORES,
    Trial,
    ledger_folder,
    market_hashes,
    md5,
    write_trial,
)
from stages.evaluate.metrics import as_json
from stages.evaluate.plots import draw, save
from stages.evaluate.question import question_of
from stages.evaluate.report import page
from stages.evaluate.stage import Evaluation, evaluate
from stages.evaluate.subject import Settings, facts, flat, market_of, settings_of
from stages.evaluate.verdict import sentence
from stages.params import Params, check_unchanged
from stages.runner import run_stage

CURVES = Path("results/training.csv")
DEFAULTS = Path(__file__).with_name("defaults.yaml")  # params.yaml as it is committed


def main(params: Params) -> None:
    """Write results/, all but what train has written there."""
    predictions = read_table("data/predictions.parquet")
    labels = dict(read_tables("data/labels"))
    found = evaluate(predictions, labels, dict(read_tables("data/baselines", labels)), params)
    question, metrics = question_of(params.task), found.metrics
    settings = settings_of(params.model_dump())
    verdict = sentence(metrics, params.task, market_of(settings))
    pictures = draw(
        found.tables | {"training": read_curves()}, scatter(found.test), question.words, metrics["test"]
    )

    check_unchanged("evaluate", params)  # before anything is written: it would be another result
    with fresh_folder("results/plots") as folder:
        for plot, unit in units(params.task, TASKS[params.task].loss_name, question).items():
            write_csv(folder / f"{plot}.csv", found.tables[plot].assign(unit=unit))
    with fresh_folder("results/figures") as folder:
        for plot, picture in pictures.items():
            save(picture, folder / f"{plot}.png")
        images = {plot: (folder / f"{plot}.png").read_bytes() for plot in pictures}
    write_table("results/by_time.parquet", found.by_time)
    subject = facts(found.test, settings, flat(read_settings(str(DEFAULTS))))
    write_text("results/report.html", page(subject, verdict, metrics, found.tables, images))
    write_text("results/metrics.json", as_json(metrics))
    remember(found, settings)
    n_rows = len(predictions) - found.n_lost
    print(f"evaluate: {n_rows:,} rows, {found.n_lost:,} left out for want of a baseline's forecast")
    print(f"{verdict} More: results/report.html")


def read_curves() -> pd.DataFrame:
    """Fold, epoch, train_loss and val_loss. Raises InputError unless they are as train wrote them."""
    types = {"fold": str, "epoch": np.int64, "train_loss": np.float64, "val_loss": np.float64}
    try:
        return pd.read_csv(CURVES, usecols=[*types], dtype=types)
    except (FileNotFoundError, ValueError) as error:
        reason = str(error).partition("\n")[0]
        raise not_as_written(CURVES, f"what can't be read: {reason}") from None


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


def remember(found: Evaluation, settings: Settings) -> None:
    """Enter what was scored into the ledger; where that fails, say so, for the results stand without it."""
    try:
        trial = Trial(
            forecast=tuple(md5(Path(path)) for path in FORECAST),
            scores=tuple(md5(Path(path)) for path in SCORES),
            settings=settings | settings_of_forecast(),
            code={
                path.as_posix(): md5(path)
                for path in sorted(Path("stages").rglob("*.py"))
                if not path.is_relative_to("stages/evaluate")
            },
            figures=found.metrics["test"],
            market=market_hashes(found.by_time, found.test),
            by_time=found.by_time[["close_time", "net_return"]],
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
    run_stage("evaluate", main)

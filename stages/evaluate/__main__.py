"""evaluate: reads predictions, labels, baselines, training curves; writes results/, models/evidence."""

from pathlib import Path

import numpy as np
import pandas as pd
from pydantic import ValidationError

from stages.common.calendar import known_until, read_releases
from stages.common.outputs import fresh_folder, write_text
from stages.common.settings import read_settings
from stages.common.tables import checksum, not_as_written, read_table, read_tables, write_table
from stages.common.task import TASKS
from stages.evaluate.curves import units
from stages.evaluate.evidence import promise
from stages.evaluate.ledger import remember
from stages.evaluate.metrics import as_json
from stages.evaluate.plots import as_svg, draw
from stages.evaluate.question import question_of
from stages.evaluate.report import Found, Receipt, page
from stages.evaluate.stage import evaluate, own_figures
from stages.evaluate.subject import facts, flat, market_of, settings_of
from stages.evaluate.verdict import sentence
from stages.params import Params, check_unchanged
from stages.runner import run_stage

CURVES = Path("results/training.csv")
RECEIPT = Path("data/candles/receipt.json")
DEFAULTS = Path(__file__).with_name("defaults.yaml")  # params.yaml as it is committed


def main(params: Params) -> None:
    """Write models/evidence, and results/, all but what train has written there."""
    predictions = read_table("data/predictions.parquet")
    labels = read_tables("data/labels")
    found = evaluate(predictions, labels, read_tables("data/baselines", labels), params)
    question, metrics = question_of(params.task), found.metrics
    settings = settings_of(params.model_dump())
    verdict = sentence(metrics, params.task, market_of(settings))
    drawn = found.tables | found.pictured | {"training": read_curves()}
    figures = draw(drawn, question.words, metrics["test"], banded=not TASKS[params.task].classes)
    pictures = {name: as_svg(figure) for name, figure in figures.items()}
    receipt = read_receipt()

    check_unchanged("evaluate", params)  # before anything is written: it would be another result
    with fresh_folder("results/plots") as folder:
        for plot, unit in units(params.task, TASKS[params.task].loss_name, question).items():
            write_csv(folder / f"{plot}.csv", found.tables[plot].assign(unit=unit))
    with fresh_folder("results/figures") as folder:
        for name, picture in pictures.items():
            write_text(folder / f"{name}.svg", picture)
    write_table("results/by_time.parquet", found.by_time)
    with fresh_folder("models/evidence") as folder:
        write_table(folder / "rows.parquet", found.evidence)
        made = promise(found.test, metrics, settings, found.best, checksum(predictions))
        write_text(folder / "facts.json", as_json(made))
    subject = facts(found.test, settings, flat(read_settings(str(DEFAULTS))), known_until(read_releases()))
    report = Found(
        task=params.task,
        verdict=verdict,
        subject=subject,
        settings=settings,
        metrics=metrics,
        own=own_figures(params.task),
        margins=found.margins,
        tables=found.tables,
        pictures=pictures,
        receipt=receipt,
        hashes={"data/predictions.parquet": checksum(predictions)},
    )
    write_text("results/report.html", page(report))
    write_text("results/metrics.json", as_json(metrics))
    remember(metrics["test"], found.by_time, found.test, settings)
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


def read_receipt() -> Receipt:
    """What fetch wrote of the candles. Raises InputError unless it is as fetch wrote it."""
    try:
        return Receipt.model_validate_json(RECEIPT.read_bytes())
    except FileNotFoundError:
        raise not_as_written(RECEIPT, "no such file") from None
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(["receipt", *map(str, first["loc"])])
        raise not_as_written(RECEIPT, f"{where}: {first['msg']}") from None


def write_csv(path: Path, table: pd.DataFrame) -> None:
    """Write a table for DVC to draw: what is missing as NaN, for it draws an empty cell as 0."""
    table.to_csv(path, index=False, float_format="%.8g", na_rep="NaN", lineterminator="\n")


if __name__ == "__main__":
    run_stage("evaluate", main)

"""train: reads data/features, labels, folds and baselines; writes forecasts, curves and models."""

import json
from collections.abc import Callable
from contextlib import ExitStack
from functools import cache

import pandas as pd
from dvclive import Live

from stages.common.outputs import fresh_folder, write_text
from stages.common.tables import TablesIn, read_table, write_table
from stages.common.task import TASKS
from stages.params import Params
from stages.runner import run_stage
from stages.train.accelerator import check_metal, installed
from stages.train.shipped import Shipped
from stages.train.stage import Trained, train

DIGITS = 6  # of losses and AUCs: more than a network's float32 can mean


def main(params: Params) -> None:
    """Write predictions and models/networks; results/training.csv and results/train as folds end."""
    check_metal(str(installed("tensorflow")), installed("tensorflow-metal"))
    features = TablesIn("data/features")
    labels = TablesIn("data/labels", features)
    baselines = TablesIn("data/baselines", features)
    spans = read_table("data/folds.parquet")
    unit = f"{params.task}: {TASKS[params.task].loss_name}"
    with ExitStack() as opened:
        note = curves_writer(opened, unit)
        trained = train(features, labels, spans, baselines, params, as_a_fold_ends=note)
    made = write_table("data/predictions.parquet", trained.predictions)
    write_models(trained.shipped, params.train.seeds, made)
    print_summary(trained)


def curves_writer(opened: ExitStack, unit: str) -> Callable[[str, pd.DataFrame], None]:
    """What notes a fold's curves: losses in results/training.csv, and AUCs too where dvclive keeps them.

    The table is sorted by fold, so that it ends up the same in whatever order folds do. Both grow while
    the stage runs; neither is touched before there is something to note.
    """
    losses: dict[str, pd.DataFrame] = {}

    @cache
    def live() -> Live:
        return opened.enter_context(Live("results/train", dvcyaml=None, save_dvc_exp=False))

    def note(fold: str, curves: pd.DataFrame) -> None:
        for epoch, figures in curves.iterrows():
            live().step = epoch
            for name, value in figures.items():
                live().log_metric(f"fold_{fold}/{name}", float(f"{value:.{DIGITS}g}"))
        live().make_summary()
        losses[fold] = curves[["train_loss", "val_loss"]].reset_index()
        table = pd.concat([losses[name].assign(fold=name) for name in sorted(losses, key=int)])
        columns = table[["fold", "epoch", "train_loss", "val_loss"]].assign(unit=unit)
        text = columns.to_csv(index=False, float_format=f"%.{DIGITS}g", lineterminator="\n")
        write_text("results/training.csv", text)

    return note


def write_models(shipped: dict[str, Shipped], seeds: list[int], predictions: str) -> None:
    """A folder a fold, with what it takes to build its networks again: spec, weights a seed, and trees.

    `predictions`: the checksum of the table of the same run, by which evaluate's evidence is known.
    """
    with fresh_folder("models/networks") as folder:
        for name, (spec, weights, nodes) in shipped.items():
            of_fold = folder / name
            of_fold.mkdir()
            text = json.dumps(spec | {"predictions": predictions}, indent=2)
            write_text(of_fold / "spec.json", text + "\n")
            for seed, file in zip(seeds, weights, strict=True):
                (of_fold / f"seed-{seed}.weights.h5").write_bytes(file)
            if nodes is not None:
                write_table(of_fold / "trees.parquet", nodes)


def print_summary(trained: Trained) -> None:
    """Rows lost, and the epoch that each network kept."""
    rows = trained.rows
    no_window, no_offset = int((rows["end"] < 0).sum()), int(rows["offset"].isna().sum())
    kept = [
        f"{name}: " + " and ".join(f"{epoch} of {n_epochs}" for epoch, n_epochs in epochs)
        for name, epochs in trained.kept_epochs.items()
    ]
    dropped = [name for name, (spec, _, _) in trained.shipped.items() if not spec["kept"]]
    nothing = f"; none kept, for it had saved nothing so far: {', '.join(dropped)}" if dropped else ""
    print(
        f"train: {len(rows):,} rows; lost: {no_window:,} without a whole window, {no_offset:,} before the "
        f"baseline's first fit; kept epoch by fold, {', '.join(kept)}{nothing}"
    )


if __name__ == "__main__":
    run_stage("train", main)

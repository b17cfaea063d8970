"""train: a network a fold and seed; their forecasts, their curves, and the newest ones' weights."""

import json
from collections.abc import Sequence
from typing import Any

import pandas as pd
from dvclive import Live

from stages.common.bars import bar_length
from stages.common.environment import record
from stages.common.errors import run
from stages.common.outputs import alone, fresh_folder
from stages.common.params import load_params, load_value
from stages.common.tables import read_table, read_tables, write_table
from stages.train.accelerator import check_metal, installed
from stages.train.fitting import Fit, fit_folds, mean_curves, network_spec
from stages.train.params import TrainParams
from stages.train.rows import label_rows, make_fold, predictions
from stages.train.windows import stack_features, window_ends

DIGITS = 6  # of losses and AUCs: more than a network's float32 can mean
LIVE = "live"  # the fold that ends with the last row: its networks are shipped, its forecasts are not


def main() -> None:
    """Read features, labels and baselines; write data/predictions.parquet, results/train and models."""
    params = load_params("train", TrainParams)
    check_metal(str(installed("tensorflow")), installed("tensorflow-metal"))
    task = load_value("task", str)

    features = dict(read_tables("data/features"))
    names, table = stack_features(list(features.values()))
    rows = read_rows(features, task, params)
    spans = read_table("data/labels/folds.parquet")
    folds = {name: make_fold(name, spans, rows, task, params) for name in spans["fold"].unique()}
    fits = fit_folds(folds, table, task, params)

    forecasts = [
        predictions(fold, [f.correction for f in fits[name]])
        for name, fold in folds.items()
        if name != LIVE
    ]
    write_table("data/predictions.parquet", pd.concat(forecasts))
    write_curves({name: mean_curves(fits[name]) for name in folds if name != LIVE})
    write_models(network_spec(folds[LIVE], fits[LIVE][0], names, task, params), fits[LIVE], params.seeds)
    print_summary(rows, fits)
    record("train")


def read_rows(features: dict[str, pd.DataFrame], task: str, params: TrainParams) -> pd.DataFrame:
    """The labelled rows of all symbols, each with its window's place in the stacked features."""
    bar, bridge_bars = bar_length(load_value("fetch.timeframe", str)), load_value("split.bridge_bars", int)
    labels = dict(read_tables("data/labels", features))
    baselines = dict(read_tables("data/baselines", features))
    parts, n_above = [], 0
    for symbol, table in features.items():
        times = labels[symbol]["close_time"]
        ends = window_ends(table["close_time"], times, params.window, bar, bridge_bars)
        ends[ends >= 0] += n_above
        parts.append(
            label_rows(labels[symbol], baselines[symbol], ends, task, params).assign(symbol=symbol)
        )
        n_above += len(table)
    return pd.concat(parts, ignore_index=True)


def write_curves(curves: dict[str, pd.DataFrame]) -> None:
    """Each fold's losses and AUCs by epoch: results/train/plots/metrics/fold_1/val_loss.tsv, ..."""
    with (
        fresh_folder("results/train") as folder,
        Live(str(folder), dvcyaml=None, save_dvc_exp=False) as live,
    ):
        for fold, of_fold in curves.items():
            for epoch, figures in of_fold.iterrows():
                live.step = epoch
                for name, value in figures.items():
                    live.log_metric(f"fold_{fold}/{name}", float(f"{value:.{DIGITS}g}"))


def write_models(spec: dict[str, Any], fits: Sequence[Fit], seeds: Sequence[int]) -> None:
    """What it takes to build the networks again, and each seed's weights."""
    with fresh_folder("models") as folder:
        (folder / "spec.json").write_text(json.dumps(spec, indent=2) + "\n", encoding="utf-8")
        for seed, result in zip(seeds, fits, strict=True):
            (folder / f"seed-{seed}.weights.h5").write_bytes(result.weights)


def print_summary(rows: pd.DataFrame, fits: dict[str, list[Fit]]) -> None:
    """Rows lost, and the epoch that each network kept."""
    no_window, no_offset = int((rows["end"] < 0).sum()), int(rows["offset"].isna().sum())
    kept = [
        f"{name}: " + " and ".join(f"{fit.best_epoch} of {len(fit.curves) - 1}" for fit in of_fold)
        for name, of_fold in fits.items()
    ]
    print(
        f"train: {len(rows):,} rows; lost: {no_window:,} without a whole window, {no_offset:,} before the "
        f"baseline's first fit; best epoch by fold, {', '.join(kept)}"
    )


if __name__ == "__main__":
    run(alone("stages.train", main))

"""What a fold's networks are fitted on: its rows, where each score starts, and what each row weighs."""

from typing import NamedTuple

import numpy as np
import pandas as pd

from stages.common.arrays import Floats, Ints
from stages.common.errors import InputError
from stages.common.task import Task
from stages.train.params import TrainParams


class Fold(NamedTuple):
    """A fold's rows, sorted by symbol and close_time.

    `rows`: symbol, close_time, role, y, end (row of the feature table with which the window ends), offset
    (score that the network corrects), sample_weight (in the training loss). `shift`: ln(w1 / w0), by
    which the classes' weights raise the log odds that a fit settles at; 0 without them.
    """

    name: str
    rows: pd.DataFrame
    shift: float

    def of(self, role: str) -> pd.DataFrame:
        """The rows of one role."""
        return self.rows[self.rows["role"] == role]


def label_rows(
    labels: pd.DataFrame, baselines: pd.DataFrame, ends: Ints, task: Task, params: TrainParams
) -> pd.DataFrame:
    """A symbol's labelled rows: close_time, y, weight, end, offset.

    `ends`: row of the feature table with which each row's window ends, -1 for none. offset: the score
    that the network corrects, NaN before the baseline's first fit; without `train.offset` nought, in
    the place of which `make_fold` puts what it finds.
    """
    rows = labels[["close_time", "y", "weight"]].assign(end=ends, offset=0.0)
    if params.offset == "baseline":
        columns = ["close_time", task.offset]
        forecast = rows[["close_time"]].merge(baselines[columns], how="left", validate="1:1")
        rows["offset"] = task.link(forecast[task.offset].to_numpy(np.float64))
    return rows


def make_fold(name: str, spans: pd.DataFrame, rows: pd.DataFrame, task: Task, params: TrainParams) -> Fold:
    """The fold's rows that have a whole window and a forecast to correct.

    `spans`: fold, role, first and last time, inclusive. `rows`: of `label_rows` and `symbol`,
    all symbols together. Without `train.offset` every score starts at the mean of the train rows' y, on
    the link's scale, as if it were the last layer's first bias.

    Raises InputError if a role has no row left.
    """
    usable = rows[(rows["end"] >= 0) & np.isfinite(rows["offset"])]
    parts = []
    of_fold = spans[spans["fold"] == name]
    for role, first, last in of_fold[["role", "first", "last"]].itertuples(index=False):
        part = usable[usable["close_time"].between(first, last)].assign(role=role)
        if part.empty:
            raise InputError(
                "split and baseline.min_bars must leave every role of a fold rows with a window of "
                f"features and a baseline's forecast; received none for {role} of fold {name}, "
                f"{first:%Y-%m-%d %H:%M} to {last:%Y-%m-%d %H:%M}."
            )
        parts.append(part)
    chosen = pd.concat(parts).sort_values(["symbol", "close_time"], ignore_index=True)
    train = chosen[chosen["role"] == "train"]
    if params.offset == "none":
        chosen["offset"] = task.link(train["y"].mean())
    w0, w1 = class_weights(train["y"], task, params)
    weight = np.where(chosen["y"] == 1, w1, w0) * (chosen["weight"] if params.uniqueness else 1.0)
    chosen["sample_weight"] = weight / weight[train.index].mean()
    return Fold(name, chosen.drop(columns="weight"), float(np.log(w1 / w0)))


def class_weights(y: pd.Series, task: Task, params: TrainParams) -> tuple[float, float]:
    """Weights of the classes 0 and 1 in the training loss: balanced, n / (2 n_class), or both 1.

    Raises InputError if there is a class to balance that no train row is of.
    """
    if not task.classes or params.class_weights == "none":
        return 1.0, 1.0
    n_ones = int(y.sum())
    if not 0 < n_ones < len(y):
        raise InputError(
            "train.class_weights must be none if a fold's train rows are of one class; "
            f"received {params.class_weights} and {n_ones} ones among {len(y)} rows."
        )
    return len(y) / (2 * (len(y) - n_ones)), len(y) / (2 * n_ones)


def predictions(fold: Fold, correction: Floats) -> pd.DataFrame:
    """The fold's forecasts as scores: offset plus correction, of shape (n,).

    `raw_score` is what networks were fitted to give, the classes' weights included; `score` is free
    of them. Both in float64, so that corrections of nil leave the baseline's exact figure.
    """
    score = fold.rows["offset"] + correction
    table = fold.rows[["symbol", "close_time"]].assign(fold=fold.name, role=fold.rows["role"])
    return table.assign(raw_score=score + fold.shift, score=score)


def wanted(folds: dict[str, Fold], corrections: dict[str, Floats], task: Task) -> set[str]:
    """The folds that keep their correction: the corrections of the folds before saved loss on their tests.

    `corrections`: of each fold's rows, shape (n,). Of a test before, those rows count whose label had ended
    by this fold's own test. They were foretold; val may have chosen the epoch, and flatters it. So val
    decides for the first fold alone, of which nothing else is known.

    Raises InputError where a correction is no number: the network has diverged.
    """
    for name, correction in corrections.items():
        if not np.isfinite(correction).all():
            raise InputError(
                "train.learning_rate must be low enough for a fit to settle; "
                f"received corrections that are no numbers in fold {name}."
            )
    kept, tests = set(), list[pd.Series]()  # the latter by close_time: what was saved in each so far
    for fold in sorted(folds.values(), key=lambda fold: fold.of("val")["close_time"].min()):
        y, offset = fold.rows["y"].to_numpy(), fold.rows["offset"].to_numpy()
        saved = task.loss(y, offset) - task.loss(y, offset + corrections[fold.name])
        by_time = pd.Series(saved, index=fold.rows["close_time"])
        val, test = ((fold.rows["role"] == role).to_numpy() for role in ("val", "test"))
        end = by_time.index[val].max()  # no label of these rows reaches this fold's test
        saved_before = [before[before.index <= end].sum() for before in tests] or [by_time[val].sum()]
        if sum(saved_before) > 0:
            kept.add(fold.name)
        tests.append(by_time[test])
    return kept

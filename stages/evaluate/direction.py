"""Direction: what counts as an event, a call and a good forecast of "which way?"."""

import numpy as np
import pandas as pd
from sklearn.metrics import average_precision_score

from stages.common.bars import Bools, Floats
from stages.evaluate.scores import auc

SCALE = 1.0  # of a forecast, for reading
WORDS = {
    "unit": "probability of up",
    "outcome": "share that went up",
    "delta": "log-odds of up, less the naive forecast's",
    "target": "return at the label's end, in ATR",
    "calls": "Calls, in % of the test rows",
}


def event(rows: pd.DataFrame) -> Bools:
    """Whether the upper barrier came first; shape (n_rows,)."""
    return (rows["y"] == 1).to_numpy()


def target(rows: pd.DataFrame) -> Floats:
    """Return at the label's end, in ATR; shape (n_rows,)."""
    return rows["outcome"].to_numpy(np.float64)


def called_up(rows: pd.DataFrame) -> Bools:
    """Whether the forecast calls "up": p above the naive p, or the raw output above .5; shape (n_rows,).

    The raw output decides where it isn't the score: then the network was trained with class weights,
    which shift it so that .5 is its middle.
    """
    if (rows["raw_score"] != rows["score"]).any():
        return (rows["raw_score"] > 0).to_numpy()
    return (rows["delta"] > 0).to_numpy()


def calls(rows: pd.DataFrame) -> pd.DataFrame:
    """Columns `actual` and `predicted`, "down" or "up" on each row."""
    return pd.DataFrame(
        {
            "actual": np.where(event(rows), "up", "down"),
            "predicted": np.where(called_up(rows), "up", "down"),
        }
    )


def block(test: pd.DataFrame, _bars_a_year: float) -> dict[str, float]:
    """The classic figures of a classifier, pooled over folds and symbols; 0 where one isn't defined."""
    up, called = event(test), called_up(test)
    p = test["forecast"].to_numpy(np.float64)
    tp, fp = int((called & up).sum()), int((called & ~up).sum())
    fn, tn = int((~called & up).sum()), int((~called & ~up).sum())
    n = len(test)
    return {
        "collapsed": int(called.all() or not called.any()),
        "majority_share": max(tp + fn, tn + fp) / n,
        "accuracy": (tp + tn) / n,
        "precision": share(tp, tp + fp),
        "recall": share(tp, tp + fn),
        "f1": share(2 * tp, 2 * tp + fp + fn),
        "mcc": share(tp * tn - fp * fn, ((tp + fp) * (tp + fn) * (tn + fp) * (tn + fn)) ** 0.5),
        "roc_auc": auc(p, up),
        "pr_auc": average_precision(p, up),
        "brier": float(np.mean((p - up) ** 2)),
        "tp": tp,
        "fp": fp,
        "fn": fn,
        "tn": tn,
    }


def share(part: float, whole: float) -> float:
    """A part of a whole; 0 of nothing."""
    return part / whole if whole else 0.0


def average_precision(p: Floats, up: Bools) -> float:
    """Area under the precision-recall curve, as a mean of precisions; 0 without any "up"."""
    return float(average_precision_score(up, p)) if up.any() else 0.0

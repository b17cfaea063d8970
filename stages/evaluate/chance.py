"""What all questions of "whether?" share: y is 0 or 1, its score the log-odds of 1."""

from functools import partial

import numpy as np
import pandas as pd

from stages.common.arrays import Bools, Floats
from stages.common.task import log_loss
from stages.evaluate.figures import SHARE, Figure
from stages.evaluate.question import Question
from stages.evaluate.shared import auc
from stages.evaluate.trading import forecast_spread

# How far a miss moves the sets. Probabilities hardly move, so that misses come in runs: with half, the
# worst 30 days of BTC/USDT 2022-2025 cover 82 to 84 %, by sets no smaller.
GAMMA = 0.02


FIGURES = {  # of `block`
    "collapsed": Figure("calls the same on every row", "flag", "lower"),
    "majority_share": Figure("share of the outcome that came more often", ".5 to 1", "neither"),
    "accuracy": Figure("accuracy", SHARE, "higher"),
    "precision": Figure("precision", SHARE, "higher"),
    "recall": Figure("recall", SHARE, "higher"),
    "f1": Figure("F1", SHARE, "higher"),
    "mcc": Figure("Matthews' correlation", "-1 to 1", "higher"),
    "roc_auc": Figure("area under the ROC curve of p", SHARE, "higher"),
    "pr_auc": Figure("average precision of p", SHARE, "higher"),
    "brier": Figure("Brier score", SHARE, "lower"),
    "tp": Figure("called, and it came", "count", "higher"),
    "fp": Figure("called, and it didn't come", "count", "lower"),
    "fn": Figure("not called, and it came", "count", "lower"),
    "tn": Figure("not called, and it didn't come", "count", "higher"),
}


def event(rows: pd.DataFrame) -> Bools:
    """Whether y came; shape (n_rows,)."""
    return (rows["y"] == 1).to_numpy()


def surprise(rows: pd.DataFrame) -> Floats:
    """Y itself; shape (n_rows,).

    Never less a forecast's p: delta is the score less the benchmark's, so that whatever is off in the
    benchmark would be in both, and `ic` would rank that.
    """
    return rows["y"].to_numpy(np.float64)


def side(rows: pd.DataFrame) -> Floats:
    """Always long, for a y that doesn't say which way; shape (n_rows,).

    With `spread` below, the strategy is the reference, and its figures say nothing of the forecast.
    """
    return np.ones(len(rows))


def called(rows: pd.DataFrame) -> Bools:
    """Whether the forecast calls y: p above the benchmark's, or the raw output above .5; shape (n_rows,).

    The raw output decides where it isn't the score: then the network was trained with class weights,
    which shift it so that .5 is its middle.
    """
    if (rows["raw_score"] != rows["score"]).any():
        return (rows["raw_score"] > 0).to_numpy()
    return (rows["delta"] > 0).to_numpy()


def calls(rows: pd.DataFrame, no: str = "no", yes: str = "yes") -> pd.DataFrame:
    """Columns `actual` and `predicted`, `no` or `yes` on each row."""
    both = {"actual": event(rows), "predicted": called(rows)}
    return pd.DataFrame({name: np.where(is_so, yes, no) for name, is_so in both.items()})


def spread(rows: pd.DataFrame, _horizon_bars: int) -> Floats:
    """Spread of a bar's return that the classic forecast of ATR says, for p says none; shape (n_rows,)."""
    return forecast_spread(rows)


def log_density(rows: pd.DataFrame, score: Floats) -> Floats:
    """Log of the probability that the score gives to what came, in nats; shape (n_rows,)."""
    return -log_loss(rows["y"].to_numpy(np.float64), score)


def nonconformity(rows: pd.DataFrame) -> Floats:
    """One less the probability that was given to what came; shape (n_rows,)."""
    p = rows["forecast"].to_numpy(np.float64)
    return np.where(event(rows), 1 - p, p)


def bounds(ranked: list[float], misses: float) -> tuple[float, float]:
    """No lowest nonconformity, and the highest in a set of outcomes that a share `misses` may miss.

    Of n in rising order the one at rank ceil((n + 1)(1 - misses)). Beyond n, as it is where `misses` is
    0 or less or nothing is ranked, there is no highest: the set is both outcomes. Where `misses` is 1
    or more it is none.
    """
    if misses >= 1:
        return -np.inf, -np.inf
    n_beyond = int((len(ranked) + 1) * misses)
    return -np.inf, ranked[-n_beyond] if n_beyond > 0 else np.inf


def width(rows: pd.DataFrame, lo: Floats, hi: Floats) -> Floats:
    """Number of outcomes in each row's set, 0 to 2; shape (n_rows,)."""
    p = rows["forecast"].to_numpy(np.float64)
    yes, no = ((lo <= misfit) & (misfit <= hi) for misfit in (1 - p, p))
    return yes.astype(np.float64) + no


def outcomes(forecast: Floats, lo: Floats, hi: Floats) -> tuple[Floats, Floats]:
    """Least and greatest of the outcomes, 0 and 1, in the set of a forecast; NaN where it holds none."""
    no, yes = ((lo <= misfit) & (misfit <= hi) for misfit in (forecast, 1 - forecast))
    empty = ~(no | yes)
    return np.where(empty, np.nan, np.where(no, 0.0, 1.0)), np.where(empty, np.nan, np.where(yes, 1.0, 0.0))


def block(test: pd.DataFrame, _bars_a_year: float) -> dict[str, float]:
    """The classic figures of a classifier, pooled over folds and symbols; 0 where one isn't defined."""
    came, call = event(test), called(test)
    p = test["forecast"].to_numpy(np.float64)
    tp, fp = int((call & came).sum()), int((call & ~came).sum())
    fn, tn = int((~call & came).sum()), int((~call & ~came).sum())
    n = len(test)
    return {
        "collapsed": int(call.all() or not call.any()),
        "majority_share": max(tp + fn, tn + fp) / n,
        "accuracy": (tp + tn) / n,
        "precision": ratio(tp, tp + fp),
        "recall": ratio(tp, tp + fn),
        "f1": ratio(2 * tp, 2 * tp + fp + fn),
        "mcc": ratio(tp * tn - fp * fn, ((tp + fp) * (tp + fn) * (tn + fp) * (tn + fn)) ** 0.5),
        "roc_auc": auc(p, came),
        "pr_auc": average_precision(p, came),
        "brier": float(np.mean((p - came) ** 2)),
        "tp": tp,
        "fp": fp,
        "fn": fn,
        "tn": tn,
    }


def average_precision(score: Floats, came: Bools) -> float:
    """Precision at each score as a threshold, averaged by what recall gains there; 0 where nothing came.

    Source: Manning, Raghavan and Schütze (2008), Introduction to Information Retrieval, section 8.4.
    """
    falling = np.argsort(-score, kind="stable")
    last_of_a_score = np.flatnonzero(np.append(np.diff(score[falling]) != 0, True))
    hits = np.cumsum(came[falling])[last_of_a_score]
    precision, gained = hits / (last_of_a_score + 1), np.diff(hits, prepend=0)
    return float(precision @ gained / hits[-1]) if came.any() else 0.0


def ratio(part: float, whole: float) -> float:
    """A part of a whole; 0 of nothing."""
    return part / whole if whole else 0.0


# A question of a chance: whatever isn't the same for one of them it says for itself.
question = partial(
    Question,
    event=event,
    surprise=surprise,
    calls=calls,
    side=side,
    spread=spread,
    log_density=log_density,
    nonconformity=nonconformity,
    bounds=bounds,
    width=width,
    gamma=GAMMA,
    outcomes=outcomes,
    block=block,
    figures=FIGURES,
    scale=1.0,
    tails=False,
)

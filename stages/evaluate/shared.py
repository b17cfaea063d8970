"""The shared block: the same figures for all tasks.

Skill: is there anything to know? The network against the benchmark. Edge: does the network know more
than the classics? The network against the best baseline, chosen a fold on its validation rows.

`rows` is what `rows.join` gives, with the task's `event` (bool: what `auc` ranks) and `surprise` (float:
what `ic` ranks); `losses` is `losses.loss_table` of these rows.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

from stages.common.arrays import Bools, Floats
from stages.evaluate import calibration
from stages.evaluate.calibration import Loss
from stages.evaluate.significance import Sample, compare, fold_gains, gain_pct


def auc(score: Floats, event: Bools) -> float:
    """Chance that an event's score is above a non-event's, ties a half; .5 where one kind is missing.

    By the sum of the events' ranks: Hanley and McNeil (1982), Radiology 143(1), 29-36. scikit-learn gives
    the same, but takes longer to import than evaluate to score a run.
    """
    if event.all() or not event.any():
        return 0.5
    ranks, n_events = pd.Series(score).rank().to_numpy(), np.count_nonzero(event)
    above = ranks[event].sum() - n_events * (n_events + 1) / 2
    return float(above / (n_events * (len(event) - n_events)))


def correlation(a: Floats, b: Floats) -> float:
    """Of a straight line between the two; 0 where either is constant."""
    if np.ptp(a) == 0 or np.ptp(b) == 0:
        return 0.0
    return float(np.corrcoef(a, b)[0, 1])


def spearman(score: Floats, came: Floats) -> float:
    """Correlation of ranks; 0 where either is constant."""
    return correlation(*(pd.Series(values).rank().to_numpy() for values in (score, came)))


def balanced_hits(delta: Floats, event: Bools) -> float:
    """Share of right calls, a mean over events and non-events; .5 where one kind is missing.

    A score above the benchmark calls an event, a tie half of one.
    """
    if event.all() or not event.any():
        return 0.5
    called = (np.sign(delta) + 1) / 2
    return float((called[event].mean() + 1 - called[~event].mean()) / 2)


def averaged(
    figure: Callable[[Floats, Any], float], rows: pd.DataFrame, column: str, against: str
) -> float:
    """`figure` of two columns, fold by fold and symbol by symbol, averaged by rows.

    Pooled, a level that differs between folds or symbols passes for a forecast.
    """
    groups = [group for _, group in rows.groupby(["fold", "symbol"])] or [rows]
    figures = [figure(group[column].to_numpy(), group[against].to_numpy()) for group in groups]
    return float(np.average(figures, weights=[max(1, len(group)) for group in groups]))


def with_know_nothings(rows: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    """The rows with `constant` and `shuffled`: what `delta` would be of two forecasts that know nothing.

    Against a noisy benchmark they score above "no skill", for they lack its noise.
    """
    shuffled = rows.groupby(["fold", "symbol"])["score"].transform(rng.permutation)
    return rows.assign(constant=-rows["benchmark"], shuffled=shuffled - rows["benchmark"])


def role_block(rows: pd.DataFrame, losses: pd.DataFrame) -> dict[str, float]:
    """The four figures of a role's rows: of train, val and test each."""
    total = losses.sum()
    return {
        "skill_pct": float(gain_pct(total["network"], total["benchmark"])),
        "edge_pct": float(gain_pct(total["network"], total["best"])),
        "auc": averaged(auc, rows, "delta", "event"),
        "hit_rate": averaged(balanced_hits, rows, "delta", "event"),
    }


def shared_block(
    rows: pd.DataFrame, losses: pd.DataFrame, loss: Loss, sample: Sample, rng: np.random.Generator
) -> dict[str, float]:
    """What the losses and ranks of the test split say; never NaN. `loss` made `losses`."""
    network, benchmark, best = (losses[name].to_numpy() for name in ("network", "benchmark", "best"))
    opponents = losses.columns.drop(["network", "best"])
    skill, edge = compare(network, benchmark, sample), compare(network, best, sample)
    y, score, benchmark_score = (rows[name].to_numpy(np.float64) for name in ("y", "score", "benchmark"))
    ignorant = with_know_nothings(rows, rng)
    return {
        "signal": skill.verdict,
        "too_short": int(sample.short),
        **skill.gain("skill"),
        "dm_p": skill.dm_p,
        "edge": min(edge.verdict, max(skill.verdict, 0)),
        **edge.gain("edge"),
        "edge_dm_p": edge.dm_p,
        "is_baseline": int(any(np.array_equal(network, losses[name]) for name in opponents)),
        "edge_min_pct": min(float(gain_pct(network.sum(), losses[name].sum())) for name in opponents),
        "fold_win_rate": float((fold_gains(network, best, sample.fold) > 0).mean()),
        "auc": averaged(auc, rows, "delta", "event"),
        "auc_ref": max(averaged(auc, ignorant, name, "event") for name in ("constant", "shuffled")),
        "ic": averaged(spearman, rows, "delta", "surprise"),
        "ic_ref": max(averaged(spearman, ignorant, name, "surprise") for name in ("constant", "shuffled")),
        "hit_rate": averaged(balanced_hits, rows, "delta", "event"),
        "cal_slope": calibration.slope(y, score, benchmark_score, loss),
        "cal_intercept": calibration.intercept(y, score, loss),
    }

"""The table of trials, what sets each apart, and what the best of them is worth."""

import hashlib
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from stages.evaluate.ledger import Trial
from tools import markdown
from tools.trials.names import Names
from tools.trials.overfitting import deflated_sharpe, holm, overfitting_probability


class Beside(NamedTuple):
    """What is known of beside the trials that are counted.

    `n_overlapping`: forecasts on some of the same days. Of forecasts whose scores are gone, `n_gone_here`:
    those on the same test rows, `n_gone_elsewhere`: others; `experiments`: the names of some.
    `oldest`: the day of the oldest score that is known.
    """

    n_overlapping: int = 0
    n_gone_here: int = 0
    n_gone_elsewhere: int = 0
    experiments: Sequence[str] = ()
    oldest: str = ""


def report(trials: Sequence[Trial], names: Names, beside: Beside) -> str:
    """The table as Markdown, and below it what their number does to the best of them."""
    returns = np.column_stack([trial.by_time["net_return"] for trial in trials]).astype(np.float64)
    lines = [table(trials, names, beside.n_gone_here), "", *numbers(trials, beside)]
    lines.append(
        f"Deflated Sharpe ratio of the best: {deflated_sharpe(returns):.3f}, the probability that it is "
        "better than the luckiest of so many worthless ones would look; .95 is the usual bar."
    )
    if len(trials) > 1:
        lines.append(
            f"Probability of backtest overfitting: {overfitting_probability(returns):.3f}, how often the "
            "best on half of the test is below the median on the other half; a half is luck."
        )
    return "\n".join(lines)


def numbers(trials: Sequence[Trial], beside: Beside) -> list[str]:
    """What Holm counts (forecasts), the deflated Sharpe ratio (trials), and what isn't counted."""
    n_forecasts = len({trial.forecast for trial in trials})
    further = "Further forecasts that were scored on overlapping days and aren't counted"
    unseen = f"The oldest score known here is of {beside.oldest}; what was scored before, or elsewhere"
    return [
        f"Forecasts on these test rows: {n_forecasts}, for which Holm adjusts.",
        f"Trials on these test rows: {len(trials)}, each a forecast traded by one setting of the strategy.",
        f"{further}: {beside.n_overlapping}.",
        *gone(beside),
        f"{unseen}, isn't counted.",
    ]


def gone(beside: Beside) -> list[str]:
    """What was scored as DVC notes it, but can't be shown any more."""
    lines = []
    if beside.n_gone_here or beside.n_gone_elsewhere:
        lines.append(
            f"Forecasts that DVC notes, but whose scores are gone: {beside.n_gone_here} on these test "
            f"rows, for which Holm adjusts, too; {beside.n_gone_elsewhere} on rows that aren't known."
        )
    if beside.experiments:
        names = ", ".join(beside.experiments)
        lines.append(f"Experiments whose scores aren't here, and aren't counted: {names}.")
    return lines


def table(trials: Sequence[Trial], names: Names, n_gone: int = 0) -> str:
    """A row a trial, least p first: what sets it apart, its skill and edge, p-values and Sharpe ratio.

    Skill, edge and their p-values are the forecast's, from the first of its trials. `n_gone`: forecasts for
    which Holm adjusts as well.
    """
    tests = {name: first.figures for name, first in first_trials(trials).items()}
    own = [tests[trial.forecast] for trial in trials]
    skill_holm, edge_holm = (
        dict(zip(tests, holm(np.array([test[name] for test in tests.values()]), n_gone), strict=True))
        for name in ("dm_p", "edge_dm_p")
    )
    columns = {
        "trial": apart(trials),
        "experiment": [", ".join(names.get(trial.identity, [])) for trial in trials],
        "skill %": [f"{test['skill_pct']:z.2f}" for test in own],
        "skill p": [p_text(test["dm_p"]) for test in own],
        "skill p, Holm": [p_text(skill_holm[trial.forecast]) for trial in trials],
        "edge %": [f"{test['edge_pct']:z.2f}" for test in own],
        "edge p": [p_text(test["edge_dm_p"]) for test in own],
        "edge p, Holm": [p_text(edge_holm[trial.forecast]) for trial in trials],
        "net Sharpe": [f"{trial.figures['net_sharpe']:z.2f}" for trial in trials],
    }
    rows = list(zip(*columns.values(), strict=True))
    ordered = [rows[k] for k in sorted(range(len(rows)), key=lambda k: (own[k]["dm_p"], rows[k]))]
    return markdown.table(list(columns), ordered, n_left=2)


def p_text(p: float) -> str:
    """`0.031`, or `< 0.001`."""
    return "< 0.001" if p < 0.001 else f"{p:.3f}"


def first_trials(trials: Sequence[Trial]) -> dict[tuple[str, ...], Trial]:
    """The first trial of each forecast."""
    return {trial.forecast: trial for trial in reversed(trials)}


def apart(trials: Sequence[Trial]) -> list[str]:
    """The name of each trial's forecast, and settings of its strategy that not all trials share."""
    first = first_trials(trials)
    names = dict(zip(first, forecasts_apart(list(first.values())), strict=True))
    keys = differing([trial.strategy for trial in trials])
    return [
        ", ".join([names[trial.forecast], *(f"{key}={trial.strategy.get(key)}" for key in keys)])
        for trial in trials
    ]


def forecasts_apart(trials: Sequence[Trial]) -> list[str]:
    """The task of each forecast, and its values of those settings that not all of the task share.

    Forecasts of the same settings have a short hash of the code that made them, of the files that differ;
    if the code is the same too, as after an upgrade of a library, of their predictions.
    """
    names = [str(trial.settings["task"]) for trial in trials]
    for of_trial in (settings_apart, code_apart, predictions_apart):
        names = [
            ", ".join([name, *of_trial(trial, [trials[k] for k in range(len(trials)) if names[k] == name])])
            for name, trial in zip(names, trials, strict=True)
        ]
    return names


def settings_apart(trial: Trial, rivals: Sequence[Trial]) -> list[str]:
    """`key=value` of what not all rivals share."""
    keys = differing([rival.making for rival in rivals])
    return [f"{key}={trial.making.get(key)}" for key in keys]


def code_apart(trial: Trial, rivals: Sequence[Trial]) -> list[str]:
    """`code 1a2b3c4`, if not all rivals share their code."""
    files = differing([rival.code for rival in rivals])
    together = "".join(f"{file} {trial.code.get(file)}\n" for file in files)
    hashed = hashlib.md5(together.encode(), usedforsecurity=False).hexdigest()
    return [f"code {hashed[:7]}"] if files else []


def predictions_apart(trial: Trial, rivals: Sequence[Trial]) -> list[str]:
    """`predictions 1a2b3c4`, as dvc.lock has them, if there are rivals."""
    return [f"predictions {trial.forecast[0][:7]}"] if len(rivals) > 1 else []


def differing(values: Sequence[dict[str, Any]]) -> list[str]:
    """Keys of which not all have the same value, in their order."""
    keys = sorted({key for own in values for key in own})
    return [key for key in keys if any(own.get(key) != values[0].get(key) for own in values)]

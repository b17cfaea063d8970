"""How much of the best result is luck? All that was tried on one test: `python -m tools.trials`.

Whoever tries twenty settings finds one with p < .05. This reads DVC's run cache, in which every run of
every stage is noted, whether by `dvc repro` or `dvc exp run`, so that no try is forgotten: all forecasts
that were scored on the very test rows of results/hourly.parquet, in one table.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml
from dvc.repo import Repo

from stages.common.errors import InputError, run
from stages.common.tables import read_table
from tools.overfitting import deflated_sharpe, holm, overfitting_probability

HOURLY, METRICS = "results/hourly.parquet", "results/metrics.json"
EVALUATE_ALONE = "evaluate."  # settings that change what is said of a forecast, not the forecast

Run = dict[str, Any]  # a stage's run as dvc.lock has it: cmd, deps, params, outs


@dataclass(frozen=True)
class Trial:
    """A forecast and what it was worth. `settings`: all that led to it; `hourly`: a row an hour of test."""

    settings: dict[str, Any]
    metrics: dict[str, Any]
    hourly: pd.DataFrame


def main() -> None:
    """Print the table of trials, and what the best of them is worth."""
    if not Path(HOURLY).is_file():
        raise InputError(f"{HOURLY} must exist: dvc repro or dvc checkout brings it; received none.")
    current = read_table(HOURLY)
    trials = same_test(read_trials(Repo(".")), current)
    if not trials:
        raise InputError(
            f"DVC's run cache must hold the run that wrote {HOURLY} (dvc repro --force evaluate notes it); "
            "received none."
        )
    print(report(trials))


def read_trials(repo: Repo) -> list[Trial]:
    """Every forecast that the run cache has a score of, in the order of first being scored.

    A forecast that was scored again, with other code or settings of evaluate, counts once, as last scored.
    """
    runs = read_runs(Path(repo.stage_cache.cache_dir))
    makers = {(out["path"], out["md5"]): run for run in runs for out in run["outs"]}
    latest = {forecast_of(run): run for run in runs if HOURLY in outputs(run)}
    trials = []
    for scored in latest.values():
        paths = [cached(repo, outputs(scored)[name]) for name in (METRICS, HOURLY)]
        if all(path.is_file() for path in paths):  # `dvc gc` may have taken what no commit needs
            metrics = json.loads(paths[0].read_text(encoding="utf-8"))
            trials.append(Trial(settings_of(scored, makers), metrics, read_table(paths[1])))
    return trials


def read_runs(folder: Path) -> list[Run]:
    """Every stage run that the run cache notes, oldest first."""
    paths = sorted(
        (path for path in folder.glob("*/*/*") if path.is_file()),
        key=lambda path: (path.stat().st_mtime_ns, path.name),
    )
    return [yaml.safe_load(path.read_text(encoding="utf-8")) for path in paths]


def outputs(run: Run) -> dict[str, str]:
    """Hash of each of a run's outputs."""
    return {out["path"]: out["md5"] for out in run["outs"]}


def forecast_of(run: Run) -> tuple[str, ...]:
    """What evaluate was given to score: the hashes of its data."""
    return tuple(dep["md5"] for dep in run["deps"] if not dep["path"].endswith(".py"))


def cached(repo: Repo, md5: str) -> Path:
    """Where DVC keeps the file of that hash."""
    return Path(repo.cache.local.oid_to_path(md5))


def settings_of(run: Run, makers: dict[tuple[str, str], Run]) -> dict[str, Any]:
    """Settings of the run and of all runs that made its inputs, by dotted key."""
    settings: dict[str, Any] = {}
    for dep in run["deps"]:
        maker = makers.get((dep["path"], dep["md5"]))
        if maker:
            settings |= settings_of(maker, makers)
    return settings | flat(run.get("params", {}).get("params.yaml", {}))


def flat(values: dict[str, Any], block: str = "") -> dict[str, Any]:
    """Nested settings by their dotted keys."""
    found: dict[str, Any] = {}
    for key, value in values.items():
        found |= flat(value, f"{block}{key}.") if isinstance(value, dict) else {block + key: value}
    return found


def same_test(trials: Iterable[Trial], current: pd.DataFrame) -> list[Trial]:
    """The trials that were scored on the same hours of the same market as the table `current`."""
    columns = ["close_time", "market_return"]
    return [trial for trial in trials if trial.hourly[columns].equals(current[columns])]


def report(trials: list[Trial]) -> str:
    """The table as Markdown, and below it what their number does to the best of them."""
    returns = np.column_stack([trial.hourly["net_return"] for trial in trials])
    lines = [*table(trials), "", f"Trials on these test rows: {len(trials)}."]
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


def table(trials: list[Trial]) -> list[str]:
    """A row a trial, least p first: what sets it apart, its skill and edge, p-values and Sharpe ratio."""
    tests = [trial.metrics["test"] for trial in trials]
    skill_p, edge_p = (np.array([test[name] for test in tests]) for name in ("dm_p", "edge_dm_p"))
    columns = {
        "trial": apart([trial.settings for trial in trials]),
        "skill %": [f"{test['skill_pct']:z.2f}" for test in tests],
        "p": [shown(p) for p in skill_p],
        "p, Holm": [shown(p) for p in holm(skill_p)],
        "edge %": [f"{test['edge_pct']:z.2f}" for test in tests],
        "p ": [shown(p) for p in edge_p],
        "p, Holm ": [shown(p) for p in holm(edge_p)],
        "net Sharpe": [f"{test['net_sharpe']:z.2f}" for test in tests],
    }
    rows = list(zip(*columns.values(), strict=True))
    ordered = [rows[k] for k in np.argsort(skill_p, kind="stable")]
    rule = ["---", *["---:"] * (len(columns) - 1)]
    return [f"| {' | '.join(cells)} |" for cells in (columns, rule, *ordered)]


def shown(p: float) -> str:
    """`0.031`, or `< 0.001`."""
    return "< 0.001" if p < 0.001 else f"{p:.3f}"


def apart(settings: list[dict[str, Any]]) -> list[str]:
    """The task of each trial, and its values of those settings that not all trials of the task share."""
    names = []
    for own in settings:
        rivals = [other for other in settings if other["task"] == own["task"]]
        keys = {key for other in rivals for key in other if not key.startswith(EVALUATE_ALONE)}
        differing = [key for key in sorted(keys) if any(other.get(key) != own.get(key) for other in rivals)]
        names.append(", ".join([own["task"], *(f"{key}={own.get(key)}" for key in differing)]))
    return names


if __name__ == "__main__":
    run(main)

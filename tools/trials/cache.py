"""What DVC's run cache notes of forecasts that were made and scored here."""

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import pandas as pd
from dvc.exceptions import DvcException
from dvc.repo import Repo
from dvc.utils.serialize import load_yaml

from stages.common.errors import InputError, printable

BY_TIME, METRICS = "results/by_time.parquet", "results/metrics.json"
FORECAST = ("data/predictions.parquet", "data/labels")
COLUMNS = ["close_time", "market_return", "net_return"]
FIGURES = ["skill_pct", "dm_p", "edge_pct", "edge_dm_p", "net_sharpe"]
STRATEGY = "evaluate."
INTERVALS_ALONE = ("evaluate.bootstrap", "evaluate.seed")  # they change neither returns nor p-values
ROUNDING = 1e-12  # of a return: the same market, averaged over its symbols by other code

Settings = dict[str, Any]  # by dotted key
T = TypeVar("T")


@dataclass(frozen=True)
class Run:
    """A stage's run as the run cache notes it: hashes of its inputs and outputs by path, its settings."""

    inputs: dict[str, str]
    outputs: dict[str, str]
    settings: Settings


Makers = dict[tuple[str, str], list[Run]]  # of an output, by path and hash; newest first


@dataclass(frozen=True)
class Trial:
    """A forecast, traded by one setting of the strategy, and what it was worth.

    `forecast`: its hashes; `settings` and `code`: all that made it, `code` as hashes by path; `strategy`:
    settings; `figures`: FIGURES of the test; `by_time`: COLUMNS of the test, a row a close_time.
    """

    forecast: tuple[str, ...]
    settings: Settings
    code: dict[str, str]
    strategy: Settings
    figures: dict[str, float]
    by_time: pd.DataFrame


def md5(path: Path) -> str:
    """Hash of a file as DVC has it."""
    return hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest()


def read_file(path: Path, read: Callable[[Path], T]) -> T:
    """What `read` makes of the file; InputError where it isn't what DVC or evaluate once wrote."""
    try:
        return read(path)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, DvcException) as error:
        reason = printable(str(error).partition("\n")[0].rstrip("."))
        raise InputError(
            f"{path} must be as it was written (delete it to go on without it); received a file that can't "
            f"be read: {type(error).__name__}, {reason}."
        ) from error


def read_by_time(path: Path) -> pd.DataFrame:
    """COLUMNS of a table by time, whichever version of this project wrote it."""
    return pd.read_parquet(path, columns=COLUMNS)


def read_figures(path: Path) -> dict[str, float]:
    """FIGURES of a metrics file."""
    test = json.loads(path.read_text(encoding="utf-8"))["test"]
    return {name: test[name] for name in FIGURES}


def read_run(path: Path) -> Run:
    """A run from its file in the run cache, which has the form of a stage in dvc.lock."""
    noted = load_yaml(str(path))
    inputs, outputs = ({file["path"]: file["md5"] for file in noted[kind]} for kind in ("deps", "outs"))
    return Run(inputs, outputs, flat(noted.get("params", {}).get("params.yaml", {})))


def flat(values: dict[str, Any], block: str = "") -> Settings:
    """Nested settings by their dotted keys."""
    found: Settings = {}
    for key, value in values.items():
        found |= flat(value, f"{block}{key}.") if isinstance(value, dict) else {block + key: value}
    return found


def read_runs(folder: Path) -> list[Run]:
    """Every stage run that the run cache notes, newest first."""
    # A run that is being noted has such a name until it is whole.
    files = [path for path in folder.glob("*/*/*") if path.is_file() and path.suffix != ".tmp"]
    files.sort(key=lambda path: (path.stat().st_mtime_ns, path.name), reverse=True)
    return [read_file(path, read_run) for path in files]


def read_trials(repo: Repo, here: dict[str, str]) -> list[Trial]:
    """Every trial that the run cache has a score of, once: the workspace's run of it, or else the newest.

    `here`: hashes by path of the workspace's results. The trials come in that order of preference, too.
    """
    runs = read_runs(Path(repo.stage_cache.cache_dir))
    makers = makers_of(runs)
    scored = [scoring for scoring in runs if BY_TIME in scoring.outputs]
    # Age alone won't do: DVC leaves a run's file as it is when the run cache serves the run.
    scored.sort(key=lambda scoring: -len(here.items() & scoring.outputs.items()))
    trials: list[Trial] = []
    seen: list[tuple[tuple[str, ...], Settings]] = []
    for scoring in scored:
        identity = forecast_of(scoring), strategy_of(scoring)
        paths = [Path(repo.cache.local.oid_to_path(scoring.outputs[name])) for name in (METRICS, BY_TIME)]
        # `dvc gc` may have taken what no commit needs.
        if identity not in seen and all(path.is_file() for path in paths):
            seen.append(identity)
            trials.append(read_trial(scoring, makers, *paths))
    return trials


def makers_of(runs: Sequence[Run]) -> Makers:
    """The runs by what they made; their order is kept."""
    makers: Makers = {}
    for maker in runs:
        for made in maker.outputs.items():
            makers.setdefault(made, []).append(maker)
    return makers


def read_trial(scoring: Run, makers: Makers, metrics: Path, by_time: Path) -> Trial:
    """The trial that a run of evaluate scored."""
    figures, returns = read_file(metrics, read_figures), read_file(by_time, read_by_time)
    made = origin(scoring, makers)
    return Trial(forecast_of(scoring), *made, strategy_of(scoring), figures, returns)


def forecast_of(scoring: Run) -> tuple[str, ...]:
    """What tells the forecast that evaluate scored from others."""
    return tuple(scoring.inputs[path] for path in FORECAST)


def strategy_of(scoring: Run) -> Settings:
    """Settings by which evaluate traded the forecast."""
    return {
        key: value
        for key, value in scoring.settings.items()
        if key.startswith(STRATEGY) and key not in INTERVALS_ALONE
    }


def origin(scoring: Run, makers: Makers) -> tuple[Settings, dict[str, str]]:
    """Settings and hashes of the code that made a forecast, of all stages before evaluate."""
    settings: Settings = {}
    code: dict[str, str] = {}
    for each in lineage(scoring, makers):
        settings |= {key: value for key, value in each.settings.items() if not key.startswith(STRATEGY)}
        if each is not scoring:
            code |= {path: hashed for path, hashed in each.inputs.items() if path.endswith(".py")}
    return settings, code


def lineage(run: Run, makers: Makers) -> Iterator[Run]:
    """All runs that led to this one, some more than once, and it last.

    Of several that made an input alike, the one that shares most else with this run.
    """
    for made in run.inputs.items():
        if made in makers:
            yield from lineage(max(makers[made], key=lambda maker: n_shared(run, maker)), makers)
    yield run


def n_shared(run: Run, maker: Run) -> int:
    """Number of the run's inputs that the maker read or wrote."""
    return len(run.inputs.items() & (maker.inputs | maker.outputs).items())


def same_test(by_time: pd.DataFrame, current: pd.DataFrame) -> bool:
    """Whether both tables have the same times of the same market."""
    return by_time["close_time"].equals(current["close_time"]) and agreement(by_time, current) == 1


def overlaps(by_time: pd.DataFrame, current: pd.DataFrame) -> bool:
    """Whether the tables share times of the same market.

    Most returns will do: among several symbols, one may lack a row beside a gap with another horizon.
    """
    return agreement(by_time, current) > 0.5


def agreement(by_time: pd.DataFrame, current: pd.DataFrame) -> float:
    """Share of the times in both tables at which the market returned the same; 0 of none."""
    shared = by_time.merge(current, on="close_time", suffixes=("", "_current"))
    same = (shared["market_return"] - shared["market_return_current"]).abs() <= ROUNDING
    return float(same.mean()) if len(shared) else 0.0


def n_further(trials: Sequence[Trial], counted: Sequence[Trial], current: pd.DataFrame) -> int:
    """Number of forecasts that were scored on some of the same times, but aren't among the counted."""
    overlapping = {trial.forecast for trial in trials if overlaps(trial.by_time, current)}
    return len(overlapping - {trial.forecast for trial in counted})

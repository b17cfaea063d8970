"""What DVC notes of forecasts that were made and scored here: in its run cache, and in a dvc.lock."""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd
from dvc.exceptions import DvcException
from dvc.repo import Repo
from dvc.utils.serialize import load_yaml

from stages.common.errors import InputError, printable
from stages.evaluate.ledger import FORECAST, SCORES, STRATEGY, Identity, Trial, market_hashes, strategy_of
from stages.evaluate.subject import Settings, flat

FIGURES = ["skill_pct", "dm_p", "edge_pct", "edge_dm_p", "net_sharpe"]


class StageRun(NamedTuple):
    """A stage's run as DVC notes it: hashes of its inputs and outputs by path, its settings, and when."""

    inputs: dict[str, str]
    outputs: dict[str, str]
    settings: Settings
    noted_ns: int = 0

    @property
    def has_scores(self) -> bool:
        """Whether it scored a forecast, as this version of the project does."""
        return self.inputs.keys() >= set(FORECAST) and self.outputs.keys() >= set(SCORES)

    @property
    def forecast(self) -> tuple[str, ...]:
        """What tells the forecast that evaluate scored from others."""
        return tuple(self.inputs[path] for path in FORECAST)

    @property
    def identity(self) -> Identity:
        """What tells the trial that evaluate scored from others."""
        return self.forecast, frozenset(strategy_of(self.settings).items())


Makers = dict[tuple[str, str], list[StageRun]]  # of an output, by path and hash; newest first


@contextmanager
def as_written(name: object, mend: str = "delete it to go on without it") -> Iterator[None]:
    """Turn what is raised where a source is broken into an InputError with its name and what helps.

    A file is broken that isn't what DVC or evaluate once wrote.
    """
    try:
        yield
    except (OSError, ValueError, KeyError, TypeError, AttributeError, DvcException) as error:
        reason = printable(str(error).partition("\n")[0].rstrip("."))
        raise InputError(
            f"{name} must be as it was written ({mend}); received what can't be read: "
            f"{type(error).__name__}, {reason}."
        ) from error


def read_by_time(path: Path) -> pd.DataFrame:
    """What a trial needs of a table by time, whichever version of this project wrote it."""
    with as_written(path):
        table = pd.read_parquet(path, columns=["close_time", "market_return", "net_return"])
        return table.astype({"market_return": "float32", "net_return": "float32"})


def read_figures(path: Path) -> dict[str, float]:
    """The shared block of a metrics file. InputError where the table would miss one of its figures."""
    with as_written(path):
        test: dict[str, float] = json.loads(path.read_text(encoding="utf-8"))["test"]
        for name in FIGURES:
            _ = test[name]
        return test


def read_run(path: Path) -> StageRun:
    """A run from its file in the run cache."""
    with as_written(path):
        return run_of(load_yaml(str(path)), path.stat().st_mtime_ns)


def run_of(noted: dict[str, Any], noted_ns: int = 0) -> StageRun:
    """A run as the run cache and dvc.lock alike have it."""
    inputs, outputs = ({file["path"]: file["md5"] for file in noted[kind]} for kind in ("deps", "outs"))
    return StageRun(inputs, outputs, flat(noted.get("params", {}).get("params.yaml", {})), noted_ns)


def read_runs(folder: Path) -> list[StageRun]:
    """Every stage run that the run cache notes, newest first."""
    # A run that is being noted has such a name until it is whole.
    files = [path for path in folder.glob("*/*/*") if path.is_file() and path.suffix != ".tmp"]
    files.sort(key=lambda path: (path.stat().st_mtime_ns, path.name), reverse=True)
    return [read_run(path) for path in files]


def noted_trial(repo: Repo, scoring: StageRun, makers: Makers, here: dict[str, str]) -> Trial | None:
    """The trial that a run of evaluate scored; None where its scores are gone, as after `dvc gc`.

    `here`: hashes by path of the workspace's results, which will do in place of what the cache had.
    """
    hashes = tuple(scoring.outputs[path] for path in SCORES)
    files = [object_path(repo, hashed) for hashed in hashes]
    for k, (path, hashed) in enumerate(zip(SCORES, hashes, strict=True)):
        if not files[k].is_file() and here.get(path) == hashed:
            files[k] = Path(path)
    if not all(file.is_file() for file in files):
        return None
    by_time, figures = read_by_time(files[0]), read_figures(files[1])
    settings, code = origin(scoring, makers)
    market = market_hashes(by_time, read_returns(repo, scoring, by_time))
    by_time = by_time[["close_time", "net_return"]]
    return Trial(scoring.forecast, hashes, settings, code, figures, market, by_time)


def object_path(repo: Repo, hashed: str) -> Path:
    """Where DVC's cache has what it knows by that hash, if it has it."""
    return Path(repo.cache.local.oid_to_path(hashed))


def read_returns(repo: Repo, scoring: StageRun, by_time: pd.DataFrame) -> pd.DataFrame:
    """Symbol, close_time and return_next at the times of a test, of as many symbols as the cache has."""
    folder = object_path(repo, scoring.inputs["data/labels"])
    listed = read_listing(folder) if folder.is_file() else {}
    tables = [pd.DataFrame({"symbol": [], "close_time": [], "return_next": []})]
    for name, hashed in listed.items():
        path = object_path(repo, hashed)
        if name != "folds.parquet" and path.is_file():
            with as_written(path):
                table = pd.read_parquet(path, columns=["close_time", "return_next"])
            tables.append(table[table["close_time"].isin(by_time["close_time"])].assign(symbol=name))
    return pd.concat(tables[1:] or tables)


def read_listing(path: Path) -> dict[str, str]:
    """Hashes by name of the files of a folder that DVC's cache has."""
    with as_written(path):
        return {file["relpath"]: file["md5"] for file in json.loads(path.read_text(encoding="utf-8"))}


def makers_of(runs: Sequence[StageRun]) -> Makers:
    """The runs by what they made; their order is kept."""
    makers: Makers = {}
    for maker in runs:
        for made in maker.outputs.items():
            makers.setdefault(made, []).append(maker)
    return makers


def origin(scoring: StageRun, makers: Makers) -> tuple[Settings, dict[str, str]]:
    """Settings of all stages, and hashes of the code of those before evaluate."""
    settings: Settings = {}
    code: dict[str, str] = {}
    for each in lineage(scoring, makers):
        settings |= {key: value for key, value in each.settings.items() if not key.startswith(STRATEGY)}
        if each is not scoring:
            code |= {path: hashed for path, hashed in each.inputs.items() if path.endswith(".py")}
    return settings | scoring.settings, code


def lineage(run: StageRun, makers: Makers) -> Iterator[StageRun]:
    """All runs that led to this one, some more than once, and it last.

    Of several that made an input alike, the one that shares most else with this run.
    """
    for made in run.inputs.items():
        if made in makers:
            yield from lineage(max(makers[made], key=lambda maker: n_shared(run, maker)), makers)
    yield run


def n_shared(run: StageRun, maker: StageRun) -> int:
    """Number of the run's inputs that the maker read or wrote."""
    return len(run.inputs.items() & (maker.inputs | maker.outputs).items())

"""The ledger: what was scored here, kept where `dvc gc` takes nothing. tools.trials reads it.

A trial is a Parquet file in the cache folder's `trials`, named after what was scored and what came of it,
so that the same result has one file. The ledger is no stage's output, and no hash counts it.
"""

import hashlib
import json
import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray
from ruamel.yaml import YAML

from stages.common.cache import cache_folder
from stages.common.outputs import beside
from stages.common.tables import TIME
from stages.evaluate.subject import Settings, flat

Figures = dict[str, float]  # of the test, by key

FORECAST = ("data/predictions.parquet", "data/labels")
SCORES = ("results/by_time.parquet", "results/metrics.json")
STRATEGY = "evaluate."
BOOTSTRAP_ONLY = ("evaluate.bootstrap", "evaluate.seed")  # they change neither returns nor p-values
DETAILS = b"barometer.trial"  # their name in a file's metadata
SCHEMA = pa.schema([("close_time", TIME), ("net_return", pa.float32())])
ENCODING = {
    "compression": "zstd",
    "use_dictionary": False,
    "column_encoding": {"close_time": "DELTA_BINARY_PACKED", "net_return": "BYTE_STREAM_SPLIT"},
}

Identity = tuple[tuple[str, ...], frozenset[tuple[str, Any]]]  # of a trial: its forecast and its strategy


class Trial(NamedTuple):
    """A forecast, traded by one setting of the strategy, and what it was worth.

    `forecast` and `scores`: hashes of FORECAST and SCORES, as DVC has them. `settings`: all that counted.
    `code`: hashes by path of what made the forecast. `figures`: the shared block of the test. `market`: as
    `market_hashes` gives it. `by_time`: close_time and net_return of the test, in order of time.
    `experiment`: the name that DVC ran it under, or nothing.
    """

    forecast: tuple[str, ...]
    scores: tuple[str, ...]
    settings: Settings
    code: dict[str, str]
    figures: dict[str, float]
    market: list[list[str]]
    by_time: pd.DataFrame
    experiment: str = ""

    @property
    def making(self) -> Settings:
        """Settings of all stages before evaluate."""
        return {key: value for key, value in self.settings.items() if not key.startswith(STRATEGY)}

    @property
    def strategy(self) -> Settings:
        """Settings by which the forecast was traded."""
        return strategy_of(self.settings)

    @property
    def identity(self) -> Identity:
        """What tells it from other trials."""
        return self.forecast, frozenset(self.strategy.items())


def strategy_of(settings: Settings) -> Settings:
    """Those of evaluate's settings that change returns."""
    return {
        key: value
        for key, value in settings.items()
        if key.startswith(STRATEGY) and key not in BOOTSTRAP_ONLY
    }


def ledger_folder() -> Path:
    """Where the workspace's trials are kept."""
    return cache_folder() / "trials"


def trial_name(forecast: Sequence[str], scores: Sequence[str], settings: Settings) -> str:
    """The name of a trial's file: what was scored, by which settings, and what came of it."""
    scored_by = {key: value for key, value in settings.items() if key.startswith(STRATEGY)}
    identity = json.dumps([*forecast, *scores, scored_by], sort_keys=True)
    return hashlib.md5(identity.encode(), usedforsecurity=False).hexdigest() + ".parquet"


def write_trial(folder: Path, trial: Trial) -> Path:
    """Enter a trial into the ledger, whole or not at all; its file. Raises OSError where that fails."""
    path = folder / trial_name(trial.forecast, trial.scores, trial.settings)
    details = {key: value for key, value in trial._asdict().items() if key != "by_time"}
    table = pa.Table.from_pandas(trial.by_time, SCHEMA, preserve_index=False)
    with (
        suppress(FileNotFoundError),  # two that enter the same at the same moment write the same file
        beside(path) as file,
        # Its own schema beside Parquet's would hold the details a second time.
        pq.ParquetWriter(file, SCHEMA, **ENCODING, store_schema=False) as writer,
    ):
        writer.write_table(table)
        writer.add_key_value_metadata({DETAILS: json.dumps(details)})
    path.stat()  # raises where it isn't there after all
    return path


def settings_of_forecast() -> Settings:
    """What earlier stages ran with, if DVC has noted it: params.yaml may have been edited since."""
    if not Path("dvc.lock").exists():
        return {}
    stages = YAML(typ="safe").load(Path("dvc.lock").read_text(encoding="utf-8"))["stages"]
    outs = {out["path"]: out["md5"] for out in stages.get("train", {}).get("outs", [])}
    if outs.get(FORECAST[0]) != md5(Path(FORECAST[0])):
        return {}
    noted = [stage["params"]["params.yaml"] for name, stage in stages.items() if name != "evaluate"]
    return {key: value for params in noted for key, value in flat(params).items()}


def remember(figures: Figures, by_time: pd.DataFrame, test: pd.DataFrame, settings: Settings) -> None:
    """Enter what was scored into the ledger; where that fails, say so, for the results stand without it.

    `figures`: the shared block of the test; `test`: its rows; `settings`: those of params.yaml.
    """
    try:
        trial = Trial(
            forecast=tuple(md5(Path(path)) for path in FORECAST),
            scores=tuple(md5(Path(path)) for path in SCORES),
            settings=settings | settings_of_forecast(),
            code={
                path.as_posix(): md5(path)
                for path in sorted(Path("stages").rglob("*.py"))
                if not path.is_relative_to("stages/evaluate")
            },
            figures=figures,
            market=market_hashes(by_time, test),
            by_time=by_time[["close_time", "net_return"]],
            experiment=os.environ.get("DVC_EXP_NAME", ""),
        )
        write_trial(ledger_folder(), trial)
    except OSError as error:
        print(
            f"warning: {ledger_folder()} must be a folder that can be written to, or else python -m "
            f"tools.trials will not know of this try once `dvc gc` has run; received: {error}.",
            file=sys.stderr,
        )


def read_trial(path: Path) -> Trial:
    """A trial as it was entered. Raises one of several errors where its file isn't that any more."""
    with pq.ParquetFile(path) as file:
        details = json.loads(file.metadata.metadata[DETAILS])
        by_time = file.read(use_threads=False).to_pandas(ignore_metadata=True)
    details |= {name: tuple(details[name]) for name in ("forecast", "scores")}
    return Trial(**details, by_time=by_time)


def md5(path: Path) -> str:
    """Hash of a file, or of a folder of Parquet files, as DVC has it."""
    if path.is_dir():
        # What a desktop drops into a folder DVC doesn't count either.
        tables = sorted(path.glob("*.parquet"), key=lambda file: file.name)  # Windows' paths know no case
        files = [{"md5": md5(file), "relpath": file.name} for file in tables]
        listed = json.dumps(files, sort_keys=True)
        return hashlib.md5(listed.encode(), usedforsecurity=False).hexdigest() + ".dir"
    return hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest()


def market_hashes(by_time: pd.DataFrame, rows: pd.DataFrame) -> list[list[str]]:
    """Fingerprints of a test's market: of the mean over all symbols, then, if there are several, of each.

    Each is a hash a day of the test, in order of time, of the returns and their times; empty where the
    market stood still, or has no rows. `by_time`: close_time and market_return; `rows`: symbol, close_time
    and return_next.
    """
    days = np.unique(days_of(by_time))
    markets = [by_time.rename(columns={"market_return": "return_next"})]
    if rows["symbol"].unique().size > 1:
        markets += [own for _, own in rows.groupby("symbol")]
    return [[hashes.get(day, "") for day in days] for hashes in map(daily_hashes, markets)]


def days_of(table: pd.DataFrame) -> NDArray[np.datetime64]:
    """The day of each row's close_time, in UTC."""
    return table["close_time"].to_numpy("datetime64[ms]").astype("datetime64[D]")


def daily_hashes(market: pd.DataFrame) -> dict[np.datetime64, str]:
    """A hash of each day's returns and their times; `market`: close_time and return_next."""
    market = market.sort_values("close_time")
    days, first = np.unique(days_of(market), return_index=True)
    times = np.split(market["close_time"].to_numpy("datetime64[ms]").astype(np.int64), first[1:])
    # As float32, for the last bits are the C library's own; and a sum with 0 has no negative zero.
    returns = np.split(market["return_next"].to_numpy(np.float32) + np.float32(0), first[1:])
    return {
        day: hashlib.blake2b(own_times.tobytes() + own_returns.tobytes(), digest_size=4).hexdigest()
        for day, own_times, own_returns in zip(days, times, returns, strict=True)
        if own_returns.any()
    }

"""The record: a line a forecast that was given, chained by hashes, in forecasts/<symbol>.jsonl."""

import hashlib
from pathlib import Path
from typing import Annotated

import pandas as pd
from pydantic import AwareDatetime, Field

from stages.common.errors import InputError, printable
from stages.common.outputs import LOCKS, lock
from stages.common.tables import file_name
from stages.evaluate.subject import Settings
from tools.forecast.model import Part
from tools.forecast.report import Report, Told

FOLDER = Path("forecasts")
FIRST = "0" * 64  # what the first line has in the place of the hash of the line before
TIMES = ("as_of", "recorded_at")
Moment = Annotated[AwareDatetime, Field(strict=True)]  # a number is none
ASIDE = "Put the file aside, and a new record begins."


def asked(settings: Settings) -> Settings:
    """Of a model's settings those that say which question was asked of which market."""
    parts = ("task", "fetch.timeframe", "fetch.source", f"fetch.{settings['fetch.source']}.", "label.")
    return {key: value for key, value in settings.items() if key.startswith(parts)}


class Entry(Part):
    """A line of the record; `before`: the hash of the line before."""

    symbol: str
    asked: Settings
    as_of: Moment
    recorded_at: Moment
    forecast: float
    lo: float | None
    hi: float | None
    benchmark: float
    best: float
    best_baseline: str
    signal: int
    model_sha256: str
    candles_sha256: str
    before: str


def entry(report: Report, told: Told, asked: Settings, recorded_at: pd.Timestamp, before: str) -> Entry:
    """The line of a forecast that was just given."""
    own = {name: getattr(told, name) for name in Entry.model_fields if name in Told.model_fields}
    return Entry(
        **own | {"as_of": pd.Timestamp(told.as_of).to_pydatetime()},
        asked=asked,
        recorded_at=recorded_at.to_pydatetime().replace(microsecond=0),
        signal=report.promise.signal,
        model_sha256=report.model_sha256,
        before=before,
    )


def record(report: Report, asked: Settings, recorded_at: pd.Timestamp) -> list[str]:
    """Add each symbol's forecast to its file in FOLDER, and say so in a line each; `asked`: of `asked`.

    One that is there already, of the same candle and model, isn't given twice. Raises InputError where the
    file isn't a record, or another process is writing one.
    """
    FOLDER.mkdir(exist_ok=True)
    LOCKS.mkdir(parents=True, exist_ok=True)
    with (LOCKS / "forecasts").open("a") as file:
        if not lock(file):  # two lines that follow the same one would break the chain
            raise InputError(f"{FOLDER} must be written by one at a time; received a second: try again.")
        return [add(report, told, asked, recorded_at) for told in report.symbols]


def add(report: Report, told: Told, asked: Settings, recorded_at: pd.Timestamp) -> str:
    """Add a symbol's forecast to its file; a line that says so."""
    path = FOLDER / f"{file_name(told.symbol)}.jsonl"
    known = read_record(path)
    if (
        pd.Timestamp(told.as_of)
        in known.loc[known["model_sha256"] == report.model_sha256, "as_of"].tolist()
    ):
        return f"{path} has the forecast of {told.as_of} already."
    before = digest(read_lines(path)[-1]) if len(known) else FIRST
    with path.open("a", encoding="utf-8", newline="\n") as file:
        file.write(entry(report, told, asked, recorded_at, before).model_dump_json() + "\n")
    return f"{path}: forecast {len(known) + 1:,}."


def read_lines(path: Path) -> list[str]:
    """The lines of a record; none where there is no file. Raises InputError where one is cut short."""
    if not path.exists():
        return []
    text = path.read_text(encoding="utf-8", errors="replace")
    if text and not text.endswith("\n"):
        raise InputError(
            f"{path} must be lines that are whole; received one that ends early: "
            f"{printable(text.splitlines()[-1])}. Take it out."
        )
    return text.split("\n")[:-1]


def read_record(path: Path) -> pd.DataFrame:
    """All entries, in order; as_of and recorded_at in UTC.

    Raises InputError where a line is none, or was changed, taken out or put in since.
    """
    entries, before = list[Entry](), FIRST
    for number, line in enumerate(read_lines(path), 1):
        try:
            found = Entry.model_validate_json(line)
            if file_name(found.symbol) != path.stem:
                raise ValueError("another symbol's")
        except ValueError:
            raise InputError(
                f"{path} must hold a forecast of its symbol a line; received "
                f"{printable(line) or 'nothing'} in line {number:,}. {ASIDE}"
            ) from None
        if found.before != before:
            raise InputError(
                f"{path} must be as it was recorded; received a line {number:,} that doesn't follow the "
                f"one before it: one was changed, taken out or put in. {ASIDE}"
            )
        entries.append(found)
        before = digest(line)
    table = pd.DataFrame([each.model_dump() for each in entries], columns=list(Entry.model_fields))
    return table.astype(dict.fromkeys(TIMES, "datetime64[ms, UTC]"))


def digest(line: str) -> str:
    """The hash by which the next line knows this one."""
    return hashlib.sha256(line.encode()).hexdigest()

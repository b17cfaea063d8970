"""The record: a line a forecast that was given, chained by hashes, in forecasts/<symbol>.jsonl."""

import hashlib
import json
from pathlib import Path
from typing import Any

import pandas as pd

from stages.common.errors import InputError, printable
from stages.common.tables import file_name
from tools.forecast.report import Report, Told

FOLDER = Path("forecasts")
FIRST = "0" * 64  # what the first line has in the place of the hash of the line before


def entry(report: Report, told: Told, recorded_at: pd.Timestamp, before: str) -> dict[str, Any]:
    """A line of the record; `before`: the hash of the line before."""
    return {
        "symbol": told.symbol,
        "task": report.task,
        "timeframe": report.timeframe,
        "horizon_bars": report.horizon_bars,
        "as_of": told.as_of,
        "recorded_at": recorded_at.isoformat(timespec="seconds"),
        "forecast": told.forecast,
        "lo": told.lo,
        "hi": told.hi,
        "benchmark": told.benchmark,
        "best": told.best,
        "best_baseline": told.best_baseline,
        "signal": report.promise.signal,
        "model_sha256": report.model_sha256,
        "candles_sha256": told.candles_sha256,
        "before": before,
    }


def record(report: Report, recorded_at: pd.Timestamp, folder: Path = FOLDER) -> list[str]:
    """Add each symbol's forecast to its file, and say so in a line each.

    One that is there already, of the same candle, task and model, isn't given twice. Raises InputError
    where the file isn't a record.
    """
    folder.mkdir(exist_ok=True)
    said = []
    for told in report.symbols:
        path = folder / f"{file_name(told.symbol)}.jsonl"
        lines = read_lines(path)
        known = [json.loads(line) for line in lines[-1:]]
        what = (told.as_of, report.task, report.model_sha256)
        if known and tuple(known[0][key] for key in ("as_of", "task", "model_sha256")) == what:
            said.append(f"{path} has the forecast of {told.as_of} already.")
            continue
        before = digest(lines[-1]) if lines else FIRST
        with path.open("a", encoding="utf-8", newline="\n") as file:
            file.write(json.dumps(entry(report, told, recorded_at, before)) + "\n")
        said.append(f"{path}: forecast {len(lines) + 1:,}.")
    return said


def read_lines(path: Path) -> list[str]:
    """The lines of a record; none where there is no file. Raises InputError where one is cut short."""
    if not path.exists():
        return []
    text = path.read_text(encoding="utf-8")
    if text and not text.endswith("\n"):
        raise InputError(
            f"{path} must be lines that are whole; received one that ends early: "
            f"{printable(text.splitlines()[-1])}. Take it out."
        )
    return text.splitlines()


def read_record(path: Path) -> pd.DataFrame:
    """All entries, in order; as_of and recorded_at in UTC.

    Raises InputError where a line is none, or was changed, taken out or put in since.
    """
    lines, entries, before = read_lines(path), [], FIRST
    for number, line in enumerate(lines, 1):
        try:
            found = json.loads(line)
            chained = found["before"] == before
        except (ValueError, KeyError, TypeError):
            raise InputError(
                f"{path} must hold a forecast a line; received {printable(line)} in line {number:,}."
            ) from None
        if not chained:
            raise InputError(
                f"{path} must be as it was recorded; received a line {number:,} that doesn't follow the "
                "one before it: one was changed, taken out or put in."
            )
        entries.append(found)
        before = digest(line)
    table = pd.DataFrame(entries)
    for name in ("as_of", "recorded_at") if entries else ():
        table[name] = pd.to_datetime(table[name], utc=True, format="ISO8601").dt.as_unit("ms")
    return table


def digest(line: str) -> str:
    """The hash by which the next line knows this one."""
    return hashlib.sha256(line.encode()).hexdigest()

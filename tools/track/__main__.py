"""Did the forecasts keep their word? `python -m tools.track` holds forecasts/*.jsonl against what came.

The outcomes come from the newest candles of fetch.source, by the code that makes labels. Two figures may be
looked at every hour: the wealth of a gambler who bets against "coverage is as promised" and "no better than
the benchmark" starts at 1, and reaches 20 with a chance of 1 in 20 at most if that is so.
"""

from typing import Any

import numpy as np
import pandas as pd

from stages.common.errors import InputError, run
from stages.common.tables import file_name
from stages.evaluate.plots import save
from stages.evaluate.significance import Comparison
from stages.label.rows import label_candles
from stages.params import Params, load_params
from tools.forecast.model import FACTS, FOLDER, read_json
from tools.forecast.newest import newest_candles
from tools.forecast.record import FOLDER as RECORD
from tools.forecast.record import read_record
from tools.track.betting import REJECTED
from tools.track.picture import picture
from tools.track.score import Score, score


def main() -> None:
    """Print a table a symbol, and draw forecasts/<symbol>.png."""
    params = load_params()
    records = {
        symbol: read_record(RECORD / f"{file_name(symbol)}.jsonl") for symbol in params.fetch.symbols
    }
    records = {symbol: mine(record, params) for symbol, record in records.items()}
    if not any(map(len, records.values())):
        raise InputError(
            f"{RECORD} must have a forecast of {params.task}, {params.fetch.timeframe}, "
            f"{params.label.horizon} bars ahead, of a symbol of fetch.symbols; received none: "
            "`python -m tools.forecast --record` adds one."
        )
    newest = newest_candles(params.fetch, now(), stale_ok=True)
    bar = params.fetch.bar
    for symbol, record in records.items():
        if len(record):
            candles = newest.candles[file_name(symbol)]
            labels, _ = label_candles(candles, params.task, bar, params.label, params.split)
            found = score(record, labels, bar, newest.end)
            path = RECORD / f"{file_name(symbol)}.png"
            save(picture(found.rows, symbol, params.task), path)
            print("\n".join([*table(symbol, found, promised()), f"Picture: {path}", ""]))


def now() -> pd.Timestamp:
    """The clock's time."""
    return pd.Timestamp.now("UTC")


def mine(record: pd.DataFrame, params: Params) -> pd.DataFrame:
    """The entries that answer the question of params.yaml, in order of time."""
    if record.empty:
        return record
    wanted = {
        "task": params.task,
        "timeframe": params.fetch.timeframe,
        "horizon_bars": params.label.horizon,
    }
    fits = np.all([record[name] == value for name, value in wanted.items()], axis=0)
    return record[fits].sort_values("as_of", kind="stable", ignore_index=True)


def promised() -> dict[str, Any]:
    """What the test of the model in models/ said; nothing where there is none."""
    path = FOLDER / "evidence" / "facts.json"
    if not path.is_file():
        return {}
    facts = read_json(path, FACTS)
    return facts["metrics"]["test"] | {"bias_pct": facts["bias_pct"]}


def table(symbol: str, found: Score, test: dict[str, Any]) -> list[str]:
    """What became of a symbol's forecasts, beside what the test promised."""
    counts = (
        f"{found.recorded:,} recorded: {found.scored:,} scored, {found.open:,} open, {found.late:,} late"
    )
    lines = [f"{symbol}: {counts}, {found.lost:,} lost"]
    if not found.scored:
        return lines
    coverage, skill = (found.rows[f"{name}_wealth"].iloc[-1] for name in ("coverage", "skill"))
    return [
        *lines,
        f"  {'':<34} {'came':>26} {'promised':>10}",
        row("skill over the benchmark, %", gain(found.skill), test.get("skill_pct")),
        row("edge over the best baseline, %", gain(found.edge), test.get("edge_pct")),
        row("coverage of 90 % sets, %", f"{found.coverage_pct:.1f}", test.get("coverage_90_pct")),
        row("hit rate", "-" if np.isnan(found.hit_rate) else f"{found.hit_rate:.2f}", test.get("hit_rate")),
        row("mean forecast off by, %", f"{found.bias_pct:+.1f}", test.get("bias_pct")),
        row("wealth against the coverage", wealth(coverage, "coverage is off"), None),
        row("wealth against no skill", wealth(skill, "there is skill"), None),
    ]


def row(name: str, came: str, test: float | None) -> str:
    """A figure, as it came and as the test had it."""
    return f"  {name:<34} {came:>26} {'' if test is None else f'{test:.2f}':>10}".rstrip()


def gain(found: Comparison | None) -> str:
    """What was saved, with its interval."""
    return "too few" if found is None else f"{found.pct:.1f} [{found.lo:.1f}, {found.hi:.1f}]"


def wealth(value: float, words: str) -> str:
    """The wealth, and what it says once it has been enough."""
    return f"{value:.2f}" + (f": {words}" if value >= REJECTED else "")


if __name__ == "__main__":
    run(main)

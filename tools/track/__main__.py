"""Did the forecasts keep their word? `python -m tools.track` holds forecasts/*.jsonl against what came.

The outcomes come from the newest candles of fetch.source, by the code that makes labels. Two figures may be
looked at every hour: the wealth of a gambler who bets against "coverage is as promised" and "no better than
the benchmark, outcome by outcome" starts at 1, and reaches 20 with a chance of 1 in 20 at most if that is
so.
"""

from typing import Any

import numpy as np
import pandas as pd

from stages.common.errors import InputError, run
from stages.common.tables import file_name
from stages.evaluate.subject import Settings, settings_of
from stages.label.rows import label_candles
from stages.params import Params, load_params
from tools.commands import without_options
from tools.forecast.model import FOLDER, Facts, read_json
from tools.forecast.newest import newest_candles
from tools.forecast.record import FOLDER as RECORD
from tools.forecast.record import asked, read_record
from tools.track.betting import REJECTED
from tools.track.picture import picture
from tools.track.score import Gain, Score, score


def main() -> None:
    """Print a table a symbol, and draw forecasts/<symbol>.png."""
    params = load_params()
    records = {
        symbol: read_record(RECORD / f"{file_name(symbol)}.jsonl") for symbol in params.fetch.symbols
    }
    question = asked(settings_of(params.model_dump()))
    records = {symbol: mine(record, question) for symbol, record in records.items()}
    if not any(map(len, records.values())):
        raise InputError(
            f"{RECORD} must have a forecast of a symbol of fetch.symbols by the task, label, source and "
            f"timeframe of params.yaml ({params.task}, {params.label.horizon} bars ahead, "
            f"{params.fetch.source}); received none: `python -m tools.forecast --record` adds one."
        )
    newest = newest_candles(params.fetch, now(), stale_ok=True)
    test = promised(params, question)
    for symbol, record in records.items():
        if len(record):
            candles = newest.candles[file_name(symbol)]
            labels, _ = label_candles(candles, params.task, params.fetch.bar, params.label, params.split)
            found = score(record, labels, params, newest.end)
            print("\n".join([*table(symbol, found, test), ""]))
            if found.scored:
                path = RECORD / f"{file_name(symbol)}.png"
                chart = picture(found.rows, symbol, params.task)
                chart.savefig(path, dpi=110, metadata={"Software": None})  # of any version
                print(f"Picture: {path}\n")


def now() -> pd.Timestamp:
    """The clock's time."""
    return pd.Timestamp.now("UTC")


def mine(record: pd.DataFrame, question: Settings) -> pd.DataFrame:
    """The entries that answer the question of params.yaml, in order of time."""
    if record.empty:
        return record
    fits = [each == question for each in record["asked"]]
    return record[fits].sort_values("as_of", kind="stable", ignore_index=True)


def promised(params: Params, question: Settings) -> dict[str, Any]:
    """What the test of the model in models/ said; nothing where there is none of this question."""
    path = FOLDER / "evidence" / "facts.json"
    if not path.is_file():
        return {}
    facts = read_json(path, Facts)
    settings = facts.settings
    if asked(settings) != question or settings["fetch.symbols"] != params.fetch.symbols:
        return {}
    return facts.metrics["test"] | {"bias_pct": facts.bias_pct}


def table(symbol: str, found: Score, test: dict[str, Any]) -> list[str]:
    """What became of a symbol's forecasts, beside what the test promised."""
    counts = (
        f"{found.recorded:,} recorded: {found.scored:,} scored, {found.open:,} open, {found.late:,} late"
    )
    lines = [f"{symbol}: {counts}, {found.lost:,} lost"]
    if not found.scored:
        return lines
    coverage, skill = (found.rows[f"{name}_wealth"] for name in ("coverage", "skill"))
    return [
        *lines,
        f"  {'':<34} {'came':>26} {'promised':>10}",
        row("skill over the benchmark, %", gain(found.skill), test.get("skill_pct")),
        row("edge over the best baseline, %", gain(found.edge), test.get("edge_pct")),
        row("coverage of 90 % sets, %", f"{found.coverage_pct:.1f}", test.get("coverage_90_pct")),
        row("hit rate", "-" if np.isnan(found.hit_rate) else f"{found.hit_rate:.2f}", test.get("hit_rate")),
        row("mean forecast off by, %", f"{found.bias_pct:+.1f}", test.get("bias_pct")),
        row("wealth against the coverage", wealth(coverage, "it is off"), None),
        row("wealth against 'no better'", wealth(skill, "it is better"), None),
    ]


def row(name: str, came: str, test: float | None) -> str:
    """A figure, as it came and as the test had it."""
    return f"  {name:<34} {came:>26} {'' if test is None else f'{test:.2f}':>10}".rstrip()


def gain(found: Gain | None) -> str:
    """What was saved, with its interval."""
    return "too few" if found is None else f"{found.pct:.1f} [{found.lo:.1f}, {found.hi:.1f}]"


def wealth(values: pd.Series, words: str) -> str:
    """The wealth, and what it says once it has been enough."""
    return f"{values.iloc[-1]:.2f}" + (f": {words}" if values.max() >= REJECTED else "")


if __name__ == "__main__":
    run(without_options(main, __doc__))

"""baseline: reads data/candles, data/labels and the calendar, writes data/baselines."""

from stages.baseline.stage import baseline
from stages.common.calendar import known_until, releases_of
from stages.common.tables import read_tables, write_tables
from stages.params import Params
from stages.runner import run_stage


def main(params: Params) -> None:
    """Write a table a symbol."""
    candles = read_tables("data/candles")
    releases = releases_of(params.featurize.events)
    tables = baseline(candles, read_tables("data/labels", candles), releases, params)
    write_tables("data/baselines", tables)
    n_rows = sum(map(len, tables.values()))
    n_unfitted = sum(int(table.isna().any(axis=1).sum()) for table in tables.values())
    print(f"baseline: {n_rows:,} rows, {n_unfitted:,} of them before every baseline had its first fit")
    newest = max(table["open_time"].iloc[-1] for table in candles.values())
    if releases is not None and (last := known_until(releases)) < newest:
        print(f"baseline: releases are known up to {last:%Y-%m-%d}; no later one counts (docs/calendar.md)")


if __name__ == "__main__":
    run_stage("baseline", main)

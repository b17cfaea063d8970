"""baseline: reads data/candles, data/labels and the calendar, writes data/baselines."""

import pandas as pd

from stages.baseline.stage import baseline
from stages.common.calendar import known_until, releases_of
from stages.common.outputs import fresh_folder
from stages.common.parallel import n_places
from stages.common.tables import file_in, names_in, tables_of, write_table
from stages.params import Params
from stages.runner import run_stage


def main(params: Params) -> None:
    """Write a table a symbol."""
    releases = releases_of(params.featurize.events)
    symbols = names_in("data/candles")
    names_in("data/labels", symbols)
    n_rows, n_unfitted, newest = 0, 0, pd.Timestamp(0, tz="UTC")
    with fresh_folder("data/baselines") as folder:
        # No more symbols at a time than it takes to keep all at work, for they are held together.
        for group in groups(symbols, n_places()):
            candles, labels = tables_of("data/candles", group), tables_of("data/labels", group)
            for symbol, table in baseline(candles, labels, releases, params).items():
                write_table(file_in(folder, symbol), table)
                n_rows += len(table)
                n_unfitted += int(table.isna().any(axis=1).sum())
            newest = max(newest, *(table["open_time"].iloc[-1] for table in candles.values()))
    print(f"baseline: {n_rows:,} rows, {n_unfitted:,} of them before every baseline had its first fit")
    if releases is not None and (last := known_until(releases)) < newest:
        print(f"baseline: releases are known up to {last:%Y-%m-%d}; no later one counts (docs/calendar.md)")


def groups(symbols: list[str], size: int) -> list[list[str]]:
    """All symbols, so many at a time."""
    return [symbols[first : first + size] for first in range(0, len(symbols), size)]


if __name__ == "__main__":
    run_stage("baseline", main)

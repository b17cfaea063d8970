"""featurize: reads data/candles and the calendar, writes data/features."""

from typing import NamedTuple

import pandas as pd

from stages.common.calendar import releases_of
from stages.common.outputs import fresh_folder
from stages.common.parallel import map_tables
from stages.featurize.stage import featurize
from stages.params import Params
from stages.runner import run_stage


class Counts(NamedTuple):
    """Of a symbol."""

    candles: int
    rows: int
    columns: int


def main(params: Params) -> None:
    """Write a table a symbol."""
    releases = releases_of(params.featurize.events)
    with fresh_folder("data/features") as folder:
        found = map_tables(features_of, "data/candles", folder, "featurize", shared=[releases, params])
        counts = [of_symbol for _, of_symbol in found]
    n_candles, n_rows = sum(each.candles for each in counts), sum(each.rows for each in counts)
    lost = f"{n_candles - n_rows:,} lost to the look-back"
    print(f"featurize: {n_rows:,} rows of {counts[0].columns} columns; {lost}")


def features_of(
    _symbol: str, candles: pd.DataFrame, releases: pd.DataFrame | None, params: Params
) -> tuple[pd.DataFrame, Counts]:
    """A symbol's features, and how many there are."""
    features = featurize(candles, releases, params)
    return features, Counts(len(candles), len(features), features.shape[1] - 1)


if __name__ == "__main__":
    run_stage("featurize", main)

"""featurize: reads data/candles and the calendar, writes data/features."""

from stages.common.calendar import releases_of
from stages.common.tables import read_tables, write_tables
from stages.featurize.stage import featurize
from stages.params import Params
from stages.runner import run_stage


def main(params: Params) -> None:
    """Write a table a symbol."""
    candles = read_tables("data/candles")
    releases = releases_of(params.featurize.events)
    features = featurize(candles, releases, params)
    write_tables("data/features", features)
    n_candles, n_rows = (sum(map(len, tables.values())) for tables in (candles, features))
    n_columns = next(iter(features.values())).shape[1] - 1
    lost = f"{n_candles - n_rows:,} lost to the look-back"
    print(f"featurize: {n_rows:,} rows of {n_columns} columns; {lost}")


if __name__ == "__main__":
    run_stage("featurize", main)

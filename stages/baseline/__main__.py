"""baseline: reads data/candles and data/labels, writes data/baselines."""

from stages.baseline.stage import baseline
from stages.common.tables import read_tables, write_tables
from stages.params import Params
from stages.runner import run_stage


def main(params: Params) -> None:
    """Write a table a symbol."""
    candles = read_tables("data/candles")
    tables = baseline(candles, read_tables("data/labels", candles), params)
    write_tables("data/baselines", tables)
    n_rows = sum(map(len, tables.values()))
    n_unfitted = sum(int(table.isna().any(axis=1).sum()) for table in tables.values())
    print(f"baseline: {n_rows:,} rows, {n_unfitted:,} of them before every baseline had its first fit")


if __name__ == "__main__":
    run_stage("baseline", main)

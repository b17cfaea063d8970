"""label: reads data/candles, writes data/labels and data/folds.parquet."""

import pandas as pd

from stages.common.tables import read_tables, write_table, write_tables
from stages.label.stage import label
from stages.params import Params
from stages.runner import run_stage


def main(params: Params) -> None:
    """Write a table a symbol, and that of the folds."""
    found = label(read_tables("data/candles"), params)
    write_tables("data/labels", found.labels)
    write_table("data/folds.parquet", found.folds)
    y = pd.concat([table["y"] for table in found.labels.values()])
    reasons = ", ".join(f"{count:,} {reason}" for reason, count in found.lost.items())
    print(f"label: {len(y):,} rows, mean y {y.mean():.4g}; lost: {reasons}")
    for symbol, table in found.labels.items():
        if (table["y"] == table["y"].iloc[0]).all():
            print(f"label: {symbol}: every y is {table['y'].iloc[0]:g}, so nothing is left to forecast")


if __name__ == "__main__":
    run_stage("label", main)

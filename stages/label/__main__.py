"""label: reads data/candles, writes data/labels and data/folds.parquet."""

import pandas as pd

from stages.common.outputs import fresh_folder
from stages.common.tables import read_tables, write_table
from stages.label.stage import label
from stages.params import Params
from stages.runner import run_stage


def main(params: Params) -> None:
    """Write a table a symbol, and that of the folds."""
    found = label(dict(read_tables("data/candles")), params)
    with fresh_folder("data/labels") as folder:
        for symbol, table in found.labels.items():
            write_table(folder / f"{symbol}.parquet", table)
    write_table("data/folds.parquet", found.folds)
    y = pd.concat([table["y"] for table in found.labels.values()])
    reasons = ", ".join(f"{count:,} {reason}" for reason, count in found.lost.items())
    print(f"label: {len(y):,} rows, mean y {y.mean():.4g}; lost: {reasons}")
    for symbol, table in found.labels.items():
        if (table["y"] == table["y"].iloc[0]).all():
            print(f"label: {symbol}: every y is {table['y'].iloc[0]:g}, so nothing is left to forecast")


if __name__ == "__main__":
    run_stage("label", main)

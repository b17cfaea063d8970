"""label: reads data/candles, writes data/labels and data/folds.parquet."""

from stages.common.outputs import fresh_folder
from stages.common.parallel import map_tables
from stages.common.tables import write_table
from stages.label.stage import folds_of, label, together
from stages.params import Params
from stages.runner import run_stage


def main(params: Params) -> None:
    """Write a table a symbol, and that of the folds."""
    with fresh_folder("data/labels") as folder:
        found = together(map_tables(label, "data/candles", folder, "label", shared=[params]))
        folds = folds_of(found, params)
    write_table("data/folds.parquet", folds)
    reasons = ", ".join(f"{count:,} {reason}" for reason, count in found.lost.items())
    print(f"label: {found.n_rows:,} rows, mean y {found.mean:.4g}; lost: {reasons}")
    for symbol, y in found.constant.items():
        print(f"label: {symbol}: every y is {y:g}, so nothing is left to forecast")


if __name__ == "__main__":
    run_stage("label", main)

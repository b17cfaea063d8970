"""label: what came after each candle, how much that counts, and where the folds are cut."""

from functools import partial

import pandas as pd

from stages.common.bars import bar_length
from stages.common.environment import record
from stages.common.errors import InputError, run
from stages.common.outputs import alone, fresh_folder
from stages.common.parallel import parallel_map
from stages.common.params import load_params, load_value
from stages.common.tables import read_tables, write_table
from stages.label.folds import cut_folds
from stages.label.params import LabelParams, SplitParams
from stages.label.rows import LOST, in_words, label_candles


def main() -> None:
    """Read data/candles, write data/labels: a table a symbol, and folds.parquet."""
    params = load_params("label", LabelParams)
    split = load_params("split", SplitParams)
    task = load_value("task", str)
    bar = bar_length(load_value("fetch.timeframe", str))

    candles = dict(read_tables("data/candles"))
    label = partial(label_candles, task=task, bar=bar, params=params, split=split)
    labelled = parallel_map(label, list(candles.values()), "label")
    labels = {symbol: table for symbol, (table, _) in zip(candles, labelled, strict=True)}
    for (symbol, table), (_, counts) in zip(labels.items(), labelled, strict=True):
        if table.empty:
            raise InputError(
                f"split.warmup_bars and label.horizon must leave each symbol rows; received "
                f"{split.warmup_bars} and {params.horizon}, while of {symbol}'s {len(candles[symbol]):,} "
                f"candles {in_words(counts)}."
            )
    lost = {reason: sum(counts[reason] for _, counts in labelled) for reason in LOST}
    rows = pd.concat(labels.values(), ignore_index=True)
    times = pd.DatetimeIndex(rows["close_time"].drop_duplicates().sort_values())
    try:
        folds = cut_folds(times, split, params.horizon, bar)
    except InputError as error:
        n_candles = sum(map(len, candles.values()))
        raise InputError(f"{error} Of {n_candles:,} candles {in_words(lost)}.") from None

    with fresh_folder("data/labels") as folder:
        for symbol, table in labels.items():
            write_table(folder / f"{symbol}.parquet", table)
        write_table(folder / "folds.parquet", folds)
    reasons = ", ".join(f"{count:,} {reason}" for reason, count in lost.items())
    print(f"label: {len(rows):,} rows, mean y {rows['y'].mean():.4g}; lost: {reasons}")
    for symbol, table in labels.items():
        if (table["y"] == table["y"].iloc[0]).all():
            print(f"label: {symbol}: every y is {table['y'].iloc[0]:g}, so nothing is left to forecast")
    record("label")


if __name__ == "__main__":
    run(alone("stages.label", main))

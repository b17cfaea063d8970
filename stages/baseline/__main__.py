"""Classical forecasts at every label row, refit as time goes on: the network's opponents."""

import importlib
from functools import partial
from typing import Any

import pandas as pd

from stages.baseline.params import BaselineParams
from stages.baseline.rows import make_rows
from stages.baseline.sizing import sizing
from stages.common.bars import bar_length
from stages.common.errors import InputError, run
from stages.common.parallel import parallel_map
from stages.common.params import load_params, load_value
from stages.common.tables import fresh_folder, read_tables, write_table


def main() -> None:
    """Write data/baselines from data/candles and data/labels."""
    params = load_params("baseline", BaselineParams)
    task = load_value("task", str)
    bar, bridge_bars = bar_length(load_value("fetch.timeframe", str)), load_value("split.bridge_bars", int)
    horizon_bars = load_value("label.horizon", int)
    labels = dict(read_tables("data/labels"))
    rows = {
        symbol: make_rows(candles, labels[symbol], bar, bridge_bars, horizon_bars)
        for symbol, candles in read_tables("data/candles")
    }
    work = partial(forecast, task=task, settings=load_value(f"label.{task}", dict), params=params)
    tables = parallel_map(work, list(rows.values()), "baseline")
    with fresh_folder("data/baselines") as folder:
        for symbol, table in zip(rows, tables, strict=True):
            check_fitted(symbol, table, params)
            write_table(folder / f"{symbol}.parquet", table)
            unfitted = table.isna().any(axis=1).sum()
            print(
                f"{symbol}: {len(table)} rows, {unfitted} of them before every baseline had its first fit"
            )


def forecast(
    rows: pd.DataFrame, task: str, settings: dict[str, Any], params: BaselineParams
) -> pd.DataFrame:
    """The rows' close_time and a column a baseline; `settings` is the block `label.<task>`."""
    question = importlib.import_module(f"stages.baseline.{task}")
    sizes = sizing(rows, params)
    forecasts = question.forecasts(rows.assign(**sizes), params, **settings)
    return pd.DataFrame({"close_time": rows["close_time"]} | forecasts | sizes)


def check_fitted(symbol: str, table: pd.DataFrame, params: BaselineParams) -> None:
    """Raise InputError if there never were enough rows for every baseline's first fit."""
    if table.dropna().empty:
        raise InputError(
            "baseline.min_bars must leave rows to forecast once that many labels have ended; "
            f"received {params.min_bars}, and {symbol} has {len(table)} rows."
        )


if __name__ == "__main__":
    run(main)

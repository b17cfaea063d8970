"""Classical forecasts, refit as time goes on: the network's opponents."""

import importlib
from functools import partial
from typing import Any

import pandas as pd

from stages.baseline.params import BaselineParams
from stages.baseline.refit import Forecaster
from stages.baseline.rows import make_rows
from stages.baseline.sizing import SIZING
from stages.common.bars import Floats, bar_length
from stages.common.environment import record
from stages.common.errors import InputError, run
from stages.common.outputs import alone, fresh_folder
from stages.common.parallel import parallel_map
from stages.common.params import load_params, load_value
from stages.common.tables import read_tables, write_table


def main() -> None:
    """Write data/baselines from data/candles and data/labels."""
    params = load_params("baseline", BaselineParams)
    task = load_value("task", str)
    settings = load_value(f"label.{task}", dict)
    bar, bridge_bars = bar_length(load_value("fetch.timeframe", str)), load_value("split.bridge_bars", int)
    horizon_bars = load_value("label.horizon", int)
    candles = dict(read_tables("data/candles"))
    labels = dict(read_tables("data/labels", candles))
    rows = {
        symbol: make_rows(candles[symbol], labels[symbol], bar, bridge_bars, horizon_bars)
        for symbol in candles
    }
    tables = forecast_all(rows, task, settings, params)
    n_rows = n_unfitted = 0
    with fresh_folder("data/baselines") as folder:
        for symbol, every_candle in tables.items():
            table = labelled(every_candle, rows[symbol])
            check_fitted(symbol, table, params)
            write_table(folder / f"{symbol}.parquet", table)
            n_rows += len(table)
            n_unfitted += int(table.isna().any(axis=1).sum())
    print(f"baseline: {n_rows:,} rows, {n_unfitted:,} of them before every baseline had its first fit")
    record("baseline")


def forecast_all(
    rows: dict[str, pd.DataFrame], task: str, settings: dict[str, Any], params: BaselineParams
) -> dict[str, pd.DataFrame]:
    """Each symbol's close_time and a column a baseline, a row a candle; a process a column."""
    # The last columns take longest: they come first, so that no core waits for one at the end.
    names = list(forecasters(task, settings))
    pairs = [(symbol, name) for name in reversed(names) for symbol in rows]
    work = partial(forecast_column, task=task, settings=settings, params=params)
    columns = parallel_map(work, [(rows[symbol], name) for symbol, name in pairs], "baseline")
    found = dict(zip(pairs, columns, strict=True))
    return {
        symbol: pd.DataFrame(
            {"close_time": rows[symbol]["close_time"]} | {name: found[symbol, name] for name in names}
        )
        for symbol in rows
    }


def forecast_column(
    item: tuple[pd.DataFrame, str], task: str, settings: dict[str, Any], params: BaselineParams
) -> Floats:
    """One baseline's forecasts of one symbol; `item` is the symbol's rows and the column's name."""
    rows, name = item
    return forecasters(task, settings)[name](rows, params)


def forecasters(task: str, settings: dict[str, Any]) -> dict[str, Forecaster]:
    """What fills each column, in their order; `settings` is the block `label.<task>`."""
    question = importlib.import_module(f"stages.baseline.{task}")
    return question.baselines(**settings) | SIZING


def labelled(table: pd.DataFrame, rows: pd.DataFrame) -> pd.DataFrame:
    """Of a row a candle, those that have a label."""
    return table[rows["label_end"].notna()].reset_index(drop=True)


def check_fitted(symbol: str, table: pd.DataFrame, params: BaselineParams) -> None:
    """Raise InputError if there never were enough rows for every baseline's first fit."""
    if table.dropna().empty:
        raise InputError(
            "baseline.min_bars must leave rows to forecast once that many labels have ended; "
            f"received {params.min_bars}, and {symbol} has {len(table)} rows."
        )


if __name__ == "__main__":
    run(alone("stages.baseline", main))

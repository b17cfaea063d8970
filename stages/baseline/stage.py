"""Classical forecasts, refit as time goes on: the network's opponents."""

from collections.abc import Collection, Mapping
from functools import partial
from operator import call
from typing import Any

import pandas as pd

from stages.baseline.params import BaselineParams
from stages.baseline.question import question_of
from stages.baseline.refit import Forecaster
from stages.baseline.rows import make_rows
from stages.baseline.sizing import SIZING
from stages.common.bars import bar_length
from stages.common.errors import InputError
from stages.common.parallel import parallel_map
from stages.common.tables import Tables
from stages.params import Params


def baseline(
    candles: Tables,
    labels: Tables,
    releases: pd.DataFrame | None,
    params: Params,
    skip: Collection[str] = (),
) -> Tables:
    """Each symbol's close_time and a column a baseline, but for those to `skip`; a row a label.

    As `every_candle` has them. Raises InputError where there never were enough rows for every baseline's
    first fit.
    """
    tables = {}
    for symbol, table in every_candle(candles, labels, releases, params, skip).items():
        labelled = table["close_time"].isin(labels[symbol]["close_time"])
        tables[symbol] = table[labelled].reset_index(drop=True)
        check_fitted(symbol, tables[symbol], params.baseline)
    return tables


def every_candle(
    candles: Tables,
    labels: Tables,
    releases: pd.DataFrame | None,
    params: Params,
    skip: Collection[str] = (),
) -> Tables:
    """Each symbol's close_time and a column a baseline, but for those to `skip`; a row a candle.

    `releases`: as `read_releases` has them; None where none matters. A process a symbol and column. Row t
    uses candles up to t, and labels that had ended by its close.
    """
    rows = {symbol: rows_of(candles[symbol], labels[symbol], releases, params) for symbol in candles}
    made = forecasters(params.task, params.label.of(params.task).model_dump())
    names = [name for name in made if name not in skip]
    # The last columns take longest: they come first, so that no core waits for one at the end.
    pairs = [(symbol, name) for name in reversed(names) for symbol in rows]
    work = [partial(made[name], rows[symbol], params.baseline) for symbol, name in pairs]
    columns = parallel_map(call, work, "baseline")
    found = dict(zip(pairs, columns, strict=True))
    return {
        symbol: pd.DataFrame(
            {"close_time": of_symbol["close_time"]} | {name: found[symbol, name] for name in names}
        )
        for symbol, of_symbol in rows.items()
    }


def rows_of(
    candles: pd.DataFrame, labels: pd.DataFrame, releases: pd.DataFrame | None, params: Params
) -> pd.DataFrame:
    """What the baselines of one symbol look at, as `make_rows` has it."""
    bar, bridge_bars = bar_length(params.fetch.timeframe), params.split.bridge_bars
    horizon_bars = params.label.horizon
    return make_rows(candles, labels, releases, bar, bridge_bars=bridge_bars, horizon_bars=horizon_bars)


def forecasters(task: str, settings: Mapping[str, Any]) -> dict[str, Forecaster]:
    """What fills each column, in their order; `settings` is the block `label.<task>`."""
    return question_of(task).baselines(**settings) | SIZING


def check_fitted(symbol: str, table: pd.DataFrame, params: BaselineParams) -> None:
    """Raise InputError if there never were enough rows for every baseline's first fit."""
    if table.dropna().empty:
        forecasts = table.drop(columns="close_time").count()
        raise InputError(
            "baseline.min_bars must leave rows to forecast once that many labels have ended, and twice "
            f"that many where a fit looks at another's forecast; received {params.min_bars}, and {symbol} "
            f"has {len(table)} rows: {forecasts.idxmin()} forecasts {forecasts.min()} of them."
        )

"""A simulated market of which the truth is known, and what the stages make of it, in memory."""

from typing import Any, NamedTuple

import pandas as pd

from stages.baseline.stage import baseline, rows_of
from stages.common.bars import bar_length
from stages.common.calendar import read_releases
from stages.common.tables import Tables
from stages.featurize.stage import featurize
from stages.fetch.clean import PRICES
from stages.fetch.params import SimulatedParams
from stages.fetch.simulated.candles import simulate
from stages.label.stage import folds_of, label, together
from stages.params import Params

Values = dict[str, Any]

SYMBOL = "BTC/USDT"
HOURLY = "1h"
BAR = bar_length(HOURLY)
BAR_MINUTES = 60
FIRST_YEAR = 2022

# Bars of each of four tests, by the market's years: together they outlast the twenty blocks of a verdict.
TEST_BARS = {3: 3400, 5: 7000}
REPLICATES = 100  # of the bootstrap, on which no figure of a control rests
REFIT_BARS = 720  # a month: a quarter of the work of weekly refits
SLOW = ("garch", "boosting")  # baselines that take longer than all else in a run


class Market(NamedTuple):
    """The truth. `late_scale`: by what the log returns of the second half of the tests are multiplied."""

    drift_signal: float = 0.0
    volatility_memory: float = 1.0
    distance_effect: float = 0.0
    release_effect: float = 0.0
    years: int = 3
    late_scale: float = 1.0


class Study(NamedTuple):
    """A market and a question, as far as the stages before train take them; the tables are of SYMBOL.

    `folds`: as label cuts them, without `live`. `rows`: what the baselines look at, a row a candle.
    `baselines`: as data/baselines has them, the quick ones.
    """

    truth: Market
    params: Params
    candles: pd.DataFrame
    features: Tables
    labels: Tables
    folds: pd.DataFrame
    rows: pd.DataFrame
    baselines: Tables


def control_values(values: Values, years: int) -> Values:
    """params.yaml with a dense network, monthly refits and tests long enough for a verdict, on hours."""
    changes: Values = {
        "fetch": {"timeframe": HOURLY},
        "baseline": {"refit_bars": REFIT_BARS},
        "split": {"scheme": "walk_forward", "folds": 4, "test_bars": TEST_BARS[years]},
        "train": {"network": "dense"},
        "evaluate": {"bootstrap": REPLICATES},
    }
    return values | {section: values[section] | changed for section, changed in changes.items()}


def simulated(market: Market, seed: int, symbol: str = SYMBOL) -> pd.DataFrame:
    """Hourly candles of the market's years, whatever params.yaml says; nothing is scaled."""
    start, end = f"{FIRST_YEAR}-01-01", f"{FIRST_YEAR + market.years}-01-01"
    open_time = pd.date_range(start, end, freq=BAR, inclusive="left", tz="UTC", unit="ms")
    settings = SimulatedParams(
        seed=seed,
        drift_signal=market.drift_signal,
        volatility_memory=market.volatility_memory,
        distance_effect=market.distance_effect,
        release_effect=market.release_effect,
    )
    return simulate(symbol, open_time, BAR_MINUTES, settings, read_releases())


def make_candles(market: Market, seed: int, n_late: int) -> pd.DataFrame:
    """The market's candles; `late_scale` applies to the last `n_late`."""
    candles = simulated(market, seed)
    return scale_returns(candles, len(candles) - n_late, market.late_scale)


def scale_returns(candles: pd.DataFrame, first: int, scale: float) -> pd.DataFrame:
    """The candles with log returns `scale` times as large from row `first` on; volume stays as it is."""
    start, prices = candles["open"].iloc[first], candles[PRICES].copy()
    prices.iloc[first:] = start * (prices.iloc[first:] / start) ** scale
    return candles.assign(**prices)


def make_studies(market: Market, seed: int, tasks: list[str], params: Params) -> dict[str, Study]:
    """A study a task, of the same candles and features."""
    n_late = params.split.folds * params.split.test_bars // 2 + params.label.horizon
    candles = make_candles(market, seed, n_late)
    features = {SYMBOL: featurize(candles, None, params)}
    return {
        task: make_study(market, params.model_copy(update={"task": task}), candles, features)
        for task in tasks
    }


def make_study(market: Market, params: Params, candles: pd.DataFrame, features: Tables) -> Study:
    """What label and baseline make of the candles."""
    table, told = label(SYMBOL, candles, params)
    labels, folds = {SYMBOL: table}, folds_of(together([(SYMBOL, told)]), params)
    baselines = baseline({SYMBOL: candles}, labels, None, params, skip=SLOW)
    rows = rows_of(candles, table, None, params)
    folds = folds[folds["fold"] != "live"]
    return Study(market, params, candles, features, labels, folds, rows, baselines)

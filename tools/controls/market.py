"""A simulated market of which the truth is known, and what the stages make of it, in memory."""

from dataclasses import dataclass
from typing import Any, NamedTuple

import pandas as pd

from stages.baseline.__main__ import forecasters, labelled
from stages.baseline.params import BaselineParams
from stages.baseline.rows import make_rows
from stages.common.bars import bar_length
from stages.common.params import Section
from stages.featurize.groups import make_features
from stages.fetch.clean import PRICES
from stages.fetch.params import SimulatedParams
from stages.fetch.simulated.candles import simulate
from stages.label.folds import cut_folds
from stages.label.rows import label_candles

Values = dict[str, Any]

SYMBOL = "BTC/USDT"
BAR = bar_length("1h")
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
    years: int = 3
    late_scale: float = 1.0


@dataclass(frozen=True)
class Study:
    """A market and a question, as far as the stages before train take them.

    `sections`: the models of params.yaml. `spans`: the folds, without `live`. `rows`: what the baselines
    look at, a row a candle. `baselines`: as data/baselines has them, the quick ones.
    """

    truth: SimulatedParams
    task: str
    sections: dict[str, Any]
    candles: pd.DataFrame
    features: pd.DataFrame
    labels: pd.DataFrame
    spans: pd.DataFrame
    rows: pd.DataFrame
    baselines: pd.DataFrame


def control_values(values: Values, years: int) -> Values:
    """params.yaml with a dense network, monthly refits and tests long enough for a verdict."""
    changes: Values = {
        "baseline": {"refit_bars": REFIT_BARS},
        "split": {"scheme": "walk_forward", "folds": 4, "test_bars": TEST_BARS[years]},
        "train": {"network": "dense"},
        "evaluate": {"bootstrap": REPLICATES},
    }
    return values | {section: values[section] | changed for section, changed in changes.items()}


def truth(market: Market, seed: int) -> SimulatedParams:
    """The settings of the simulated market."""
    return SimulatedParams(
        seed=seed, drift_signal=market.drift_signal, volatility_memory=market.volatility_memory
    )


def make_candles(market: Market, seed: int, n_late: int) -> pd.DataFrame:
    """Hourly candles of the market's years; `late_scale` applies to the last `n_late`."""
    start, end = f"{FIRST_YEAR}-01-01", f"{FIRST_YEAR + market.years}-01-01"
    open_time = pd.date_range(start, end, freq=BAR, inclusive="left", tz="UTC", unit="ms")
    candles = simulate(SYMBOL, open_time, BAR_MINUTES, truth(market, seed))
    return scale_returns(candles, len(candles) - n_late, market.late_scale)


def scale_returns(candles: pd.DataFrame, first: int, scale: float) -> pd.DataFrame:
    """The candles with log returns `scale` times as large from row `first` on; volume stays as it is."""
    start, prices = candles["open"].iloc[first], candles[PRICES].copy()
    prices.iloc[first:] = start * (prices.iloc[first:] / start) ** scale
    return candles.assign(**prices)


def make_studies(market: Market, seed: int, tasks: list[str], sections: dict[str, Any]) -> dict[str, Study]:
    """A study a task, of the same candles and features."""
    split, label = sections["split"], sections["label"]
    n_late = split.folds * split.test_bars // 2 + label.horizon
    candles = make_candles(market, seed, n_late)
    features = make_features(candles, BAR, split.bridge_bars, sections["featurize"])
    return {task: make_study(truth(market, seed), task, sections, candles, features) for task in tasks}


def make_study(
    settings: SimulatedParams,
    task: str,
    sections: dict[str, Any],
    candles: pd.DataFrame,
    features: pd.DataFrame,
) -> Study:
    """What label and baseline make of the candles."""
    split, label, params = (sections[name] for name in ("split", "label", "baseline"))
    labels, _ = label_candles(candles, task, BAR, label, split)
    spans = cut_folds(pd.DatetimeIndex(labels["close_time"]), split, label.horizon, BAR)
    spans = spans[spans["fold"] != "live"]
    rows = make_rows(candles, labels, BAR, split.bridge_bars, label.horizon)
    baselines = quick_baselines(rows, task, params, label)
    return Study(settings, task, sections, candles, features, labels, spans, rows, baselines)


def quick_baselines(rows: pd.DataFrame, task: str, params: BaselineParams, label: Section) -> pd.DataFrame:
    """data/baselines without the slow ones: close_time and a column a forecast, a row a label."""
    quick = {
        name: forecaster(rows, params)
        for name, forecaster in forecasters(task, getattr(label, task).model_dump()).items()
        if name not in SLOW
    }
    return labelled(rows[["close_time"]].assign(**quick), rows)

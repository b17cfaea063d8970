"""Candles into scale-free columns, of which row t knows nothing later than candle t's close."""

import pandas as pd

from stages.common.bars import bar_length
from stages.featurize.groups import make_features
from stages.params import Params


def featurize(candles: pd.DataFrame, releases: pd.DataFrame | None, params: Params) -> pd.DataFrame:
    """A symbol's features, as `make_features` has them."""
    bar, bridge_bars = bar_length(params.fetch.timeframe), params.split.bridge_bars
    return make_features(candles, releases, bar, bridge_bars, params.featurize)

"""Candles into scale-free columns, of which row t knows nothing later than candle t's close."""

from functools import partial

import pandas as pd

from stages.common.bars import bar_length
from stages.common.parallel import parallel_map
from stages.common.tables import Tables
from stages.featurize.groups import make_features
from stages.params import Params


def featurize(candles: Tables, releases: pd.DataFrame | None, params: Params) -> Tables:
    """Each symbol's features, as `make_features` has them; a process a symbol."""
    make = partial(
        make_features,
        releases=releases,
        bar=bar_length(params.fetch.timeframe),
        bridge_bars=params.split.bridge_bars,
        params=params.featurize,
    )
    return dict(zip(candles, parallel_map(make, list(candles.values()), "featurize"), strict=True))

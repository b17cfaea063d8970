"""The table of groups, and one symbol's candles into one table of features.

A group's function takes the candles of all stretches, the row at which each one's stretch begins, and the
windows in bars. Those of OF_CALENDAR are also told how long a bar is, and the releases.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from stages.common.arrays import Ints
from stages.common.bars import stretches
from stages.common.errors import InputError, printable
from stages.featurize.clock import clock_features
from stages.featurize.distance import distance_features
from stages.featurize.events import event_features
from stages.featurize.freed import freed_features
from stages.featurize.momentum import momentum_features
from stages.featurize.params import FeaturizeParams
from stages.featurize.ranges import range_features
from stages.featurize.returns import return_features
from stages.featurize.volume import volume_features

GROUPS: dict[str, Callable[[pd.DataFrame, Ints, list[int]], pd.DataFrame]] = {
    "returns": return_features,
    "ranges": range_features,
    "momentum": momentum_features,
    "volume": volume_features,
    "clock": clock_features,
    "distance": distance_features,
}
OF_CALENDAR: dict[str, Callable[..., pd.DataFrame]] = {"freed": freed_features, "events": event_features}


def make_features(
    candles: pd.DataFrame,
    releases: pd.DataFrame | None,
    bar: pd.Timedelta,
    bridge_bars: int,
    params: FeaturizeParams,
) -> pd.DataFrame:
    """close_time and every column of the groups in `params`, for the rows where all are finite.

    As float32, for the networks use no more digits. Row t uses candles up to t of its stretch, and `freed`
    those of stretches before it for its factors. Each stretch loses its first `params.lookback_bars` rows.
    `releases`: as `read_releases` has them; None where neither they nor holidays matter. Raises InputError
    if no row is left.
    """
    stretch = stretches(candles["open_time"], bar, bridge_bars)
    length = np.bincount(stretch)
    enough = length[stretch] > params.lookback_bars
    if not enough.any():
        raise InputError(
            f"featurize.groups and windows look back over {params.lookback_bars} bars, so a stretch of "
            f"candles must be longer; received {length.max()} in the longest."
        )
    features = group_columns(candles[enough].reset_index(drop=True), stretch[enough], releases, bar, params)
    whole = np.ones(len(features), dtype=np.bool_)
    for name in features.columns.drop("close_time"):
        whole &= np.isfinite(features[name].to_numpy())
    if not whole.any():
        n_finite = np.isfinite(features.drop(columns="close_time")).sum()
        least = ", ".join(n_finite.index[n_finite == n_finite.min()])
        raise InputError(
            "featurize.groups must give a row in which every column is finite; "
            f"received {n_finite.min()} finite of {len(features)} values in {printable(least)}."
        )
    return features[whole].reset_index(drop=True)


def group_columns(
    candles: pd.DataFrame,
    stretch: Ints,
    releases: pd.DataFrame | None,
    bar: pd.Timedelta,
    params: FeaturizeParams,
    *,
    number: type[np.floating[Any]] = np.float32,
) -> pd.DataFrame:
    """close_time and the groups' columns of each candle; NaN where a column looks back beyond its stretch.

    As `number`, a group at a time, each column an array of its own: the table is never there twice.
    `stretch`: number of each candle's stretch; rising.
    """
    start = np.searchsorted(stretch, stretch)
    close_time = candles["open_time"] + bar
    # TA-Lib before 0.8 takes differences below 1e-14 for nil, whatever the currency: prices in units of
    # the stretch's first close mean the same for every coin.
    unit = candles["close"].to_numpy()[start]
    prices = candles[["open", "high", "low", "close"]].div(unit, axis=0)
    relative = prices.assign(volume=candles["volume"], close_time=close_time)
    of_calendar = {
        name: partial(columns, bar=bar, releases=releases) for name, columns in OF_CALENDAR.items()
    }
    table: dict[str, pd.Series] = {"close_time": close_time}
    for name, columns in (GROUPS | of_calendar).items():
        if name in params.groups:
            group = columns(relative, start, params.windows)
            table |= {str(column): values.astype(number) for column, values in group.items()}
    return pd.DataFrame(table, copy=False)

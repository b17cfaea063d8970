"""Group `freed`: how far prices moved, freed of what clock and calendar do to it."""

import numpy as np
import pandas as pd

from stages.common.arrays import Ints
from stages.common.bars import ATR_PERIOD, atr, true_range
from stages.common.periodicity import periodicity
from stages.featurize.ratios import FLOOR, STILL
from stages.featurize.stretch import rolling


def freed_features(
    candles: pd.DataFrame,
    start: Ints,
    windows: list[int],
    *,
    bar: pd.Timedelta,
    releases: pd.DataFrame | None,
) -> pd.DataFrame:
    """Logs of ranges over close, less the mean log of the freed true range over the longest window.

    A bar's true range is freed by the factor of its hour, its weekday, a release or a holiday, as fitted
    before it. freed_w: mean log over each window but the longest; freed_atr_14: of the freed ranges'
    ATR(14); tied_atr_14: of ATR(14) as it is. All at least ln FLOOR. Row t uses bars up to t of its
    stretch, and its factor those of all stretches before the fit.
    `releases`: as `read_releases` has them; None where neither they nor holidays matter.
    """
    close = candles["close"].to_numpy(np.float64)
    floored = pd.Series(true_range(candles, start) / close).clip(lower=STILL)
    bars = pd.DataFrame({"open_time": candles["close_time"] - bar, "stretch": start, "range": floored})
    own = periodicity(bars, bar, releases, horizon_bars=1, kept=()).own
    freed = np.log(floored) - np.log(own)
    *shorter, longest = windows
    usual = rolling(freed, start, longest).mean()
    columns = {f"freed_{w}": rolling(freed, start, w).mean() - usual for w in shorter}
    averages = np.exp(freed).groupby(start).ewm(alpha=1 / ATR_PERIOD, adjust=False).mean()
    columns["freed_atr_14"] = np.log(averages.to_numpy()) - usual
    columns["tied_atr_14"] = np.log(pd.Series(atr(candles, start) / close).clip(lower=STILL)) - usual
    return pd.DataFrame(columns).clip(lower=np.log(FLOOR))

"""A symbol's labels: which rows there are is the same for all tasks, what they hold is the task's own."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from stages.common.arrays import Ints
from stages.common.bars import ATR_PERIOD, atr, stretches, true_range
from stages.label.params import LabelParams, SplitParams
from stages.label.question import question_of
from stages.label.weights import average_uniqueness

LOST = {  # why a candle gives no row, and the same in a user's words
    "warm-up": "come within split.warmup_bars of a gap or of the first candle",
    "horizon": "have fewer than label.horizon candles after them",
    "gap": "have a gap within label.horizon, as daily candles without weekends do",
    "flat": "are flat, for no price moves in the hours around them",
}


def label_candles(
    candles: pd.DataFrame, task: str, bar: pd.Timedelta, params: LabelParams, split: SplitParams
) -> tuple[pd.DataFrame, dict[str, int]]:
    """One symbol's labels, in order of time, and the number of candles without one, by `LOST` reason.

    Columns: close_time, when the row is known; y, as the task asks; label_end, when y is known; weight,
    the average uniqueness; return_to_end, from the close to that at label_end, in ATR(14); atr, ATR(14)
    over close; return_next, the return of the next bar. y and return_to_end look ahead up to label_end,
    return_next one bar; whether a candle has a row at all depends on the bars up to t + horizon.
    """
    stretch = stretches(candles["open_time"], bar, split.bridge_bars)
    bars = candles.assign(true_range=true_range(candles, stretch), atr=atr(candles, stretch))
    fates = row_fates(bars, stretch, bar, params.horizon, split.warmup_bars)
    rows = np.flatnonzero(fates == "kept")
    targets = question_of(task).make_targets(bars, rows, params.horizon, params.of(task))

    close_time = (bars["open_time"] + bar).astype("datetime64[ms, UTC]").array
    close, average = (bars[name].to_numpy(np.float64) for name in ("close", "atr"))
    end = targets["end"].to_numpy(np.int64)
    labels = pd.DataFrame(
        {
            "close_time": close_time[rows],
            "y": targets["y"],
            "label_end": close_time[end],
            "weight": average_uniqueness(rows, end, len(bars)),
            "return_to_end": (close[end] - close[rows]) / average[rows],
            "atr": average[rows] / close[rows],
            "return_next": close[rows + 1] / close[rows] - 1,
        }
    )
    return labels, {reason: int(np.sum(fates == reason)) for reason in LOST}


def yet_to_come(candles: pd.DataFrame, bar: pd.Timedelta, horizon: int, split: SplitParams) -> pd.DataFrame:
    """The newest candles, whose label has yet to come: close_time, and atr, ATR(14) over close; in order.

    Those that would be rows if `horizon` more bars were there, as far as can be told by now.
    """
    stretch = stretches(candles["open_time"], bar, split.bridge_bars)
    bars = candles.assign(true_range=true_range(candles, stretch), atr=atr(candles, stretch))
    fates = row_fates(bars, stretch, bar, horizon, split.warmup_bars)
    moves = bars["true_range"].rolling(ATR_PERIOD).max() > 0
    newest = bars[(fates == "horizon") & moves]
    close_time = (newest["open_time"] + bar).astype("datetime64[ms, UTC]")
    return pd.DataFrame({"close_time": close_time, "atr": newest["atr"] / newest["close"]})


def in_words(lost: dict[str, int]) -> str:
    """How many candles gave no row, and why, as the end of a sentence; `lost` by `LOST` reason."""
    words = [f"{count:,} {LOST[reason]}" for reason, count in lost.items() if count]
    return ", ".join(words) or "none is lost"


def row_fates(
    bars: pd.DataFrame, stretch: Ints, bar: pd.Timedelta, horizon: int, warmup_bars: int
) -> NDArray[np.str_]:
    """Whether each candle is `kept` as a row, or the reason why it's lost; shape (n_bars,).

    warm-up: fewer than `warmup_bars` candles before it in its stretch, or no ATR yet. horizon: the
    candles end before t + horizon. gap: one of the bars t+1 ... t+horizon is missing. flat: no price
    moves in the 14 bars up to t, so that ATR is a mere remnant, or in the `horizon` bars after it, so
    that y has no logarithm. The first reason that holds is given. None asks what the task is.
    """
    position = bars.groupby(stretch).cumcount()
    span = bars["open_time"].shift(-horizon) - bars["open_time"]
    widest_lately = bars["true_range"].rolling(ATR_PERIOD).max()
    widest_ahead = bars["true_range"].rolling(horizon).max().shift(-horizon)
    reasons = [
        (position < warmup_bars) | bars["atr"].isna(),
        span.isna(),
        span > horizon * bar,
        (widest_lately <= 0) | (widest_ahead <= 0),
    ]
    return np.select(reasons, list(LOST), default="kept")

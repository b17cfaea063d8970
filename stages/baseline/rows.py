"""The label rows with what the classical forecasts look at beside them."""

import numpy as np
import pandas as pd

from stages.common.bars import Bools, Ints, atr, stretches, true_range

SPANS = (1, 4, 24, 168, 720)  # bars: an hour to a month of hourly candles
RANGES = ["log_range_1", "log_range_4", "log_atr", "log_range_24", "log_range_168", "log_range_720"]
HOURS = 168


# Of the close, a tenth of a basis point: some bars have no range at all, and nothing has no log. BTC/USDT
# has 2 such bars among 43,803 and no other below 1e-4; any floor from 1e-6 to 1e-3 gives the same losses.
FLOOR = 1e-5


def make_rows(
    candles: pd.DataFrame, labels: pd.DataFrame, bar: pd.Timedelta, bridge_bars: int, horizon_bars: int
) -> pd.DataFrame:
    """The labels' columns, then the regressors at t, then ATR(t+h) and when that is known.

    Adds to each row the columns of RANGES (NaN where the stretch is too young), `hour_of_week` (0 to
    167), and two of the future, to be learnt from but not looked at: `atr_ahead`, ATR(t+h) over close(t),
    which is known from `ahead_end`, the close of bar t+h.
    """
    stretch = stretches(candles["open_time"], bar, bridge_bars)
    close_time = candles["open_time"] + bar
    t = close_time.searchsorted(labels["close_time"])
    ahead = t + horizon_bars  # no gap interrupts a label's horizon, so h rows later is h bars later
    close = candles["close"].to_numpy(np.float64)
    rows = pd.concat([labels, log_ranges(candles, stretch).iloc[t].set_axis(labels.index)], axis=1)
    rows["hour_of_week"] = hour_of_week(labels["close_time"])
    rows["atr_ahead"] = atr(candles, stretch)[ahead] / close[t]
    rows["ahead_end"] = close_time.iloc[ahead].array
    return rows


def log_ranges(candles: pd.DataFrame, stretch: Ints) -> pd.DataFrame:
    """Logs of mean true range over SPANS and of ATR(14), each over the close; a row a candle.

    Row t uses bars up to t of its stretch; NaN until the stretch has as many. Columns: RANGES.
    Source: Corsi (2009), Journal of Financial Econometrics 7(2), 174-196, on ranges, in logs.
    """
    ranges = pd.Series(true_range(candles, stretch)).groupby(stretch)
    columns = {f"log_range_{span}": ranges.rolling(span).mean().to_numpy() for span in SPANS}
    columns["log_atr"] = atr(candles, stretch)
    relative = pd.DataFrame(columns)[RANGES].div(candles["close"].to_numpy(), axis=0)
    return relative.clip(lower=FLOOR).apply(np.log)


def hour_of_week(close_time: pd.Series) -> Ints:
    """Hours since Monday 00:00 UTC, 0 to 167, whatever the timeframe; shape (n_rows,)."""
    return (24 * close_time.dt.day_of_week + close_time.dt.hour).to_numpy(np.int64)


def usable(rows: pd.DataFrame, target: str) -> Bools:
    """Whether a row can train a forecast of ln `target`; shape (n_rows,), bool."""
    return (rows[RANGES].notna().all(axis=1) & (rows[target] > 0)).to_numpy()

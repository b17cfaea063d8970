"""A row a candle: what the classical forecasts look at, and beside it the answers they learn from."""

import numpy as np
import pandas as pd

from stages.common.arrays import Bools, Floats, Ints
from stages.common.bars import ATR_PERIOD, atr, hour_of_week, stretches, true_range
from stages.common.distance import distances
from stages.common.periodicity import periodicity

SPANS = (1, 4, 24, 168, 720)  # bars: an hour to a month of hourly candles
RANGES = ["log_range_1", "log_range_4", "log_atr", "log_range_24", "log_range_168", "log_range_720"]
RETURNS = [f"return_{span}" for span in SPANS]
ANSWERS = ["y", "label_end", "return_next"]  # of the labels' columns
HOURS = 168

# Of the close, a tenth of a basis point: some bars have no range at all, and nothing has no log. BTC/USDT
# has 2 such bars among 43,803 and no other below 1e-4; any floor from 1e-6 to 1e-3 gives the same losses.
FLOOR = 1e-5
CLIP = 3.0  # ATR per root of a bar: where past returns end, so that one crash doesn't turn a line
KEPT = 1 - 1 / ATR_PERIOD  # share of itself that Wilder's ATR keeps each bar


def make_rows(
    candles: pd.DataFrame,
    labels: pd.DataFrame,
    releases: pd.DataFrame | None,
    bar: pd.Timedelta,
    *,
    bridge_bars: int,
    horizon_bars: int,
) -> pd.DataFrame:
    """What is known at the close of each candle, then what came after it, where it has a label.

    Known at t: close_time; stretch; `log_return` of bar t; `atr`, ATR(14) over close; the columns of
    RANGES and RETURNS, those of `freed_ranges`, sizes of `distances` (NaN where the stretch is too young);
    `hour_of_week` (0 to 167); `horizon_bars`, the same in every row. `releases`: None where none matters.

    Of the future, to be learnt from but not looked at: the columns of ANSWERS, and `atr_ahead`, ATR(t+h)
    over close(t), known from `ahead_end`, the close of bar t+h. All of these are NaN or NaT where a candle
    has no label, which isn't known before `ahead_end` either.
    """
    stretch = stretches(candles["open_time"], bar, bridge_bars)
    close_time = (candles["open_time"] + bar).astype("datetime64[ms, UTC]")
    close, average = candles["close"].to_numpy(np.float64), atr(candles, stretch)
    known = pd.DataFrame(
        {
            "close_time": close_time,
            "stretch": stretch,
            "log_return": log_returns(candles, stretch),
            "atr": average / close,
            "hour_of_week": hour_of_week(close_time),
            "horizon_bars": horizon_bars,
        }
    )
    ranges = log_ranges(candles, stretch)
    bars = known[["stretch"]].assign(open_time=candles["open_time"], log_range=ranges["log_range_1"])
    freed = freed_ranges(bars, releases, bar, horizon_bars)
    others = [past_returns(candles, stretch), freed, distances(candles, stretch).abs()]
    rows = pd.concat([known, ranges, *others], axis=1)
    rows = rows.merge(labels[["close_time", *ANSWERS]], how="left", on="close_time", validate="1:1")
    # No gap interrupts a label's horizon, so h rows later is h bars later.
    labelled = rows["label_end"].notna()
    rows["atr_ahead"] = (pd.Series(average).shift(-horizon_bars) / close).where(labelled)
    rows["ahead_end"] = close_time.shift(-horizon_bars).where(labelled)
    return rows


def log_returns(candles: pd.DataFrame, stretch: Ints) -> Floats:
    """Log return of each bar, from the close before it; of a stretch's first bar, from its open."""
    before = candles["close"].groupby(stretch).shift().fillna(candles["open"])
    return np.log(candles["close"].to_numpy(np.float64) / before.to_numpy(np.float64))


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


def freed_ranges(
    bars: pd.DataFrame, releases: pd.DataFrame | None, bar: pd.Timedelta, horizon_bars: int
) -> pd.DataFrame:
    """Logs of ranges, freed of what clock and calendar do, and of what these will do; a row a candle.

    `bars`: open_time, stretch, and log_range, of true range over the close. freed_n: mean of the last n
    freed logs, n of SPANS; freed_atr: log of their ATR(14). ahead_atr, ahead_mean: what clock and calendar
    will do to ATR(t+h), and to the mean range of bars t+1 ... t+h. Row t uses bars up to t of its stretch.
    """
    ranges = bars.assign(range=np.exp(bars["log_range"]))
    own, (ahead_atr, ahead_mean) = periodicity(ranges, bar, releases, horizon_bars, (KEPT, 1.0))
    freed = bars["log_range"] - np.log(own)
    means = freed.groupby(bars["stretch"])
    columns = {f"freed_{span}": means.rolling(span).mean().to_numpy() for span in SPANS}
    average = np.exp(freed).groupby(bars["stretch"]).ewm(alpha=1 - KEPT, adjust=False).mean()
    logs = {"freed_atr": average.to_numpy(), "ahead_atr": ahead_atr, "ahead_mean": ahead_mean}
    return pd.DataFrame(columns | {name: np.log(values) for name, values in logs.items()})


def past_returns(candles: pd.DataFrame, stretch: Ints) -> pd.DataFrame:
    """Return of the last SPANS bars, in units of ATR(t) times the root of the span; a row a candle.

    Clipped to CLIP either way. Row t uses bars up to t of its stretch; NaN until the stretch has a close
    that many bars before. Columns: RETURNS.
    """
    close = candles["close"].to_numpy(np.float64)
    unit = np.maximum(atr(candles, stretch), FLOOR * close)
    closes = candles["close"].groupby(stretch)
    columns = {f"return_{n}": (close - closes.shift(n)) / (unit * np.sqrt(n)) for n in SPANS}
    return pd.DataFrame(columns).clip(-CLIP, CLIP)


def usable(rows: pd.DataFrame, target: str) -> Bools:
    """Whether a row can train a forecast of ln `target`; shape (n_rows,), bool."""
    return (rows[RANGES].notna().all(axis=1) & (rows[target] > 0)).to_numpy()

"""All features of a million candles, beside the same columns as bare calls of TA-Lib, numpy and pandas.

The reference knows no gaps and checks nothing; it makes float64, as TA-Lib does. Prices are a random walk.
"""

from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import talib
from numpy.typing import NDArray

from stages.featurize.groups import make_features
from stages.params import load_params
from tools import markdown
from tools.bench.measure import seconds

SIZES = [100_000, 1_000_000]
MINUTE = pd.Timedelta(minutes=1)

Column = NDArray[np.float64]
Columns = dict[str, Column]


def random_walk(n_bars: int) -> pd.DataFrame:
    """Candles of a minute, without a gap."""
    rng = np.random.default_rng(0)
    close = 100 * np.exp(np.cumsum(rng.standard_normal(n_bars) * 0.001))
    before = np.concatenate([[100.0], close[:-1]])
    wick = np.abs(rng.standard_normal(n_bars)) * 0.001 * close
    return pd.DataFrame(
        {
            "open_time": pd.date_range("2020-01-01", periods=n_bars, freq="min", tz="UTC", unit="ms"),
            "open": before,
            "high": np.maximum(before, close) + wick,
            "low": np.minimum(before, close) - wick,
            "close": close,
            "volume": rng.lognormal(0, 1, n_bars),
        }
    )


def bare(candles: pd.DataFrame, windows: list[int]) -> Columns:
    """The columns of returns, ranges, momentum, volume and clock."""
    o, h, lo, c, v = (candles[name].to_numpy() for name in ("open", "high", "low", "close", "volume"))
    longest, others = windows[-1], windows[1:]
    log_return = np.concatenate([[0.0], np.diff(np.log(c))])
    spread = np.sqrt(mean(np.square(log_return), longest))
    true_range = talib.TRANGE(h, lo, c)
    true_range[0] = h[0] - lo[0]
    relative, average = true_range / c, talib.ATR(h, lo, c, 14)
    usual = mean(relative, longest)
    high_low = np.log(h / lo) ** 2
    estimates = {
        "true_range": relative,
        "parkinson": high_low / (4 * np.log(2)),
        "garman_klass": high_low / 2 - (2 * np.log(2) - 1) * np.log(c / o) ** 2,
        "rogers_satchell": np.log(h / c) * np.log(h / o) + np.log(lo / c) * np.log(lo / o),
        "volume": v,
    }
    typical = v * (h + lo + c) / 3
    columns = {"range_usual": np.log(np.maximum(usual, 1e-6)), "atr_14": log_ratio(average / c, usual)}
    for w in windows:
        moved = np.log(c) - np.log(np.concatenate([np.full(w, np.nan), c[:-w]]))
        columns[f"return_{w}"] = ratio(moved, spread * np.sqrt(w))
        if w > 1:
            columns[f"trend_{w}"] = ratio(moved, talib.SUM(np.abs(log_return), w))
    for name, values in estimates.items():
        level = mean(values, longest)
        columns |= {f"{name}_{w}": log_ratio(mean(values, w), level) for w in windows[:-1]}
    for w in others:
        reach = highest(h, w) + highest(-lo, w)
        columns[f"span_{w}"] = log_ratio(reach / c / np.sqrt(w), usual)
        columns[f"vwap_{w}"] = ratio(c - talib.SUM(typical, w) / talib.SUM(v, w), reach)
    return columns | momentum(h, lo, c, average) | clock(candles["open_time"])


def momentum(h: Column, lo: Column, c: Column, atr: Column) -> Columns:
    """Oscillators."""
    line, _, histogram = talib.MACD(c, 12, 26, 9)
    top, bottom = talib.MAX(h, 14), talib.MIN(lo, 14)
    return {
        "rsi": talib.CMO(c, 14) / 100,
        "macd": line / atr,
        "macd_histogram": histogram / atr,
        "adx": talib.ADX(h, lo, c, 14) / 100,
        "di": (talib.PLUS_DI(h, lo, c, 14) - talib.MINUS_DI(h, lo, c, 14)) / 100,
        "aroon": talib.AROONOSC(h, lo, 25) / 100,
        "stochastic": ratio(2 * c - top - bottom, top - bottom),
    }


def clock(open_time: pd.Series) -> Columns:
    """Hour of day and week as waves, and whether it is a weekend."""
    hour = (open_time.array.asi8 // 60_000 + 1 - 4 * 1440) / 60
    angles = {f"{n}_{k}": 2 * np.pi * k * (hour % n) / n for n in (24, 168) for k in (1, 2)}
    waves = {
        f"{name}_{wave.__name__}": wave(angle)
        for name, angle in angles.items()
        for wave in (np.sin, np.cos)
    }
    return waves | {"weekend": (hour % 168 >= 120).astype(np.float64)}


def mean(values: Column, n_bars: int) -> Column:
    """Of the last bars."""
    found: Column = talib.SMA(values, n_bars) if n_bars > 1 else values
    return found


def highest(values: Column, n_bars: int) -> Column:
    """Of the last bars; TA-Lib's own takes time by the window."""
    return pd.Series(values).rolling(n_bars).max().to_numpy()


def ratio(a: Column, b: Column) -> Column:
    """A over b; 0 where b is nothing."""
    return np.divide(a, b, out=np.zeros_like(a), where=b > 0)


def log_ratio(a: Column, b: Column) -> Column:
    """The log of it, from a hundredth on."""
    return np.log(np.maximum(ratio(a, b), 0.01))


def main(_scratch: Path) -> str:
    """Markdown: a row a size."""
    params, rows = load_params().featurize, []
    for size in SIZES:
        candles = random_walk(size)
        ours = seconds(partial(make_features, candles, None, MINUTE, 3, params))
        plain = seconds(partial(bare, candles, params.windows))
        n_columns = len(bare(candles[:5000], params.windows))
        rows.append([f"{size:,}", str(n_columns), f"{ours:.2f} s", f"{plain:.2f} s", f"{ours / plain:.2f}"])
    return markdown.table(["candles", "columns", "featurize", "bare", "ratio"], rows, n_left=0)

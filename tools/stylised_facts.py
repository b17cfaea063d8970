"""Facts that real hourly candles share, of the simulated market beside those of a real one.

`python -m tools.stylised_facts` prints the table of docs/stylised-facts.md. Given a file of hourly
candles it adds their column; a second file serves the two symbols' correlations.
"""

import argparse
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy.special import gamma
from scipy.stats import kurtosis

from stages.baseline.refit import log_forecasts
from stages.baseline.regression import ridge_by_hour
from stages.baseline.rows import HOURS, RANGES
from stages.baseline.stage import rows_of
from stages.baseline.volatility import DISTANCES, benchmark, har_hour_of_week
from stages.common import bars
from stages.common.arrays import Floats
from stages.common.calendar import EVENTS, read_releases
from stages.common.errors import InputError, run
from stages.common.task import qlike
from stages.label.stage import label
from stages.params import check_params, read_params
from tools import markdown
from tools.controls.market import BAR, SYMBOL, Market, simulated
from tools.settings import changed

HOURS_A_YEAR = 365.25 * 24
SYMBOLS = ["BTC/USDT", "ETH/USDT"]
SEEDS = [1, 2, 3]

DEFAULTS = "stages/evaluate/defaults.yaml"  # params.yaml may hold an experiment's settings
RANGE_FLOOR = 1e-4  # of the close: some bars have no range, and no logarithm


class Fact(NamedTuple):
    """Binance's value, and between what the simulated market's may lie."""

    real: float
    low: float
    high: float


# Binance, BTC/USDT, 1h, 2022-01-01 to 2025-01-01; with ETH/USDT where two symbols are needed.
FACTS = {
    "volatility a year, %": Fact(53.7, 35, 75),
    "kurtosis of returns": Fact(16.5, 10, 40),
    "99.9 % quantile of absolute returns over their median": Fact(19.7, 15, 25),
    "autocorrelation of returns, 1 hour": Fact(-0.0116, -0.04, 0.04),
    "autocorrelation of absolute returns, 1 hour": Fact(0.283, 0.22, 0.34),
    "autocorrelation of absolute returns, 24 hours": Fact(0.163, 0.12, 0.22),
    "autocorrelation of absolute returns, 168 hours": Fact(0.126, 0.08, 0.19),
    "autocorrelation of absolute returns, 720 hours": Fact(0.0591, 0.01, 0.1),
    "hour-of-week profile of true range, correlation with Binance": Fact(1, 0.9, 1),
    "hour-of-week profile, 12 busiest hours over 12 quietest": Fact(2.88, 2.5, 3.2),
    "log volume and log true range, correlation within weeks": Fact(0.85, 0.8, 0.9),
    "days with a jump, %": Fact(4.3, 1.5, 6),
    "Parkinson volatility over volatility of returns": Fact(1.05, 1, 1.1),
    "mean true range over mean absolute return": Fact(2.14, 2.05, 2.25),
    "log-HAR + hour-of-week's skill over the benchmark, 14 hours, %": Fact(36.2, 30, 42),
    "the same with distances from averages, gain, 14 hours, %": Fact(4.79, 2, 7),
    "true range in the hour of a CPI release, over the usual": Fact(3.19, 2, 4),
    "the same of payrolls": Fact(1.76, 1.3, 2.2),
    "the same of the FOMC's statement": Fact(2.98, 1.7, 3.7),
    "true range an hour after any release, over the usual": Fact(1.68, 1.3, 2),
    "two symbols' returns, correlation": Fact(0.86, 0.75, 0.9),
    "two symbols' log true ranges, correlation": Fact(0.88, 0.75, 0.9),
}

# Mean true range over close by hour of the week, in percent of its mean: Monday to Sunday, 00 to 23 UTC.
REAL_PROFILE = np.loadtxt(
    """
    123 122 108 86 78 83 99 95 99 99 92 94 101 140 169 148 140 130 125 126 112 115 120 105
    124 115 102 88 82 86 85 86 98 90 85 89 113 141 180 156 148 131 134 135 115 115 100 92
    109 104 99 90 79 80 83 94 101 88 87 99 143 150 155 144 136 134 157 158 145 124 110 95
    115 109 104 85 80 77 85 86 90 81 86 93 120 154 167 165 136 128 117 123 128 114 108 86
    108 121 106 88 79 79 88 95 96 86 90 90 129 144 179 160 138 120 113 108 106 100 93 83
    93 75 61 53 54 58 57 57 62 58 63 58 65 64 71 76 74 75 67 65 73 76 75 70
    74 70 66 56 60 55 56 55 62 63 61 64 71 74 87 80 86 84 86 83 91 92 120 105
    """.splitlines()
).ravel()


def measure(candles: pd.DataFrame) -> dict[str, float]:
    """Every fact of one symbol's hourly candles. Lags are hours, missing candles included."""
    hours = by_hour(candles)
    r, relative_range = hours["log_return"], hours["relative_range"]
    volume = np.log(hours["volume"].clip(lower=1e-6))
    profile = week_profile(relative_range)
    ordered = np.sort(profile)
    parkinson_variance = (np.log(hours["high"] / hours["low"]) ** 2).mean() / (4 * np.log(2))
    return {
        "volatility a year, %": 100 * r.std() * np.sqrt(HOURS_A_YEAR),
        "kurtosis of returns": float(kurtosis(r.dropna(), fisher=False)),
        "99.9 % quantile of absolute returns over their median": r.abs().quantile(0.999) / r.abs().median(),
        "autocorrelation of returns, 1 hour": r.autocorr(1),
        "autocorrelation of absolute returns, 1 hour": r.abs().autocorr(1),
        "autocorrelation of absolute returns, 24 hours": r.abs().autocorr(24),
        "autocorrelation of absolute returns, 168 hours": r.abs().autocorr(168),
        "autocorrelation of absolute returns, 720 hours": r.abs().autocorr(720),
        "hour-of-week profile of true range, correlation with Binance": correlation(profile, REAL_PROFILE),
        "hour-of-week profile, 12 busiest hours over 12 quietest": ordered[-12:].mean()
        / ordered[:12].mean(),
        "log volume and log true range, correlation within weeks": correlation(
            within_weeks(volume), within_weeks(np.log(relative_range))
        ),
        "days with a jump, %": 100 * jump_share(r),
        "Parkinson volatility over volatility of returns": np.sqrt(parkinson_variance) / r.std(),
        "mean true range over mean absolute return": relative_range.mean() / r.abs().mean(),
        **volatility_gains(candles),
        **release_ratios(relative_range),
    }


def measure_pair(candles: pd.DataFrame, other: pd.DataFrame) -> dict[str, float]:
    """Every fact of one symbol's hourly candles, and those of how another symbol's go with them."""
    hours, others = by_hour(candles), by_hour(other)
    return measure(candles) | {
        "two symbols' returns, correlation": correlation(hours["log_return"], others["log_return"]),
        "two symbols' log true ranges, correlation": correlation(
            np.log(hours["relative_range"]), np.log(others["relative_range"])
        ),
    }


def by_hour(candles: pd.DataFrame) -> pd.DataFrame:
    """Candles by open_time, a row an hour, missing ones NaN; adds log_return and relative_range.

    Neither reaches across a gap: the return is NaN there, the true range high - low. Raises InputError
    unless candles are hourly.
    """
    step = candles["open_time"].diff().min()
    if step != BAR:
        raise InputError(f"stylised facts are of candles of 1h; received one every {step}.")
    stretch = bars.stretches(candles["open_time"], BAR, bridge_bars=0)
    true_range = bars.true_range(candles, stretch)
    relative = np.maximum(true_range / candles["close"], RANGE_FLOOR)
    hours = candles.assign(relative_range=relative).set_index("open_time").asfreq("h")
    return hours.assign(log_return=np.log(hours["close"]).diff())


def correlation(left: pd.Series | Floats, right: pd.Series | Floats) -> float:
    """Pearson correlation over what both have; series are aligned by their index."""
    return pd.Series(left).corr(pd.Series(right))


def within_weeks(values: pd.Series) -> pd.Series:
    """Less the mean of the same week: fee-free trading once multiplied Binance's volume for months."""
    times = pd.DatetimeIndex(values.index)
    return values - values.groupby(times.floor("7D")).transform("mean")


def week_profile(values: pd.Series) -> Floats:
    """Mean by hour of the week, in percent of their mean; shape (168,), from Monday 00:00 UTC."""
    means = values.groupby(bars.hour_of_week(values.index.to_series())).mean().to_numpy()
    return 100 * means / means.mean()


def jump_share(hourly_return: pd.Series) -> float:
    """Share of days whose 24 returns hold a jump, by the ratio test at the .1 % level.

    z = (1 - BV / RV) / sqrt((pi**2 / 4 + pi - 5) / 24 max(1, TQ / BV**2)), with realised variance RV,
    bipower variation BV and tripower quarticity TQ. Source: Huang and Tauchen (2005), Journal of
    Financial Econometrics 3(4), after Barndorff-Nielsen and Shephard (2006), same journal 4(1).
    """
    days = hourly_return.groupby(pd.Grouper(freq="D")).agg(list)
    r = np.abs([day for day in days if len(day) == 24 and np.isfinite(day).all()])
    realised = (r**2).sum(axis=1)
    bipower = np.pi / 2 * 24 / 23 * (r[:, 1:] * r[:, :-1]).sum(axis=1)
    power_mean = 2 ** (2 / 3) * gamma(7 / 6) / gamma(1 / 2)  # E|z|**(4/3) of a standard normal z
    triples = (r[:, 2:] * r[:, 1:-1] * r[:, :-2]) ** (4 / 3)
    quarticity = 24 * power_mean**-3 * 24 / 22 * triples.sum(axis=1)
    variance = (np.pi**2 / 4 + np.pi - 5) / 24 * np.maximum(1, quarticity / bipower**2)
    return float(np.mean((1 - bipower / realised) / np.sqrt(variance) > 3.09))


def volatility_gains(candles: pd.DataFrame) -> dict[str, float]:
    """Skill of log-HAR with hours of the week over the benchmark, and what distances add, in percent.

    By QLIKE. Forecasts as `label` and `baseline` make them by default, for the task volatility, on the rows
    that all forecast; how folds are cut doesn't matter.
    """
    params = check_params(changed(read_params(DEFAULTS), {"task": "volatility", "split.scheme": "holdout"}))
    labels, _ = label(SYMBOL, candles, params)
    rows = rows_of(candles, labels, None, params)
    forecasts = [
        benchmark(rows, params.baseline),
        har_hour_of_week(rows, params.baseline),
        log_forecasts(rows, params.baseline, ridge_by_hour, [*RANGES, *DISTANCES]),
    ]
    y, *all_forecasts = pd.DataFrame([rows["y"], *forecasts]).dropna(axis=1).to_numpy()
    plain, har, with_distances = (qlike(y, np.log(forecast)).mean() for forecast in all_forecasts)
    return {
        "log-HAR + hour-of-week's skill over the benchmark, 14 hours, %": 100 * (1 - har / plain),
        "the same with distances from averages, gain, 14 hours, %": 100 * (1 - with_distances / har),
    }


def release_ratios(relative_range: pd.Series) -> dict[str, float]:
    """True range around releases over the usual: its mean at that hour in three weeks before and after."""
    releases = read_releases()
    usual = sum(relative_range.shift(HOURS * weeks) for weeks in (-3, -2, -1, 1, 2, 3)) / 6
    ratio, hour = relative_range / usual, releases["time"].dt.floor("h")
    at = {event: ratio.reindex(hour[releases["event"] == event]).mean() for event in EVENTS}
    return {
        "true range in the hour of a CPI release, over the usual": at["cpi"],
        "the same of payrolls": at["payrolls"],
        "the same of the FOMC's statement": at["fomc"],
        "true range an hour after any release, over the usual": ratio.reindex(hour + BAR).mean(),
    }


def facts_of(seed: int) -> dict[str, float]:
    """Every fact of the simulated market of that seed as it comes, whatever params.yaml says."""
    market = Market(distance_effect=1.0, release_effect=1.0)
    return measure_pair(*(simulated(market, seed, symbol) for symbol in SYMBOLS))


def table(columns: dict[str, dict[str, float]]) -> str:
    """Markdown: a row a fact, Binance's value, the tolerance, and then each of `columns`."""
    rows = []
    for name, fact in FACTS.items():
        values = (f"{values[name]:.3g}" if name in values else "-" for values in columns.values())
        rows.append([name, f"{fact.real:.3g}", f"{fact.low:.3g} to {fact.high:.3g}", *values])
    return markdown.table(["fact", "Binance", "tolerance", *columns], rows, n_left=1)


def read_candles(path: str) -> pd.DataFrame:
    """Candles as `fetch` writes them. Raises InputError if the file holds none."""
    try:
        candles = pd.read_parquet(path)
    except (OSError, ValueError) as error:
        raise InputError(f"{path} must be a Parquet file; received: {error}.") from None
    if not {"open_time", "high", "low", "close", "volume"} <= set(candles):
        raise InputError(f"{path} must hold candles; received the columns {', '.join(map(str, candles))}.")
    return candles


def main() -> None:
    """Print the table, with a column of measured facts where a file is given."""
    parser = argparse.ArgumentParser(prog="python -m tools.stylised_facts", description=__doc__)
    parser.add_argument("candles", nargs="?", help="hourly candles, such as data/candles/BTC-USDT.parquet")
    parser.add_argument("other", nargs="?", help="another symbol's, for the correlations of two")
    paths = parser.parse_args()
    columns: dict[str, dict[str, float]] = {}
    if paths.other:
        columns["measured"] = measure_pair(read_candles(paths.candles), read_candles(paths.other))
    elif paths.candles:
        columns["measured"] = measure(read_candles(paths.candles))
    print(table(columns | {f"seed {seed}": facts_of(seed) for seed in SEEDS}))


if __name__ == "__main__":
    run(main)

"""The built-in market: seeded candles, offline, of which the truth is known.

The price is simulated minute by minute and gathered into bars, so that all timeframes show one market.
Every draw comes from a stream of its own (seed, symbol or market, purpose), in the order of time: a
later `end` or another symbol changes no candle that was there before.

The figures below are fitted to Binance's BTC/USDT; docs/stylised-facts.md lays both markets side by side.
"""

from collections.abc import Callable

import numpy as np
import pandas as pd
from scipy.signal import lfilter

from stages.common.arrays import Floats
from stages.common.bars import MONDAY
from stages.common.calendar import read_releases
from stages.fetch.params import FetchParams, SimulatedParams
from stages.fetch.source import Source

START_PRICE = 30_000.0
PRICE_DECIMALS = 2  # a tick of .01, as Binance has it for BTC/USDT
PRICE_DIGITS = 5  # at least, or a price that has fallen far would hardly move
LEAST_TICK = 1e-8  # as exchanges have it
VOLUME_DECIMALS = 5
ANNUAL_VOLATILITY = 0.52  # of the price, jumps included
COMMON_SHARE = 0.85  # of the variance of every shock to returns and to log variance

# Log variance of a minute: memory in hours of each component, and that component's variance.
MEMORIES = {1: 0.5, 12: 0.2, 72: 0.25, 336: 0.25, 2160: 0.5}

# Hour-of-week profile of log variance: cosine and sine of 1, 2, ... cycles a day, UTC.
WEEKDAY = [(-0.15, -0.51), (0.02, 0.21), (0.12, -0.03), (-0.10, 0.20)]
WEEKEND = [(0.15, -0.34)]
WEEKEND_LEVEL = -0.9

# The component of DRIVEN hours' memory is driven by how far the price is from its average, if anything is.
DRIVEN = 72
DISTANCE_HOURS = 36.0  # memory of that average, and of the mean over distances that counts
FARTHEST = 1.5  # of a distance of variance 1: else crashes would feed on themselves
USUAL_DISTANCE, DISTANCE_SPREAD = 0.743, 0.258  # of that mean

# What a release adds to log variance, and in how many minutes that falls to 1/e.
RELEASE_SHOCKS = {"cpi": (3.2, 45.0), "payrolls": (1.9, 40.0), "fomc": (2.0, 150.0)}
RELEASE_MINUTES = 1440  # of which the rest is nothing

TAIL_DEGREES = 5  # of freedom, of Student's t innovations a minute
JUMPS_PER_DAY = 0.8
JUMP_SIZE = 3.0  # times the hour's diffusive spread
JUMP_VARIANCE = JUMPS_PER_DAY / 24 * JUMP_SIZE**2  # for each unit of diffusive variance
WICK_VARIANCE = 2.7  # of the path within a minute, times its variance: prices overshoot and come back
MAX_MOVE = 0.5  # of the price, in a minute: keeps prices above 0

VOLUME_PER_MINUTE = 30.0
VOLUME_MEMORY_HOURS = 1000.0  # of what volume does on its own
VOLUME_VARIANCE = 0.13

DRIFT_MEMORY_BARS = 24

MINUTE = pd.Timedelta(minutes=1)
WEEK_MINUTES = 7 * 24 * 60
YEAR_MINUTES = 365.25 * 24 * 60


def fetch_candles(params: FetchParams) -> dict[str, pd.DataFrame]:
    """Candles of each symbol: the bars that overlap [fetch.start, fetch.end), none missing.

    Bars are counted from a Monday, 00:00 UTC, as exchanges do; the market begins with the first one.
    Columns: open_time (UTC), open, high, low, close (quote currency), volume (base currency).
    """
    bar = params.bar
    first = MONDAY + (params.start_time - MONDAY) // bar * bar
    n_bars = -((first - params.end_time) // bar)
    open_time = pd.date_range(first, periods=n_bars, freq=bar, unit="ms")
    bar_minutes = bar // MINUTE
    releases = read_releases()
    return {
        symbol: simulate(symbol, open_time, bar_minutes, params.simulated, releases)
        for symbol in params.symbols
    }


def simulate(
    symbol: str,
    open_time: pd.DatetimeIndex,
    bar_minutes: int,
    settings: SimulatedParams,
    releases: pd.DataFrame,
) -> pd.DataFrame:
    """One symbol's candles, a row for each of `open_time`."""
    shape = len(open_time), bar_minutes
    time = pd.date_range(open_time[0], periods=len(open_time) * bar_minutes, freq=MINUTE, unit="ms")
    noise = minute_noise(symbol, len(time), settings.seed)
    spread = minute_spread(symbol, time, noise, settings, releases)
    moves = minute_moves(noise, spread, settings.drift_signal)
    drift = planted_drift(
        moves.reshape(shape).sum(axis=1),
        np.sqrt((spread**2).reshape(shape).sum(axis=1)),
        settings.drift_signal,
    )
    moves += np.repeat(drift / bar_minutes, bar_minutes)
    close = np.cumsum(moves)
    high, low = minute_extremes(symbol, close, moves, spread, settings.seed)
    volume = np.round(minute_volume(symbol, high - low, settings.seed), VOLUME_DECIMALS)
    bar_close = close.reshape(shape)[:, -1]
    return pd.DataFrame(
        {
            "open_time": open_time,
            "open": in_ticks(np.concatenate([[0.0], bar_close[:-1]])),
            "high": in_ticks(high.reshape(shape).max(axis=1)),
            "low": in_ticks(low.reshape(shape).min(axis=1)),
            "close": in_ticks(bar_close),
            "volume": np.round(volume.reshape(shape).sum(axis=1), VOLUME_DECIMALS),
        }
    )


def in_ticks(log_price: Floats) -> Floats:
    """Prices from logs over START_PRICE, in whole ticks and at least LEAST_TICK; shape as it comes.

    As an exchange gives them. It also drops the last bits, in which processors and math libraries differ.
    """
    price = np.maximum(START_PRICE * np.exp(log_price), LEAST_TICK)
    # Below 10**(PRICE_DIGITS - PRICE_DECIMALS - 1) ticks are finer, so that PRICE_DIGITS are left.
    decimals = np.clip(PRICE_DIGITS - 1 - np.floor(np.log10(price)), PRICE_DECIMALS, -np.log10(LEAST_TICK))
    return np.round(price * 10.0**decimals) / 10.0**decimals


def stream(seed: int, owner: str, purpose: str) -> np.random.Generator:
    """Random numbers of one purpose; `owner` is a symbol, or `market` for what all symbols share."""
    return np.random.default_rng([seed, *f"{owner} {purpose}".encode()])


def shocks(seed: int, symbol: str, purpose: str, draw: Callable[[np.random.Generator], Floats]) -> Floats:
    """The market's and the symbol's own draws, each of variance 1, as one of variance 1."""
    market, own = (draw(stream(seed, owner, purpose)) for owner in ("market", symbol))
    return np.sqrt(COMMON_SHARE) * market + np.sqrt(1 - COMMON_SHARE) * own


def remember(shock: Floats, memory_hours: float) -> Floats:
    """AR(1) of variance 1 whose autocorrelation falls to 1/e in `memory_hours`; shape (n_minutes,)."""
    decay = np.exp(-1 / (60 * memory_hours))
    gain = np.sqrt(1 - decay**2)
    first = [(1 - gain) * shock[0]]  # starts with its long-run variance
    return lfilter([gain], [1.0, -decay], shock, zi=first)[0]


def week_profile() -> Floats:
    """Log variance that belongs to each minute of the week, from Monday 00:00 UTC; shape (10080,)."""
    minute = np.arange(WEEK_MINUTES)
    weekday = minute < 5 * 24 * 60
    profile = np.where(weekday, 0.0, WEEKEND_LEVEL)
    for days, waves in ((weekday, WEEKDAY), (~weekday, WEEKEND)):
        for cycles, (cosine, sine) in enumerate(waves, start=1):
            angle = 2 * np.pi * cycles * minute / (24 * 60)
            profile += days * (cosine * np.cos(angle) + sine * np.sin(angle))
    return profile


def minute_spread(
    symbol: str, time: pd.DatetimeIndex, noise: Floats, settings: SimulatedParams, releases: pd.DataFrame
) -> Floats:
    """Standard deviation of each minute's return, jumps included; shape (n_minutes,).

    The log variance is `volatility_memory` times the sum of the components of MEMORIES, of the week's
    profile and of releases, less what keeps the long-run variance where it is without releases: at 0,
    every minute's is the same.
    """
    memory, n_minutes = settings.volatility_memory, len(time)
    profile = memory * week_profile()
    log_variance = (profile - np.log(np.exp(profile).mean()))[(time - MONDAY) // MINUTE % WEEK_MINUTES]
    for hours, variance in MEMORIES.items():
        purpose = f"variance {hours}"
        shock = shocks(settings.seed, symbol, purpose, lambda rng: rng.standard_normal(n_minutes))
        component = remember(shock, hours)
        if hours == DRIVEN:
            own = np.sqrt(1 - settings.distance_effect**2)
            component = own * component + settings.distance_effect * mean_distance(noise)
        log_variance += memory * np.sqrt(variance) * component - memory**2 * variance / 2
    log_variance += memory * settings.release_effect * release_shocks(time, releases)
    return np.sqrt(ANNUAL_VOLATILITY**2 / YEAR_MINUTES * np.exp(log_variance))


def mean_distance(noise: Floats) -> Floats:
    """How far the price has been from its average lately, less what is usual; shape (n_minutes,).

    Known before each minute; of variance 1, about. The price is the sum of `noise`, as the log price would
    be if variance were constant, its average an exponential one, and the distance counts whichever way.
    """
    distance = np.minimum(np.abs(remember(noise, DISTANCE_HOURS)), FARTHEST)
    keep = np.exp(-1 / (60 * DISTANCE_HOURS))
    mean = lfilter([1 - keep], [1.0, -keep], distance - USUAL_DISTANCE)
    return np.concatenate([[0.0], mean[:-1]]) / DISTANCE_SPREAD


def release_shocks(time: pd.DatetimeIndex, releases: pd.DataFrame) -> Floats:
    """What releases add to the log variance of each minute from theirs on; shape (n_minutes,)."""
    added = np.zeros(len(time) + RELEASE_MINUTES)
    for event, (height, minutes) in RELEASE_SHOCKS.items():
        held = pd.DatetimeIndex(releases.loc[releases["event"] == event, "time"])
        for first in time.get_indexer(held[held.isin(time)]):
            added[first : first + RELEASE_MINUTES] += height * np.exp(-np.arange(RELEASE_MINUTES) / minutes)
    return added[: len(time)]


def minute_noise(symbol: str, n_minutes: int, seed: int) -> Floats:
    """Each minute's simple return in units of its spread: symmetric around 0, of variance 1, with jumps.

    Shape (n_minutes,); of the market for the most part.
    """
    to_unit = np.sqrt((TAIL_DEGREES - 2) / TAIL_DEGREES)
    noise = shocks(seed, symbol, "return", lambda rng: to_unit * rng.standard_t(TAIL_DEGREES, n_minutes))
    jump = stream(seed, "market", "jump time").random(n_minutes) < JUMPS_PER_DAY / (24 * 60)
    sign = 2 * stream(seed, "market", "jump sign").integers(2, size=jump.sum()) - 1
    noise[jump] += sign * JUMP_SIZE * np.sqrt(60)
    return noise / np.sqrt(1 + JUMP_VARIANCE)


def minute_moves(noise: Floats, spread: Floats, drift_signal: float) -> Floats:
    """Log return of each minute, without any drift; shape (n_minutes,).

    The simple return is symmetric around 0 given the past, so the price is a martingale. Of the
    variance spread**2, the share drift_signal**2 is left to the planted drift.
    """
    simple_return = noise * spread * np.sqrt(1 - drift_signal**2)
    return np.log1p(np.clip(simple_return, -MAX_MOVE, MAX_MOVE))


def signal_filter(drift_signal: float) -> tuple[float, float]:
    """Decay and gain of s[t] = decay s[t-1] + gain sign(r[t]): the gain at which s has variance 1.

    With E[s[t-1] sign(r[t])] = drift_signal sqrt(2 / pi), as of normal variables, the gain solves
    gain**2 + 2 decay drift_signal sqrt(2 / pi) gain = 1 - decay**2.
    """
    decay = np.exp(-1 / DRIFT_MEMORY_BARS)
    pull = decay * drift_signal * np.sqrt(2 / np.pi)
    return float(decay), float(np.sqrt(pull**2 + 1 - decay**2) - pull)


def planted_drift(noise: Floats, spread: Floats, drift_signal: float) -> Floats:
    """Expected log return of each bar, known at its open; shape (n_bars,).

    drift[t] = drift_signal spread[t] s[t-1], with s of `signal_filter` and r = noise + drift. `noise`
    and `spread` are each bar's log return without drift and its standard deviation.
    """
    signal, drift = 0.0, np.zeros(len(noise))
    if drift_signal == 0:
        return drift
    decay, gain = signal_filter(drift_signal)
    for t in range(len(noise)):
        drift[t] = drift_signal * spread[t] * signal
        signal = decay * signal + gain * np.sign(noise[t] + drift[t])
    return drift


def planted_signal(candles: pd.DataFrame, drift_signal: float) -> Floats:
    """The truth that `drift_signal` planted: the next bar's expected return, in units of its spread.

    Shape (n_bars,); row t uses closes up to t, from the market's first bar on. The next bar rises with a
    probability of about Phi(x / sqrt(1 - drift_signal**2)), x the value of row t.
    """
    decay, gain = signal_filter(drift_signal)
    return drift_signal * lfilter([gain], [1.0, -decay], np.sign(candles["close"] - candles["open"]))


def minute_extremes(
    symbol: str, close: Floats, moves: Floats, spread: Floats, seed: int
) -> tuple[Floats, Floats]:
    """Highest and lowest log price within each minute; shape (n_minutes,) each.

    Drawn from their distributions on a Brownian bridge from the minute's open to its close.
    Source: Glasserman (2003), Monte Carlo Methods in Financial Engineering, section 6.4.
    """
    variance = WICK_VARIANCE * spread**2
    up, down = stream(seed, symbol, "extremes").standard_exponential((len(close), 2)).T
    middle = close - moves / 2
    high = middle + np.sqrt(moves**2 + 2 * variance * up) / 2
    low = middle - np.sqrt(moves**2 + 2 * variance * down) / 2
    return high, low


def minute_volume(symbol: str, log_range: Floats, seed: int) -> Floats:
    """Volume of each minute, in base currency: its range, times a slow factor of its own."""
    own = remember(stream(seed, symbol, "volume").standard_normal(len(log_range)), VOLUME_MEMORY_HOURS)
    usual_range = ANNUAL_VOLATILITY / np.sqrt(YEAR_MINUTES)
    return VOLUME_PER_MINUTE * log_range / usual_range * np.exp(np.sqrt(VOLUME_VARIANCE) * own)


SOURCE = Source(fetch_candles, has_clock=False)

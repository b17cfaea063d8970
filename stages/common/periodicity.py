"""How much wider than usual a bar is for its hour, its weekday, a release or a holiday.

Ranges of hourly candles follow the clock more than anything else. Freed of it, what is left says whether a
market is calm or wild; and of the bars to come the clock is known. Source: Andersen and Bollerslev (1997),
Journal of Empirical Finance 4(2/3), 115-158, here with an effect for each hour in place of waves.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from stages.common.arrays import Floats, Ints
from stages.common.bars import hour_of_week
from stages.common.calendar import EVENTS, NOTICE, is_holiday, near_release

WEEK = pd.Timedelta(days=7)

REFIT = 4 * WEEK
HALF_LIFE = 52 * WEEK  # of what a bar counts for in a fit
HISTORY = 3 * HALF_LIFE  # no fit looks further back
SWEEPS = 4  # over all effects: on BTC/USDT as good as twenty


class Effect(NamedTuple):
    """What may make bars wider, and the `kind` of it that each bar has; shape (n_bars,), below `size`.

    `prior`: so many usual bars are added to those of each kind, or a few wild ones would make a factor.
    `base`: kind 0 is none, and its factor is 1. `always`: it is known years ahead, not just NOTICE.
    """

    kind: Ints
    size: int
    prior: float
    base: bool = False
    always: bool = True


class Periodicity(NamedTuple):
    """Factors on the range of a usual bar; shape (n_bars,); row t has what is known at its close.

    `own`: of bar t. `ahead`: means of those of bars t+1 ... t+h, one for each way to weigh them.
    """

    own: Floats
    ahead: list[Floats]


def periodicity(
    ranges: pd.DataFrame,
    bar: pd.Timedelta,
    releases: pd.DataFrame | None,
    horizon_bars: int,
    kept: Sequence[float],
) -> Periodicity:
    """Factors as fitted at the last REFIT before each bar, to what had come by then; 1 before the first.

    `ranges`: a row a candle, in order: `open_time`; `stretch`; `range`, true range over close. A fit takes
    each over its centred week's mean, once that week is over. `releases`: None where neither they nor
    holidays matter. `kept`: of its weight, what a bar ahead keeps for each bar that it is further from t+h,
    for each mean; 1 if all weigh alike.
    """
    place = ((ranges["open_time"] - ranges["open_time"].iloc[0]) // bar).to_numpy(np.int64)
    grid = ranges["open_time"].iloc[0] + bar * pd.Series(np.arange(place[-1] + 1 + horizon_bars))
    effects = effects_of(grid, bar, releases)
    half_week, every = max(1, WEEK // bar) // 2, max(1, REFIT // bar)
    ratio = over_centred_mean(ranges, 2 * half_week + 1)
    # The bar that ends a row's week, so many rows later: where some are missing, more bars later.
    known = place[np.minimum(np.arange(len(place)) + half_week, len(place) - 1)]
    own, ahead = np.ones(len(place)), [np.ones(len(place)) for _ in kept]
    for moment in range(every, place[-1] + 1, every):  # in bars since the first one opened
        rows = slice(*np.searchsorted(place, [moment, moment + every]))
        past = np.isfinite(ratio) & (known < moment) & (place >= moment - HISTORY // bar)
        weight = 0.5 ** ((moment - place[past]) / (HALF_LIFE / bar))
        factors = fit(ratio[past], weight, [each._replace(kind=each.kind[place[past]]) for each in effects])
        coming = slice(moment, moment + every + horizon_bars)
        pairs = [
            (factor[each.kind[coming]], each.always) for factor, each in zip(factors, effects, strict=True)
        ]
        soon = np.prod([of_bars for of_bars, _ in pairs], axis=0)
        later = np.prod([of_bars for of_bars, always in pairs if always], axis=0)
        here = place[rows] - moment
        own[rows] = soon[here]
        for means, each in zip(ahead, kept, strict=True):
            means[rows] = mean_ahead(soon, later, NOTICE // bar, horizon_bars, each)[here]
    return Periodicity(own, ahead)


def effects_of(open_time: pd.Series, bar: pd.Timedelta, releases: pd.DataFrame | None) -> list[Effect]:
    """All that makes bars that open then wider or narrower, as the clock and the calendar have it."""
    week_hour = hour_of_week(open_time)
    day, hour = np.divmod(week_hour, 24)
    clock = [
        Effect(np.where(day < 5, hour, 24 + hour), 48, 1.0),
        Effect(day, 7, 1.0),
        Effect(week_hour, 168, 10.0),
    ]
    if releases is None:
        return clock
    return [
        *clock,
        Effect(is_holiday(open_time).astype(np.int64), 2, 3.0, base=True),
        *(
            Effect(near_release(open_time, bar, releases, event), 4, 0.5, base=True, always=False)
            for event in EVENTS
        ),
    ]


def over_centred_mean(ranges: pd.DataFrame, bars: int) -> Floats:
    """Each range over the mean of `bars` around it; shape (n_bars,); NaN where a stretch has none."""
    usual = ranges["range"].groupby(ranges["stretch"]).rolling(bars, center=True).mean()
    return ranges["range"].to_numpy(np.float64) / usual.to_numpy()


def fit(ratio: Floats, weight: Floats, effects: list[Effect]) -> list[Floats]:
    """Each effect's factors by kind, of which a bar's are multiplied to foretell its `ratio`.

    Each effect in turn, given the others, has the factors of a gamma regression with log link: weighted
    means of what came over what the others say. `prior` usual bars shrink them to 1.
    """
    factors = [np.ones(each.size) for each in effects]
    forecast = np.ones(len(ratio))
    for _ in range(SWEEPS):
        for number, (kind, size, prior, base, _always) in enumerate(effects):
            forecast /= factors[number][kind]
            came = np.bincount(kind, weight * ratio / forecast, size)
            factors[number] = (came + prior) / (np.bincount(kind, weight, size) + prior)
            if base:
                factors[number][0] = 1.0
            forecast *= factors[number][kind]
    return factors


def mean_ahead(soon: Floats, later: Floats, notice_bars: int, horizon_bars: int, kept: float) -> Floats:
    """Weighted mean of the next `horizon_bars` values of each but the last so many; shape (n - h,).

    Of `soon` up to `notice_bars` ahead, then of `later`.
    """
    from scipy.signal import lfilter  # noqa: PLC0415  (takes a second, and featurize doesn't need it)

    near = min(notice_bars, horizon_bars)
    total = 0.0
    for values, first, last in ((soon, 1, near), (later, near + 1, horizon_bars)):
        # All before a bar, weighted, less what is too old: the sum of a window in one pass.
        sums = np.append(lfilter([1.0], [1.0, -kept], values), 0.0)
        n = len(values) - horizon_bars
        window = sums[last : last + n] - kept ** (last - first + 1) * sums[first - 1 : first - 1 + n]
        total += kept ** (horizon_bars - last) * window
    return total / np.sum(kept ** np.arange(horizon_bars))

"""Ranges freed of clock and calendar."""

import numpy as np
import pandas as pd
from pandas.testing import assert_frame_equal

from stages.common.bars import stretches
from stages.featurize.freed import freed_features

HOUR = pd.Timedelta(hours=1)
WINDOWS = [1, 4, 24, 168]


def freed_of(candles: pd.DataFrame, releases: pd.DataFrame | None = None) -> pd.DataFrame:
    """The group's columns of one stretch."""
    timed = candles.assign(close_time=candles["open_time"] + HOUR)
    return freed_features(timed, np.zeros(len(candles), np.int64), WINDOWS, bar=HOUR, releases=releases)


def wider(candles: pd.DataFrame, times: pd.Series, factor: float) -> pd.DataFrame:
    """The candles with ranges so many times as wide where `times` says; closes stay."""
    wide = candles.copy()
    body = candles[["open", "close"]]
    wide["high"] = candles["high"].where(~times, body.max(axis=1) * (1 + 0.01 * factor))
    wide["low"] = candles["low"].where(~times, body.min(axis=1) * (1 - 0.01 * factor))
    return wide


def test_a_wild_hour_of_the_day_is_no_news(make_candles):
    """Once its factor is known, the hour that is always wild reads like any other hour."""
    candles = make_candles(24 * 120)
    noon = candles["open_time"].dt.hour == 12
    plain, wild = freed_of(candles)["freed_1"], freed_of(wider(candles, noon, 5.0))["freed_1"]
    late = candles.index >= 24 * 90
    assert wild[noon & late].mean() - wild[~noon & late].mean() < 0.2
    early = (candles.index < 24 * 20) & (candles.index >= 168)
    assert wild[noon & early].mean() - wild[~noon & early].mean() > 1.0
    assert abs(plain[late].mean()) < 0.2


def test_rows_ignore_candles_to_come(make_candles):
    """Factors are refit every four weeks: later candles, dropped or changed, move no earlier row."""
    candles = make_candles(24 * 100)
    whole = freed_of(candles)
    for cut in (24 * 56, 24 * 56 + 1, 24 * 70 + 5):
        shocked = candles.copy()
        shocked.loc[cut:, ["high", "close"]] *= 1.5
        for changed in (candles[:cut], shocked):
            assert_frame_equal(freed_of(changed)[:cut], whole[:cut], check_exact=True)


def test_a_quiet_bar_is_bounded(make_candles):
    """A bar without a range is a hundredth of the usual, not nothing."""
    candles = make_candles(400)
    candles.loc[300, ["open", "high", "low", "close"]] = candles.loc[299, "close"]
    assert freed_of(candles)["freed_1"][300] == np.log(0.01)


def test_rows_ignore_candles_to_come_over_gaps(make_candles):
    """Nor where some are missing before a refit, so that half a week of rows is more than half a week."""
    candles = make_candles(
        24 * 80, missing=[24 * 28 - 40, 24 * 28 - 39, *range(24 * 56 - 60, 24 * 56 - 50)]
    )
    start = stretches(candles["open_time"], HOUR, bridge_bars=3)
    first = np.searchsorted(start, start)

    def freed(market: pd.DataFrame) -> pd.DataFrame:
        timed = market.assign(close_time=market["open_time"] + HOUR)
        return freed_features(timed, first[: len(market)], WINDOWS, bar=HOUR, releases=None)

    whole = freed(candles)
    for moment in (24 * 28, 24 * 28 + 1, 24 * 56, 24 * 56 + 3):
        cut = int(candles["open_time"].searchsorted(candles["open_time"][0] + moment * HOUR))
        shocked = candles.copy()
        shocked.loc[cut:, ["high", "close"]] *= 1.5
        for changed in (candles[:cut], shocked):
            assert_frame_equal(freed(changed)[:cut], whole[:cut], check_exact=True)

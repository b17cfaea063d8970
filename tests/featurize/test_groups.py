from collections.abc import Callable
from itertools import combinations
from typing import Any, get_args

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, assume, example, given, settings
from hypothesis import strategies as st
from pandas.testing import assert_frame_equal

from stages.common.bars import stretches
from stages.common.calendar import read_releases
from stages.common.errors import InputError
from stages.featurize import groups
from stages.featurize.groups import group_columns, make_features
from stages.featurize.params import FeaturizeParams, Group
from stages.featurize.volume import volume_features

HOUR = pd.Timedelta(hours=1)
PRICES = ["open", "high", "low", "close"]
GROUPS = list(get_args(Group))
RELEASES = read_releases()

# Fixtures here are never changed in place, so that one will do for all of a test's examples.
few_examples = settings(
    deadline=None, max_examples=10, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def features_of(candles: pd.DataFrame, params: FeaturizeParams) -> pd.DataFrame:
    """Features of hourly candles, gaps of three bridged."""
    return make_features(candles, RELEASES, HOUR, bridge_bars=3, params=params)


@few_examples
@given(known=st.integers(34, 300), factor=st.floats(0.01, 100))
def test_features_ignore_the_future(candles, params, known, factor):
    """Neither changing nor cutting off the candles from `known` on touches the rows before it."""
    candles = candles.iloc[:300]
    shocked = candles.copy()
    shocked.loc[candles.index[known:], [*PRICES, "volume"]] *= factor

    expected = features_of(candles, params)
    rows = known - params.lookback_bars
    for changed in (shocked, candles.iloc[:known]):
        assert_frame_equal(features_of(changed, params).iloc[:rows], expected.iloc[:rows], check_exact=True)


@few_examples
@given(known=st.integers(40, 390), factor=st.floats(0.01, 100))
@example(known=250, factor=2.0)
def test_features_ignore_the_future_of_a_torn_and_quiet_market(quiet_candles, params, known, factor):
    """Nor does what follows a gap, or hours without a trade, reach back to the rows before."""
    torn = quiet_candles.drop(index=[60, 61, *range(200, 205), 300]).reset_index(drop=True)
    torn.loc[240:260, "volume"] = 0.0  # though prices move
    shocked = torn.copy()
    shocked.loc[torn.index[known:], [*PRICES, "volume"]] *= factor
    shocked.loc[torn.index[known:], "volume"] += 1.0

    expected = features_of(torn, params)
    expected = expected[expected["close_time"] <= torn["open_time"][known - 1] + HOUR]
    for changed in (shocked, torn.iloc[:known]):
        assert_frame_equal(features_of(changed, params).iloc[: len(expected)], expected, check_exact=True)


@few_examples
@given(known=st.integers(40, 290))
def test_not_even_a_last_bit_knows_the_future(candles, params, known):
    """Nor is it float32 alone that hides it: before they are rounded, columns are equal to the bit too."""
    candles = candles.iloc[:300]
    whole, cut = (
        group_columns(table, np.zeros(len(table), np.int64), RELEASES, HOUR, params, number=np.float64)
        for table in (candles, candles.iloc[:known])
    )
    assert_frame_equal(cut, whole.iloc[:known], check_exact=True)


def test_every_group_sees_its_own_candle(candles, params):
    """Changing candle t changes row t, so that no column is a bar late."""
    candles = candles.iloc[:200]
    shocked = candles.copy()
    shocked.loc[199, ["high", "close", "volume"]] *= [1.2, 1.1, 9.0]

    expected, actual = features_of(candles, params).iloc[-1], features_of(shocked, params).iloc[-1]
    changed = set(expected.index[expected != actual])
    ahead = ("hour_of", "weekend", "cpi_", "fomc_", "payrolls_", "holiday", "close_time")
    clock = {name for name in expected.index if name.startswith(ahead)}
    assert changed == set(expected.index) - clock


@few_examples
@given(price=st.integers(-200, 200), volume=st.integers(-200, 200))
@example(price=-60, volume=-60)
def test_powers_of_two_change_no_bit(candles, params, price, volume):
    """Prices and volumes in another unit, a power of two apart, give the same bits."""
    candles = candles.iloc[:200]
    scaled = candles.copy()
    scaled[PRICES] *= 2.0**price
    scaled["volume"] *= 2.0**volume

    assert_frame_equal(features_of(scaled, params), features_of(candles, params), check_exact=True)


@few_examples
@given(price=st.floats(1e-9, 1e9), volume=st.floats(1e-9, 1e9))
def test_features_are_scale_free(candles, params, price, volume):
    """Prices and volumes in another unit give the same columns, but for rounding, here of float64."""
    candles = candles.iloc[:200]
    scaled = candles.copy()
    scaled[PRICES] *= price
    scaled["volume"] *= volume

    one_stretch = np.zeros(len(candles), np.int64)
    expected, actual = (
        group_columns(table, one_stretch, RELEASES, HOUR, params, number=np.float64)
        for table in (candles, scaled)
    )
    assert_frame_equal(actual, expected, rtol=0, atol=1e-9)


@pytest.mark.parametrize("windows", [[1, 4], [1, 4, 24], [24, 40]])
def test_rows_start_right_after_the_lookback(make_candles, windows):
    """Whichever groups are on, each stretch loses its first `lookback_bars` rows and no other.

    The neediest of them says how many, so that pairs stand for all companies.
    """
    candles = make_candles(200, missing=range(90, 100))
    for n in (1, 2, len(GROUPS)):
        for some in combinations(GROUPS, n):
            params = FeaturizeParams.model_validate(
                {"groups": list(some), "windows": windows, "events": "none"}
            )

            lost = params.lookback_bars
            kept = candles.index[lost:90].append(candles.index[90 + lost :])
            expected = candles.loc[kept, "open_time"] + HOUR
            assert features_of(candles, params)["close_time"].tolist() == expected.tolist()


def test_default_groups_give_dozens_of_columns(make_candles):
    """The windows of params.yaml lose 720 rows and give at least 30 float32 columns, each named once."""
    params = FeaturizeParams.model_validate(
        {"groups": list(GROUPS), "windows": [1, 4, 24, 168, 720], "events": "none"}
    )
    features = features_of(make_candles(800), params)

    columns = features.drop(columns="close_time")
    assert len(features) == 80
    assert len(set(columns.columns)) == columns.shape[1] >= 30
    assert (columns.dtypes == np.float32).all()
    assert np.isfinite(columns).all(axis=None)


def test_features_are_finite_where_nothing_happens(quiet_candles, params):
    """Bars without a range, hours without a trade, two days of both: every column stays finite."""
    features = features_of(quiet_candles, params)

    assert len(features) == len(quiet_candles) - params.lookback_bars
    assert np.isfinite(features.drop(columns="close_time")).all(axis=None)


def test_features_are_finite_in_a_dead_market(quiet_candles, params):
    """Even if no price ever moves and nothing is ever traded, every column is finite."""
    dead = quiet_candles.assign(volume=0.0, **dict.fromkeys(PRICES, 3.0))
    features = features_of(dead, params)

    assert len(features) == len(dead) - params.lookback_bars
    assert features["rsi_14"].eq(0).all()
    assert features["vwap_24"].eq(0).all()


def test_features_stay_small_when_a_market_falls_silent(candles, params):
    """Months without a trade after lively days don't blow rounding errors up into signals."""
    silent = candles.copy()
    silent.loc[200:, PRICES] = silent.loc[199, "close"]
    silent.loc[200:, "volume"] = 0.0
    columns = features_of(silent, params).drop(columns="close_time")
    assert columns.abs().lt(15).all(axis=None)


@pytest.mark.parametrize("group", GROUPS)
def test_groups_switch_on_and_off(candles, params, group):
    """A group alone gives the columns, to the bit, that it gives in company."""
    alone = params.model_copy(update={"groups": [group]})
    features = features_of(candles.iloc[:200], alone).iloc[-150:].reset_index(drop=True)

    together = features_of(candles.iloc[:200], params).iloc[-150:].reset_index(drop=True)
    assert 1 < features.shape[1] < together.shape[1]
    assert_frame_equal(features, together[features.columns], check_exact=True)


def test_the_order_of_groups_does_not_matter(candles, params):
    """Naming the groups in another order gives the same table."""
    reversed_groups = params.model_copy(update={"groups": params.groups[::-1]})
    expected = features_of(candles.iloc[:200], params)
    assert_frame_equal(features_of(candles.iloc[:200], reversed_groups), expected, check_exact=True)


def test_nothing_is_remembered_across_a_long_gap(make_candles, params):
    """After a gap too long to bridge, features are those of the candles after it alone."""
    candles = make_candles(300, missing=range(100, 104))
    after = features_of(candles.iloc[100:].reset_index(drop=True), params)

    actual = features_of(candles, params).iloc[-len(after) :].reset_index(drop=True)
    assert_frame_equal(actual, after, check_exact=True)
    assert len(features_of(candles, params)) == 296 - 2 * params.lookback_bars


@few_examples
@given(
    gaps=st.lists(st.tuples(st.integers(1, 399), st.integers(1, 9)), max_size=12),
    windows=st.sampled_from([[1, 4, 24], [2, 40], [1, 3, 5]]),
)
@example(gaps=[(200, 9)], windows=[1, 4, 24])
@example(gaps=[(35 * n, 9) for n in range(1, 12)], windows=[1, 4, 24])
def test_stretches_together_equal_each_alone(quiet_candles, params, gaps, windows):
    """Wherever gaps are, the table is, bit for bit, that of each stretch by itself, one after the other."""
    params = params.model_copy(update={"windows": windows})
    torn = quiet_candles.copy()
    for row, missing in gaps:
        torn.loc[row:, "open_time"] += missing * HOUR
    stretch = stretches(torn["open_time"], HOUR, bridge_bars=3)
    alone = [
        features_of(part.reset_index(drop=True), params)
        for _, part in torn.groupby(stretch)
        if len(part) > params.lookback_bars
    ]
    assume(alone)

    assert_frame_equal(features_of(torn, params), pd.concat(alone, ignore_index=True), check_exact=True)


def test_a_short_gap_is_bridged(make_candles, params):
    """The neighbours of a gap of three candles count as adjacent: no row is lost to it."""
    candles = make_candles(300, missing=range(100, 103))
    adjacent = candles.assign(open_time=make_candles(297)["open_time"])

    actual, expected = features_of(candles, params), features_of(adjacent, params)
    columns = [
        name for name in actual.columns if str(name).startswith(("return", "true_range", "rsi", "volume"))
    ]
    assert_frame_equal(actual[columns], expected[columns], check_exact=True)


def test_rows_carry_the_time_at_which_they_are_known(candles, params):
    """A row's close_time is its candle's open plus a bar, in UTC."""
    features = features_of(candles.iloc[:100], params)
    assert features["close_time"].iloc[-1] == candles["open_time"].iloc[100]


def test_too_few_candles_are_refused(candles, params):
    """Where no row would be left, one line says how far the features look back."""
    with pytest.raises(InputError, match=r"^featurize.* 33 bars, .*; received 33 in the longest\.$"):
        features_of(candles.iloc[:33], params)


@pytest.mark.parametrize(
    ("values", "received"),
    [
        ({"odd": [np.nan] * 100, "mad": [np.inf] * 100}, "0 finite of 100 values in odd, mad"),
        ({"odd": [np.nan] * 60 + [1] * 40, "mad": [1] * 60 + [np.inf] * 40}, "40 finite .* in odd"),
    ],
)
def test_a_column_that_leaves_no_row_is_named(candles, params, monkeypatch, values, received):
    """Not the look-back is told, but whose values are never finite, or the least often."""
    monkeypatch.setitem(groups.GROUPS, "volume", lambda *_: pd.DataFrame(values, dtype=float))

    with pytest.raises(InputError, match=rf"^featurize.* column is finite; received {received}\.$"):
        features_of(candles.iloc[:100], params)


def test_stretches_too_short_for_a_row_cost_nothing(make_candles, params, monkeypatch):
    """However many there are, no column is computed of them; refused or not, the rows are the same."""
    asked = []

    def counted(candles: pd.DataFrame, *settings: Any) -> pd.DataFrame:
        asked.append(len(candles))
        return volume_features(candles, *settings)

    monkeypatch.setitem(groups.GROUPS, "volume", counted)
    torn = make_candles(2000)
    torn["open_time"] += torn.index // params.lookback_bars * pd.Timedelta("5h")
    with pytest.raises(InputError, match=f"received {params.lookback_bars} in the longest"):
        features_of(torn, params)
    assert asked == []

    whole = make_candles(100, start="2030-01-01")
    found = features_of(
        pd.concat(
            [torn, whole, torn.assign(open_time=torn["open_time"] + 8000 * pd.Timedelta("1D"))],
            ignore_index=True,
        ),
        params,
    )
    assert asked == [100]
    assert_frame_equal(found, features_of(whole, params), check_exact=True)


@pytest.mark.parametrize("n_bars", [1, 2, 14, 15])
def test_short_stretches_give_no_rows(make_candles: Callable[..., pd.DataFrame], params, n_bars):
    """Stretches of a few candles, shorter than every indicator's first value, do no harm."""
    candles = make_candles(100 + n_bars + 10, missing=range(100, 110))
    assert len(features_of(candles, params)) == 100 - params.lookback_bars

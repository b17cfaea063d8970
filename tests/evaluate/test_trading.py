import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from stages.common.task import TASKS
from stages.evaluate import direction, volatility
from stages.evaluate.params import EvaluateParams
from stages.evaluate.question import question_of
from stages.evaluate.significance import block_starts
from stages.evaluate.trading import (
    STRATEGIES,
    YEAR,
    held,
    max_drawdown_pct,
    realised_variance,
    resampled_sharpe,
    returns_by_time,
    sharpe,
    strategy_block,
    stretch_starts,
    trade,
    traded,
)

Floats = NDArray[np.float64]

HOUR = pd.Timedelta(hours=1)
TARGET = 0.2 / np.sqrt(YEAR / HOUR)  # spread of an hour's return that makes 20 % a year
FREE = {"cost_bps": 0.0, "no_trade_band": 0.0}


def made(**changes: float) -> EvaluateParams:
    """The settings of params.yaml, with changes."""
    usual = {"bootstrap": 200, "seed": 1, "cost_bps": 5.0, "target_volatility_pct": 20.0}
    return EvaluateParams.model_validate(usual | {"max_position": 2.0, "no_trade_band": 0.1} | changes)


def market(n_hours: int = 400, symbols: tuple[str, ...] = ("A",), seed: int = 1) -> pd.DataFrame:
    """Val and test rows of two folds, the tests adjacent; volatility swings and is forecast with errors."""
    rng = np.random.default_rng(seed)
    times = pd.date_range("2024-01-01", periods=n_hours, freq="h", tz="UTC", unit="ms")
    fold, test = (
        np.where(np.arange(n_hours) < 3 * n_hours // 4, "1", "2"),
        np.arange(n_hours) >= n_hours // 2,
    )
    tables = []
    for symbol in symbols:
        spread = TARGET * np.exp(0.6 * np.sin(np.arange(n_hours) / 15 + rng.random()))
        atr = spread / 0.8
        table = pd.DataFrame({"symbol": symbol, "close_time": times, "fold": fold})
        table["role"] = np.where(test, "test", "val")
        table["return_next"] = spread * rng.standard_normal(n_hours)
        table["sizing_atr"] = atr * np.exp(0.2 * rng.standard_normal(n_hours))
        table["forecast"] = atr * np.exp(0.2 * rng.standard_normal(n_hours))
        table["return_per_atr"] = 0.8
        table["delta"] = rng.standard_normal(n_hours)
        tables.append(table)
    rows = pd.concat(tables, ignore_index=True)
    second_val = rows[(rows["fold"] == "1") & (rows["role"] == "test")].assign(fold="2", role="val")
    return pd.concat([rows, second_val], ignore_index=True)


def traded_hours(
    rows: pd.DataFrame, question=volatility.QUESTION, horizon_bars=14, **changes
) -> pd.DataFrame:
    """`returns_by_time` of hourly rows under the usual settings, with changes."""
    return returns_by_time(rows, question, horizon_bars=horizon_bars, bar=HOUR, params=made(**changes))


def block_of(hours: pd.DataFrame, block: int = 20, replicates: int = 200) -> dict[str, float]:
    """`strategy_block` with block starts of its own."""
    starts = block_starts(len(hours), block, replicates, np.random.default_rng(0))
    return strategy_block(hours, starts, block, HOUR)


def five_rows(returns: list[float], hours: list[int]) -> pd.DataFrame:
    """Test rows of one symbol at these hours."""
    start = pd.Timestamp("2024-01-01", tz="UTC").as_unit("ms")
    times = [start + hour * HOUR for hour in hours]
    return pd.DataFrame({"symbol": "A", "close_time": times, "return_next": returns})


def trade_of(test: pd.DataFrame, wanted: list[float], **changes) -> pd.DataFrame:
    """`trade` of hourly rows under the usual settings, with changes."""
    first = stretch_starts(test, HOUR)
    params = made(**changes)
    return trade(test, np.array(wanted), first, horizon_bars=14, bar=HOUR, params=params)


def test_five_rows_worked_by_hand():
    """In, left alone within the band, raised, turned over, and out at the end of the last bar."""
    test = five_rows([0.01, -0.02, 0.01, 0.03, -0.01], [0, 1, 2, 3, 4])

    table = trade_of(test, [1.0, 1.05, 1.5, -1.0, -1.0], cost_bps=10.0)

    np.testing.assert_allclose(table["position"], [1, 1, 1.5, -1, -1])
    np.testing.assert_allclose(table["traded"], [1, 0, 0.5, 2.5, 1])
    np.testing.assert_allclose(
        table["net"], [0.01 - 0.001, -0.02, 0.015 - 0.0005, -0.03 - 0.0025, 0.01 - 0.001]
    )


def test_a_gap_closes_the_position_and_is_paid_for():
    """It is sold at the end of the last bar before a missing one, and bought anew after, to the full."""
    test = five_rows([0.01, 0.01, 0.01, 0.01, 0.01], [0, 1, 3, 4, 5])

    table = trade_of(test, [1.0, 1.0, 1.05, 1.05, 0.0], cost_bps=10.0)

    np.testing.assert_allclose(table["position"], [1, 1, 1.05, 1.05, 0])
    np.testing.assert_allclose(table["traded"], [1, 1, 1.05, 0, 1.05])


def test_another_symbol_is_another_account():
    """A symbol's first row starts from nothing, though the hours run on from the last symbol's."""
    test = five_rows([0.0] * 4, [0, 1, 2, 3]).assign(symbol=["A", "A", "B", "B"])

    np.testing.assert_array_equal(stretch_starts(test, HOUR), [True, False, True, False])


def test_a_position_of_nothing_is_taken_whatever_the_band():
    """The band is a share of the position wanted, so that flat means flat."""
    first = np.array([True, False, False, False])

    np.testing.assert_array_equal(held(np.array([1.0, 0.0, 0.0, 0.2]), first, 0.9), [1, 0, 0, 0.2])


@given(seed=st.integers(0, 999), band=st.floats(0, 0.9))
@settings(deadline=None, max_examples=40)
def test_what_is_held_is_within_the_band_of_what_is_wanted(seed, band):
    """However positions and gaps fall; with a band of 0 the position is the one wanted."""
    rng = np.random.default_rng(seed)
    wanted, first = rng.standard_normal(50), rng.random(50) < 0.1
    first[0] = True

    position = held(wanted, first, band)

    assert (np.abs(position - wanted) <= band * np.abs(wanted)).all()
    np.testing.assert_array_equal(held(wanted, first, 0.0), wanted)


@given(seed=st.integers(0, 999))
@settings(deadline=None, max_examples=40)
def test_traded_units_equal_the_loop_that_keeps_an_account(seed):
    """Each stretch buys what it changes, and sells what it holds when it ends."""
    rng = np.random.default_rng(seed)
    position, first = rng.standard_normal(30).round(1), rng.random(30) < 0.3
    first[0] = True

    expected, account = [], 0.0
    for t in range(30):
        units = abs(position[t] - account)
        account = position[t]
        if t == 29 or first[t + 1]:
            units += abs(account)
            account = 0.0
        expected.append(units)

    np.testing.assert_allclose(traded(position, first), expected)


def test_without_costs_and_band_the_return_is_position_times_return():
    """Positions are target over forecast spread, the cap at most, on the side that the network takes."""
    rows = market()
    test = rows[rows["role"] == "test"].sort_values("close_time")
    sized = np.minimum(2, TARGET / (test["sizing_atr"] * 0.8))
    forecast = np.minimum(2, TARGET / (test["forecast"] * 0.8))

    long, sided = traded_hours(rows, **FREE), traded_hours(rows, direction.QUESTION, **FREE)

    returns = test["return_next"].to_numpy()
    np.testing.assert_allclose(long["network"], forecast * returns, atol=1e-7)
    np.testing.assert_allclose(long["reference"], sized * returns, atol=1e-7)
    np.testing.assert_allclose(sided["network"], np.sign(test["delta"]) * sized * returns, atol=1e-7)
    np.testing.assert_array_equal(sided["reference"], long["reference"])


def test_no_position_exceeds_the_cap():
    """Also where next to nothing, or nothing, is forecast to happen."""
    rows = market().assign(forecast=1e-9, sizing_atr=0.0, return_next=0.01)

    hours = traded_hours(rows, max_position=1.5, **FREE)

    np.testing.assert_allclose(hours[list(STRATEGIES)], 0.015)


def test_constant_exposure_is_set_by_the_folds_val():
    """One position a fold and symbol, from the root mean square of what was foretold before its test."""
    rows = market(symbols=("A", "B"))
    hours = traded_hours(rows[rows["symbol"] == "A"], **FREE)
    mine = rows[rows["symbol"] == "A"]

    for fold in ("1", "2"):
        part = mine[mine["fold"] == fold]
        val, test = part[part["role"] == "val"], part[part["role"] == "test"]
        position = min(2.0, TARGET / np.sqrt(np.mean((0.8 * val["sizing_atr"]) ** 2)))
        np.testing.assert_allclose(
            hours.loc[test["close_time"], "constant"], position * test["return_next"], atol=1e-7
        )


def test_constant_exposure_without_val_rows_is_none():
    """A symbol that came after the fold's val has no known spread, so it isn't held."""
    rows = market()

    assert (traded_hours(rows[rows["role"] == "test"])["constant"] == 0).all()


def test_position_is_carried_from_one_folds_test_to_the_next():
    """Adjacent tests are one stretch: nothing is sold between them."""
    rows = market().assign(forecast=TARGET / 0.8)

    hours = traded_hours(rows)

    assert hours["network_traded"].sum() == pytest.approx(2)
    np.testing.assert_array_equal(np.flatnonzero(hours["network_traded"]), [0, len(hours) - 1])


def test_later_rows_change_no_earlier_position():
    """What is held at t, and paid up to t, is known at t."""
    rows = market()
    cut = rows["close_time"].max() - 50 * HOUR
    late = (rows["role"] == "test") & (rows["close_time"] > cut)
    shocked = rows.copy()
    shocked.loc[late, ["forecast", "sizing_atr", "return_per_atr"]] *= 3
    shocked.loc[late, "delta"] *= -1

    for question in map(question_of, TASKS):
        before, after = (traded_hours(table, question) for table in (rows, shocked))
        names = [*STRATEGIES, *(f"{name}_traded" for name in STRATEGIES)]
        pd.testing.assert_frame_equal(before.loc[:cut, names], after.loc[:cut, names], check_exact=True)
        assert (before["network"] != after["network"]).any()


def test_order_of_rows_does_not_matter():
    """Rows are traded in order of time, however they come."""
    rows = market(symbols=("A", "B"))

    pd.testing.assert_frame_equal(traded_hours(rows), traded_hours(rows.sample(frac=1, random_state=1)))


def test_an_hours_symbols_share_the_wealth():
    """The portfolio is the mean of the symbols that have a row, be it one or two."""
    rows = market(symbols=("A", "B"))
    missing = (rows["symbol"] == "B") & (rows["close_time"] > rows["close_time"].max() - 30 * HOUR)
    rows = rows[~missing]

    both = traded_hours(rows)
    a, b = (traded_hours(rows[rows["symbol"] == symbol]) for symbol in ("A", "B"))

    pd.testing.assert_frame_equal(both.loc[b.index], (a.loc[b.index] + b) / 2)
    pd.testing.assert_frame_equal(both.iloc[-30:], a.iloc[-30:])


def test_doubling_the_cost_doubles_what_is_paid():
    """Costs are the price of what is traded, which they don't change."""
    rows = market()
    free, once, twice = (traded_hours(rows, cost_bps=cost) for cost in (0.0, 5.0, 10.0))

    paid = free["network"] - once["network"]
    np.testing.assert_allclose(free["network"] - twice["network"], 2 * paid, atol=1e-15)
    assert paid.sum() == pytest.approx(5e-4 * once["network_traded"].sum())
    assert paid.sum() > 0


def test_sharpe_is_the_mean_over_the_spread_of_a_year():
    """From sums it is what the textbook says, and the size of the positions is nothing to it."""
    net = 1e-4 + 1e-3 * np.random.default_rng(1).standard_normal(500)

    assert sharpe(net, 8760) == pytest.approx(net.mean() / net.std() * np.sqrt(8760))
    assert sharpe(2 * net, 8760) == pytest.approx(sharpe(net, 8760))


@pytest.mark.parametrize("net", [np.zeros(50), np.full(50, 0.1), np.array([0.02])])
def test_sharpe_of_what_never_varies_is_nil(net):
    """Never traded, or the same every hour: there is no spread to measure by."""
    assert sharpe(net, 8760) == 0


def test_resampled_sharpe_equals_that_of_the_rows_written_out():
    """The sums give what picking each replicate's rows gives."""
    rng = np.random.default_rng(2)
    net = 1e-3 * rng.standard_normal(70)
    starts = block_starts(70, 8, 5, rng)

    picked = [[(start + step) % 70 for start in row for step in range(8)][:70] for row in starts]

    np.testing.assert_allclose(
        resampled_sharpe(net, starts, 8, 8760), [sharpe(net[rows], 8760) for rows in picked]
    )


def test_drawdown_is_the_deepest_fall_from_a_peak():
    """Up 10 %, down to half of that, and up again: 50 %; the start counts as a peak."""
    assert max_drawdown_pct(np.array([0.1, -0.5, 0.2, 0.1])) == pytest.approx(50)
    assert max_drawdown_pct(np.array([-0.1, 0.5])) == pytest.approx(10)


def test_drawdown_of_rising_wealth_is_nil_and_of_ruin_everything():
    """Wealth below nothing, by a loss on twice the wealth, is all lost."""
    assert max_drawdown_pct(np.array([0.01, 0.0, 0.02])) == 0
    assert max_drawdown_pct(np.array([0.1, -1.2, 0.5])) == 100


@given(seed=st.integers(0, 999), horizon=st.integers(1, 20))
@settings(deadline=None, max_examples=40)
def test_realised_variance_equals_its_written_mean(seed, horizon):
    """Each row's own and the following squared returns, up to the horizon or the stretch's end."""
    rng = np.random.default_rng(seed)
    returns, first = rng.standard_normal(30), rng.random(30) < 0.15
    first[0] = True

    expected = []
    for t in range(30):
        squares = [returns[t] ** 2]
        while t + len(squares) < 30 and not first[t + len(squares)] and len(squares) < horizon:
            squares.append(returns[t + len(squares)] ** 2)
        expected.append(np.mean(squares))

    np.testing.assert_allclose(realised_variance(returns, first, horizon), expected)


def foretold(rows: pd.DataFrame, horizon_bars: int) -> pd.DataFrame:
    """The rows with a forecast of exactly the volatility that comes."""
    test = rows[rows["role"] == "test"].sort_values("close_time")
    variance = realised_variance(test["return_next"].to_numpy(), stretch_starts(test, HOUR), horizon_bars)
    return rows.assign(forecast=pd.Series(np.sqrt(variance) / 0.8, index=test.index))


def test_utility_of_the_perfect_forecast_is_four_percent():
    """Half of a Sharpe ratio of .4 at 20 % a year is 400 basis points, in calm hours as in wild ones."""
    hours = traded_hours(foretold(market(), 14), max_position=1e6, **FREE)

    np.testing.assert_allclose(hours["network_utility"], 400, rtol=1e-9)
    assert hours["reference_utility"].max() < 400
    assert hours["constant_utility"].max() < 400


def test_utility_falls_with_every_error_of_the_forecast():
    """A forecast that is off by a factor c has 400 (2 / c - 1 / c^2), too low as too high."""
    rows = foretold(market(), 14)
    for factor in (0.5, 0.8, 1.25, 2.0):
        wrong = rows.assign(forecast=factor * rows["forecast"])

        hours = traded_hours(wrong, max_position=1e6, **FREE)

        np.testing.assert_allclose(hours["network_utility"], 400 * (2 / factor - factor**-2), atol=1e-3)


def test_utility_pays_for_what_is_traded():
    """A year's trades at their cost, in basis points, are what costs take from it."""
    rows = market()
    free, paid = traded_hours(rows, cost_bps=0.0), traded_hours(rows, cost_bps=5.0)

    taken = free["network_utility"].mean() - paid["network_utility"].mean()

    assert taken == pytest.approx(5 * block_of(paid)["turnover"])


def test_utility_asks_for_the_exposure_alone():
    """Short is as much exposure as long; flat has none, and nil utility."""
    rows = market()
    up, down, flat = (
        traded_hours(rows.assign(delta=delta), direction.QUESTION) for delta in (1.0, -1.0, 0.0)
    )

    np.testing.assert_array_equal(up["network_utility"], down["network_utility"])
    np.testing.assert_array_equal(up["network_utility"], up["reference_utility"])
    np.testing.assert_array_equal(flat["network_utility"], 0)


def test_utility_is_the_same_at_any_timeframe():
    """A year of daily bars has the perfect forecast's 400 basis points too."""
    rows = foretold(market(), 14)
    day = pd.Timedelta(days=1)
    start = rows["close_time"].min()
    daily = rows.assign(close_time=start + 24 * (rows["close_time"] - start))

    hours = returns_by_time(
        daily, volatility.QUESTION, horizon_bars=14, bar=day, params=made(max_position=1e6, **FREE)
    )

    np.testing.assert_allclose(hours["network_utility"], 400, rtol=1e-9)


def test_interval_holds_the_true_difference_about_as_often_as_it_says():
    """On noise, where neither strategy earns anything, nine in ten intervals hold nil."""
    rng = np.random.default_rng(3)
    n_held = 0
    for _ in range(200):
        hours = pd.DataFrame(1e-3 * rng.standard_normal((400, 3)), columns=list(STRATEGIES))
        hours = hours.assign(network_traded=0.0, **{f"{name}_utility": 0.0 for name in STRATEGIES})
        block = block_of(hours, block=4)
        assert block["delta_sharpe_lo"] < block["delta_sharpe"] < block["delta_sharpe_hi"]
        n_held += block["delta_sharpe_lo"] < 0 < block["delta_sharpe_hi"]

    assert 0.82 < n_held / 200 < 0.97


def test_where_model_and_reference_agree_nothing_is_between_them():
    """0, [0, 0], also where the forecast has been to its logarithm and back."""
    rows = market(symbols=("A", "B"))
    rows["forecast"] = np.exp(np.log(rows["sizing_atr"]))
    assert (rows["forecast"] != rows["sizing_atr"]).any()

    block = block_of(traded_hours(rows))

    assert block["delta_sharpe"] == block["delta_sharpe_lo"] == block["delta_sharpe_hi"] == 0
    assert block["utility_bps"] == block["ref_utility_bps"]


def test_a_strategy_that_never_trades_has_nil_everywhere():
    """The benchmark as direction's network stays flat: no return, no risk, no cost."""
    block = block_of(traded_hours(market().assign(delta=0.0), direction.QUESTION))

    for key in ("net_sharpe", "turnover", "max_drawdown_pct", "utility_bps"):
        assert block[key] == 0
    assert np.isfinite(list(block.values())).all()


def test_block_is_finite_on_a_market_that_stands_still():
    """Nothing happens, nothing is forecast to happen: costs alone, and no NaN."""
    rows = market().assign(return_next=0.0, sizing_atr=0.0, forecast=0.0)

    assert np.isfinite(list(block_of(traded_hours(rows)).values())).all()


def test_turnover_counts_a_year():
    """A position of 1 taken, turned over every hour and closed: two units an hour."""
    rows = market().assign(sizing_atr=TARGET / 0.8)
    test = rows["role"] == "test"
    rows.loc[test, "delta"] = np.resize([1.0, -1.0], test.sum())

    block = block_of(traded_hours(rows, direction.QUESTION))

    assert block["turnover"] == pytest.approx(2 * 8760)

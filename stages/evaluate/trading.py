"""The one strategy: what a forecast earns, and spares, once it is traded and the trades are paid for.

A position is a share of wealth, held for one bar: the side times min(max_position, target spread /
forecast spread). Three are traded side by side, at the same costs: the network's; the reference, always
long and sized by `sizing_atr`; and a constant exposure, always long, for which nothing is forecast.
"""

import numpy as np
import pandas as pd

from stages.common.arrays import Bools, Floats, Ints
from stages.evaluate.params import EvaluateParams
from stages.evaluate.question import Question
from stages.evaluate.rows import KEYS
from stages.evaluate.significance import resampled_sums

STRATEGIES = ("network", "reference", "constant")
SHARPE_A_YEAR = 0.4  # that the investor of the realised utility counts on
YEAR = pd.Timedelta(days=365)


def returns_by_time(
    rows: pd.DataFrame, question: Question, *, horizon_bars: int, bar: pd.Timedelta, params: EvaluateParams
) -> pd.DataFrame:
    """What each bar of the test brought; index close_time, the distinct test times, sorted.

    `rows` of val and test, one a time and symbol in test; `question` gives the network's side of the market
    and its forecast of a bar's spread. Columns `network`, `reference`, `constant`: net return over the
    bar after close_time, the mean of the symbols that have a row then; `<name>_traded`: units of wealth
    bought or sold; `<name>_utility`: realised utility, in basis points a year. Positions at t are known
    at t.
    """
    test = rows[rows["role"] == "test"].sort_values(KEYS, kind="stable", ignore_index=True)
    first = stretch_starts(test, bar)
    parts = []
    spreads = [question.spread(test, horizon_bars), forecast_spread(test), val_spread(rows, test)]
    for name, spread in zip(STRATEGIES, spreads, strict=True):
        side = question.side(test) if name == "network" else 1.0
        wanted = side * size(spread, bar, params)
        table = trade(test, wanted, first, horizon_bars=horizon_bars, bar=bar, params=params)
        means = table[["net", "traded", "utility"]].groupby(test["close_time"]).mean()
        parts.append(means.set_axis([name, f"{name}_traded", f"{name}_utility"], axis=1))
    return pd.concat(parts, axis=1)


def forecast_spread(rows: pd.DataFrame) -> Floats:
    """Spread of the next bar's return that `sizing_atr` foretells; shape (n_rows,)."""
    return (rows["sizing_atr"] * rows["return_per_atr"]).to_numpy(np.float64)


def val_spread(rows: pd.DataFrame, test: pd.DataFrame) -> Floats:
    """Root mean square of what was foretold on the val rows of each test row's fold and symbol.

    Known before the test begins. Infinite, which sizes a position to nothing, without such a row.
    """
    val = rows[rows["role"] == "val"]
    square = pd.Series(forecast_spread(val) ** 2, index=val.index)
    means = square.groupby([val["fold"], val["symbol"]]).mean()
    mine = means.reindex(pd.MultiIndex.from_frame(test[["fold", "symbol"]]))
    return np.sqrt(mine.fillna(np.inf).to_numpy(np.float64))


def size(spread: Floats, bar: pd.Timedelta, params: EvaluateParams) -> Floats:
    """Position that brings a bar's forecast `spread` to the target, at most `max_position`."""
    target = params.target_volatility_pct / 100 / np.sqrt(YEAR / bar)
    with np.errstate(divide="ignore"):  # a spread of nil asks for all there is
        fitting = target / spread
    # A forecast that has been to its logarithm and back is to ask for the same position.
    return np.round(np.minimum(params.max_position, fitting), 6)


def stretch_starts(test: pd.DataFrame, bar: pd.Timedelta) -> Bools:
    """Whether the row before isn't the bar before, of the same symbol; `test` sorted by both."""
    new_symbol = test["symbol"] != test["symbol"].shift()
    return (new_symbol | (test["close_time"].diff() != bar)).to_numpy()


def trade(
    test: pd.DataFrame,
    wanted: Floats,
    first: Bools,
    *,
    horizon_bars: int,
    bar: pd.Timedelta,
    params: EvaluateParams,
) -> pd.DataFrame:
    """What each row of `test` does and brings; `first`: where a stretch of adjacent rows starts.

    Columns `position`, held over the bar after; `traded`, units of wealth bought and sold, with the sale
    at the end of a stretch's last bar; `net`, the return after costs; `utility`.
    """
    position = held(wanted, first, params.no_trade_band)
    units = traded(position, first)
    returns = test["return_next"].to_numpy(np.float64)
    cost = params.cost_bps / 1e4 * units
    variance = realised_variance(returns, first, horizon_bars)
    return pd.DataFrame(
        {
            "position": position,
            "traded": units,
            "net": position * returns - cost,
            "utility": utility(position, variance, cost, bar, params),
        },
        index=test.index,
    )


def held(wanted: Floats, first: Bools, no_trade_band: float) -> Floats:
    """Position after each row: left alone while it is within this share of the one wanted.

    Every stretch starts from none. Where it trades it goes all the way; with a band of 0 it always does.
    """
    positions, position = [], 0.0
    for target, starts in zip(wanted.tolist(), first.tolist(), strict=True):
        before = 0.0 if starts else position
        position = target if abs(target - before) > no_trade_band * abs(target) else before
        positions.append(position)
    return np.array(positions)


def traded(position: Floats, first: Bools) -> Floats:
    """Units bought or sold at each row, and at the end of its bar where its stretch ends there."""
    before = np.where(first, 0.0, np.roll(position, 1))
    last = np.roll(first, -1)  # the row after the last one is the first, which starts a stretch
    return np.abs(position - before) + np.where(last, np.abs(position), 0.0)


def realised_variance(returns: Floats, first: Bools, horizon_bars: int) -> Floats:
    """Mean of the squared returns from each row on, over `horizon_bars` rows or what its stretch has left.

    Looks ahead: a measure of what came, no forecast.
    """
    n_rows, starts = len(returns), np.flatnonzero(first)
    stretch_end = np.repeat(np.append(starts[1:], n_rows), np.diff(np.append(starts, n_rows)))
    end = np.minimum(np.arange(n_rows) + horizon_bars, stretch_end)
    running = np.concatenate([[0.0], np.cumsum(returns**2)])
    return (running[end] - running[:-1]) / (end - np.arange(n_rows))


def utility(
    position: Floats, variance: Floats, cost: Floats, bar: pd.Timedelta, params: EvaluateParams
) -> Floats:
    """Realised utility of each row's exposure, in basis points a year; `variance` is that of a bar.

    SR w s - gamma/2 w^2 s^2 less costs, w the size of the position, s the realised volatility, SR a
    Sharpe ratio that the investor is sure of, gamma = SR / target the aversion to risk that makes the
    target the best of all volatilities. A forecast that is always right has target x SR / 2, a position
    of nothing has 0. The side doesn't count: it measures the forecast of "how much?" alone. Source:
    Bollerslev, Hood, Huss and Pedersen (2018), Review of Financial Studies 31(7), 2729-2773.
    """
    bars_a_year, target = YEAR / bar, params.target_volatility_pct / 100
    risk = np.abs(position) * np.sqrt(variance * bars_a_year)
    return 1e4 * (SHARPE_A_YEAR * (risk - risk**2 / (2 * target)) - bars_a_year * cost)


def strategy_block(by_time: pd.DataFrame, starts: Ints, block: int, bar: pd.Timedelta) -> dict[str, float]:
    """The strategy's figures from `returns_by_time`; never NaN.

    `starts` and `block`: the bootstrap's, as of the skill. `turnover`: units of wealth traded a year.
    """
    bars_a_year = YEAR / bar
    net = {name: by_time[name].to_numpy(np.float64) for name in STRATEGIES}
    sharpes = {name: sharpe(returns, bars_a_year) for name, returns in net.items()}
    network, reference = (
        resampled_sharpe(net[name], starts, block, bars_a_year) for name in ("network", "reference")
    )
    lo, hi = np.quantile(network - reference, [0.05, 0.95])
    return {
        "net_sharpe": sharpes["network"],
        "ref_sharpe": sharpes["reference"],
        "constant_sharpe": sharpes["constant"],
        "delta_sharpe": sharpes["network"] - sharpes["reference"],
        "delta_sharpe_lo": float(lo),
        "delta_sharpe_hi": float(hi),
        "turnover": float(bars_a_year * by_time["network_traded"].mean()),
        "max_drawdown_pct": max_drawdown_pct(net["network"]),
        "utility_bps": float(by_time["network_utility"].mean()),
        "ref_utility_bps": float(by_time["reference_utility"].mean()),
        "constant_utility_bps": float(by_time["constant_utility"].mean()),
    }


def sharpe(net: Floats, bars_a_year: float) -> float:
    """Mean over spread of the returns, a year; 0 where they never vary."""
    return float(sharpe_of_sums(net.sum(), (net**2).sum(), len(net), bars_a_year))


def resampled_sharpe(net: Floats, starts: Ints, block: int, bars_a_year: float) -> Floats:
    """Sharpe ratio of each replicate of the returns; shape (replicates,)."""
    total, squares = (resampled_sums(values, starts, block) for values in (net, net**2))
    return sharpe_of_sums(total, squares, len(net), bars_a_year)


def sharpe_of_sums(
    total: Floats | float, squares: Floats | float, n_bars: Floats | int, bars_a_year: float
) -> Floats:
    """Sharpe ratio a year of `n_bars` returns with this sum and sum of squares; elementwise."""
    mean, square = np.asarray(total) / n_bars, np.asarray(squares) / n_bars
    variance = square - mean**2
    # What is left of equal returns is rounding.
    varies = variance > 1e-12 * square
    spread = np.sqrt(variance, out=np.ones(variance.shape), where=varies)
    return np.asarray(np.where(varies, mean / spread, 0.0) * np.sqrt(bars_a_year))


def max_drawdown_pct(net: Floats) -> float:
    """Most that compounded wealth was ever below its peak so far, in percent; 100 where it was lost."""
    wealth = np.concatenate([[1.0], np.cumprod(np.maximum(1 + net, 0.0))])
    return float(100 * np.max(1 - wealth / np.maximum.accumulate(wealth)))

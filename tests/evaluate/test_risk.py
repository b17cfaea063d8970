import numpy as np
import pandas as pd
import pytest
from scipy.stats import chi2

from stages.evaluate.risk import (
    beyond,
    christoffersen_p,
    ends_apart,
    kupiec_p,
    ratios,
    risk_block,
    tail_of,
    value_at_risk,
)

HOUR = pd.Timedelta(hours=1)
HORIZON = 5


def make_rows(n_rows: int, n_val: int, seed: int = 1, symbol: str = "BTC-USDT") -> pd.DataFrame:
    """Hourly rows of returns of a known, changing spread; the forecast of it is right."""
    rng = np.random.default_rng(seed)
    spread = 0.01 * np.exp(0.5 * np.sin(np.arange(n_rows) / 100))
    times = pd.Series(pd.date_range("2022-01-03", periods=n_rows, freq="h", tz="UTC", unit="ms"))
    next_return = spread * rng.standard_t(5, n_rows)
    coming = pd.Series(next_return)[::-1].rolling(HORIZON, min_periods=1).sum()[::-1]
    return pd.DataFrame(
        {
            "symbol": symbol,
            "fold": "1",
            "role": np.where(np.arange(n_rows) < n_val, "val", "test"),
            "close_time": times,
            "label_end": times + HORIZON * HOUR,
            "return_next": next_return,
            "return_to_end": coming / 0.01,
            "atr": 0.01,
            "spread": spread,
        }
    )


def with_ratios(rows: pd.DataFrame) -> pd.DataFrame:
    """The rows with their returns over the forecast spread."""
    return rows.join(ratios(rows, rows["spread"].to_numpy()))


def test_ratios_are_returns_over_their_spread():
    """Of the next bar, and of the way to the label's end, which is given in ATR."""
    rows = make_rows(50, 10)
    found = with_ratios(rows)
    np.testing.assert_allclose(found["next_return"] * rows["spread"], rows["return_next"])
    np.testing.assert_allclose(found["end_return"] * rows["spread"], rows["return_to_end"] * 0.01)


def test_a_tail_is_what_its_share_says():
    """Of 99 ratios the fifth lowest is the 5 % value at risk; the shortfall is the mean of those five."""
    ranked = [float(value) for value in range(-50, 49)]
    assert tail_of(ranked, 0.05) == (-46.0, -48.0)
    assert tail_of(ranked, 0.01) == (-50.0, -50.0)
    assert tail_of([-3.0], 0.01) == (-3.0, -3.0)
    assert np.isnan(tail_of([], 0.01)).all()


def test_value_at_risk_rests_on_what_had_ended():
    """Row by row the quantile of the rows whose label had ended, as a loop finds it; none before."""
    rows = with_ratios(make_rows(400, 100))
    levels = value_at_risk(rows, "next_return", 0.05)
    for row in range(len(rows)):
        ended = rows["label_end"] <= rows["close_time"].iloc[row]
        past = sorted(rows.loc[ended, "next_return"])
        expected = tail_of(past, 0.05).value_at_risk
        assert levels[row] == expected or (np.isnan(levels[row]) and not past)
    assert np.isnan(levels).sum() == HORIZON


def test_value_at_risk_doesn_t_look_ahead():
    """What comes after a row, or hasn't ended by it, changes nothing of it."""
    rows = with_ratios(make_rows(300, 100))
    changed = rows.copy()
    changed.loc[200 - HORIZON + 1 :, "next_return"] *= 50
    before, after = (value_at_risk(table, "next_return", 0.05) for table in (rows, changed))
    np.testing.assert_array_equal(before[:201], after[:201])
    assert (before[201:] != after[201:]).any()


def test_rows_apart_share_no_bar():
    """Each begins when the one before has ended, over gaps too, and none that could is left out."""
    rows = make_rows(40, 0).drop(index=[3, 4, 5, 6, 20]).reset_index(drop=True)
    times, ends = rows["close_time"][ends_apart(rows)], rows["label_end"][ends_apart(rows)]
    assert (times.iloc[1:].array >= ends.iloc[:-1].array).all()
    between = [
        ((rows["close_time"] >= end) & (rows["close_time"] < time)).any()
        for end, time in zip(ends.iloc[:-1], times.iloc[1:], strict=True)
    ]
    assert not any(between)


def test_kupiec_is_its_formula():
    """Twice the log ratio of two binomial likelihoods."""
    hits = np.arange(250) < 20
    ratio = 2 * (20 * np.log(0.08 / 0.05) + 230 * np.log(0.92 / 0.95))
    assert kupiec_p(hits, 0.05) == pytest.approx(chi2.sf(ratio, 1))
    assert kupiec_p(np.arange(100) < 5, 0.05) == pytest.approx(1.0)
    assert kupiec_p(np.zeros(0, np.bool_), 0.05) == 1.0


def test_christoffersen_sees_runs():
    """The right share all in one run is called wrong, spread by chance it isn't."""
    n_rows = 1000
    run = np.arange(n_rows) < 50
    apart = np.random.default_rng(1).permutation(run)
    assert kupiec_p(run, 0.05) == kupiec_p(apart, 0.05) == pytest.approx(1.0)
    assert christoffersen_p(run, 0.05) < 1e-6
    assert christoffersen_p(apart, 0.05) > 0.05


@pytest.mark.parametrize("p_value", [kupiec_p, christoffersen_p])
def test_right_shares_are_seldom_called_wrong(p_value):
    """Independent losses of the share promised: rejected at 5 % about as often as that."""
    rng = np.random.default_rng(1)
    rejected = [p_value(rng.random(2000) < 0.05, 0.05) < 0.05 for _ in range(1000)]
    assert 0.03 < np.mean(rejected) < 0.08


def test_the_block_of_an_honest_forecast():
    """With the right spread, shares are as promised and no test rejects; with one too small, all do."""
    rows = pd.concat([make_rows(8000, 2000), make_rows(8000, 2000, seed=2, symbol="ETH-USDT")])
    rows = rows.reset_index(drop=True)

    block = risk_block(rows, rows["spread"].to_numpy())
    assert block["next_var_95_beyond_pct"] == pytest.approx(5, abs=0.6)
    assert block["next_var_99_beyond_pct"] == pytest.approx(1, abs=0.3)
    assert block["end_var_95_beyond_pct"] == pytest.approx(5, abs=1.5)
    assert all(value > 0.01 for name, value in block.items() if name.endswith("_p"))

    twice = np.where(rows["role"] == "test", 2, 1)
    wilder = rows.assign(**{name: rows[name] * twice for name in ("return_next", "return_to_end")})
    block = risk_block(wilder, rows["spread"].to_numpy())
    for kind in ("next_var_95", "next_var_99", "end_var_95", "end_var_99"):
        assert block[f"{kind}_kupiec_p"] < 0.01
        assert block[f"{kind}_christoffersen_p"] < 0.01
    assert block["next_var_95_beyond_pct"] > 7
    assert block["end_var_95_beyond_pct"] > 7


def test_symbols_are_tested_apart():
    """One symbol's deep losses aren't made up for by another's shallow ones."""
    rows = pd.concat([make_rows(3000, 1000), make_rows(3000, 1000, seed=2, symbol="ETH-USDT")])
    rows = with_ratios(rows.reset_index(drop=True))
    hits = list(beyond(rows, "next_return", 0.05, apart=False))
    assert [len(each) for each in hits] == [2000, 2000]
    least = min(kupiec_p(each, 0.05) for each in hits)
    raw = rows.drop(columns=["next_return", "end_return"])
    block = risk_block(raw, raw["spread"].to_numpy())
    assert block["next_var_95_kupiec_p"] == pytest.approx(min(1.0, 2 * least))


def test_rows_without_any_before_them_have_plain_figures():
    """No val, and labels that outlast the test: nothing counts, nothing is NaN."""
    rows = make_rows(4, 0)
    block = risk_block(rows, rows["spread"].to_numpy())
    assert np.isfinite(list(block.values())).all()
    assert block["next_var_95_kupiec_p"] == 1.0

from typing import Any

import numpy as np
import pandas as pd
import pytest

from stages.common.task import TASKS
from stages.params import check_params
from tests.settings import shipped
from tools.settings import changed
from tools.track.betting import coverage_wealth
from tools.track.score import score

HOUR = pd.Timedelta(hours=1)
START = pd.Timestamp("2022-01-03", tz="UTC").as_unit("ms")
HORIZON = 5
PARAMS, CHANCE = (
    check_params(changed(shipped(), {"task": task, "label.horizon": HORIZON}))
    for task in ("volatility", "direction")
)


def recorded(n_hours: int, seed: int = 1, **changes: Any) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Forecasts of an amount that is 4 times as sure as its benchmark, and what came."""
    rng = np.random.default_rng(seed)
    known, noise = 0.4 * rng.standard_normal(n_hours), 0.1 * rng.standard_normal(n_hours)
    time = pd.Series(START + np.arange(n_hours) * HOUR)
    forecast = np.exp(-5 + known)
    entries = pd.DataFrame(
        {
            "as_of": time,
            "recorded_at": time + pd.Timedelta(minutes=2),
            "forecast": forecast,
            "lo": forecast * np.exp(-0.1645),
            "hi": forecast * np.exp(0.1645),
            "benchmark": np.exp(-5.0),
            "best": forecast * np.exp(0.05 * rng.standard_normal(n_hours)),
        }
    ).assign(**changes)
    labels = pd.DataFrame(
        {"close_time": time, "y": forecast * np.exp(noise), "label_end": time + HORIZON * HOUR}
    )
    return entries, labels


def test_figures_are_those_of_the_rows():
    """Skill, edge, coverage, hits and bias by hand; every forecast whose outcome is known counts."""
    entries, labels = recorded(600)
    found = score(entries, labels, PARAMS, START + 700 * HOUR)
    loss = {
        name: TASKS["volatility"].loss(labels["y"].to_numpy(), np.log(entries[name].to_numpy()))
        for name in ("forecast", "benchmark", "best")
    }
    assert (found.recorded, found.scored, found.open, found.late, found.lost) == (600, 600, 0, 0, 0)
    assert found.skill is not None
    assert found.edge is not None
    assert found.skill.pct == pytest.approx(100 * (1 - loss["forecast"].sum() / loss["benchmark"].sum()))
    assert found.edge.pct == pytest.approx(100 * (1 - loss["forecast"].sum() / loss["best"].sum()))
    assert found.skill.lo < found.skill.pct < found.skill.hi
    inside = labels["y"].between(entries["lo"], entries["hi"])
    assert found.coverage_pct == pytest.approx(100 * inside.mean())
    came, called = (values > np.exp(-5.0) for values in (labels["y"], entries["forecast"]))
    assert found.hit_rate == pytest.approx((called[came].mean() + (~called[~came]).mean()) / 2)
    assert found.bias_pct == pytest.approx(100 * (entries["forecast"].sum() / labels["y"].sum() - 1))


def test_late_forecasts_aren_t_scored():
    """Recorded after the next bar had closed: by then one could have looked."""
    entries, labels = recorded(100)
    entries.loc[10:19, "recorded_at"] += HOUR
    entries.loc[20:24, "recorded_at"] -= HOUR  # by a clock that is slow: nobody knows when it was
    found = score(entries, labels, PARAMS, START + 200 * HOUR)
    assert (found.late, found.scored) == (15, 85)
    assert not found.rows["as_of"].isin(entries["as_of"][10:25]).any()


def test_the_first_that_was_recorded_counts():
    """A second forecast of the same candle, by whichever model, changes nothing."""
    entries, labels = recorded(100)
    better = entries.assign(forecast=labels["y"])
    twice = pd.concat([entries, better]).sort_values("as_of", kind="stable")
    once, both = (score(table, labels, PARAMS, START + 200 * HOUR) for table in (entries, twice))
    assert both.skill == once.skill
    assert both.recorded == 100


def test_what_is_open_and_what_is_lost():
    """The newest have no outcome yet; amid the others, one that candles are missing for never will."""
    entries, labels = recorded(100)
    found = score(entries, labels.drop(index=[50, 51, *range(90, 100)]), PARAMS, START + 94 * HOUR)
    assert (found.open, found.lost, found.scored) == (10, 2, 88)


def test_nothing_scored_yet_is_no_error():
    """A record of an hour."""
    entries, labels = recorded(1)
    found = score(entries, labels[:0], PARAMS, START)
    assert (found.recorded, found.open, found.scored) == (1, 1, 0)
    assert found.skill is None


def test_bets_are_placed_on_what_isn_t_known_in_part():
    """One outcome in five counts, for the others overlap with it; in between wealth stays where it was."""
    entries, labels = recorded(200)
    found = score(entries, labels, PARAMS, START + 300 * HOUR)
    wealth = found.rows["coverage_wealth"].to_numpy()
    missed = ~labels["y"].between(entries["lo"], entries["hi"]).to_numpy()
    np.testing.assert_array_equal(wealth[::HORIZON], coverage_wealth(missed[::HORIZON], 0.1))
    np.testing.assert_array_equal(wealth, np.repeat(wealth[::HORIZON], HORIZON))


def test_an_empty_set_covers_nothing():
    """Nor does it end the scoring."""
    entries, labels = recorded(40, lo=None, hi=None)
    assert score(entries, labels, PARAMS, START + 100 * HOUR).coverage_pct == 0


def test_a_chance_is_scored_too():
    """Outcomes are 0 or 1; a set of both covers whatever comes."""
    n = 200
    rng = np.random.default_rng(1)
    entries, labels = recorded(n, lo=0.0, hi=1.0, benchmark=0.5, best=0.5)
    entries["forecast"] = np.where(rng.random(n) < 0.5, 0.7, 0.3)
    labels["y"] = (rng.random(n) < entries["forecast"]).astype(float)
    found = score(entries, labels, CHANCE, START + 300 * HOUR)
    assert found.coverage_pct == 100
    assert 0.6 < found.hit_rate < 0.8
    assert found.skill is not None
    assert found.skill.pct > 0


def test_a_constant_call_hits_half():
    """As in metrics.json: always to call what comes more often is worth no more than a coin."""
    entries, labels = recorded(200, lo=0.0, hi=1.0, benchmark=0.5, best=0.5, forecast=0.6)
    labels["y"] = (np.arange(200) % 5 > 0).astype(float)
    assert score(entries, labels, CHANCE, START + 300 * HOUR).hit_rate == 0.5


def test_few_outcomes_have_no_interval():
    """Those that overlap say nearly the same: ten that don't are the fewest."""
    for n_hours, told in ((9 * HORIZON, False), (10 * HORIZON, True)):
        entries, labels = recorded(n_hours)
        found = score(entries, labels, PARAMS, START + 300 * HOUR)
        assert (found.skill is not None) == (found.edge is not None) == told

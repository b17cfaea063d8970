"""What `python -m tools.check` says of memory."""

import tracemalloc
from collections.abc import Callable
from typing import Any

import pandas as pd
import pytest

from stages.featurize.groups import make_features
from stages.fetch.simulated.candles import fetch_candles
from stages.params import Params, check_params
from tests.settings import shipped
from tools.memory import FETCH, TABLES, estimate, n_bars

BAR = pd.Timedelta(hours=1)


def params(changes: dict[str, dict[str, Any]] | None = None) -> Params:
    """The settings of params.yaml, with changes of sections."""
    values = shipped()
    for section, changed in (changes or {}).items():
        values[section] |= changed
    return check_params(values)


def peak_bytes(work: Callable[[], object]) -> float:
    """The most that the work holds at a time, beside what was there before."""
    tracemalloc.start()
    try:
        work()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_the_estimate_is_about_what_a_stage_holds():
    """Within a factor of two, of three years of hours, without what a process has to begin with."""
    settings = params()
    [candles] = fetch_candles(settings.fetch).values()
    fetched = peak_bytes(lambda: fetch_candles(settings.fetch))
    featurized = peak_bytes(
        lambda: make_features(candles, None, bar=BAR, bridge_bars=3, params=settings.featurize)
    )

    need = estimate(settings, cores=1)

    assert fetched / 2 < need["fetch"] - FETCH < 2 * fetched
    assert featurized / 2 < need["featurize"] - TABLES < 2 * featurized


@pytest.mark.parametrize(
    ("changes", "grows"),
    [
        (
            {"fetch": {"start": "2015-01-01"}},
            {"fetch", "featurize", "label", "baseline", "train", "evaluate"},
        ),
        (
            {"fetch": {"symbols": ["A/B", "C/D"]}},
            {"fetch", "featurize", "label", "baseline", "train", "evaluate"},
        ),
        ({"featurize": {"windows": [1, 4, 24, 168, 719, 720]}}, {"featurize", "train"}),
        ({"baseline": {"refit_bars": 24}}, set()),
        ({"train": {"units": 2048}}, {"train"}),
        ({"train": {"window": 60}}, {"train"}),
        ({"train": {"seeds": [1, 2]}}, {"train"}),
        ({"evaluate": {"bootstrap": 100_000}}, {"evaluate"}),
        ({"train": {"epochs": 100}}, set()),
    ],
)
def test_what_takes_memory_raises_the_estimate(changes, grows):
    """Each setting that memory rests on, in the stages that it counts in, and in no other."""
    before, after = (estimate(params(changed), cores=32) for changed in (None, changes))

    assert {stage for stage in before if after[stage] > before[stage]} == grows
    assert all(after[stage] >= before[stage] for stage in before)


def test_more_cores_take_more_memory():
    """A process each, as far as there is work for them."""
    need = {cores: estimate(params(), cores) for cores in (1, 2, 5, 64)}

    assert need[1]["train"] < need[2]["train"] < need[5]["train"] == need[64]["train"]
    assert need[1]["featurize"] == need[64]["featurize"]  # of a single symbol


def test_candles_of_an_exchange_are_not_simulated():
    """Of them there are the window's bars, and no minutes."""
    simulated, exchange = (params({"fetch": {"source": source}}) for source in ("simulated", "exchange"))

    assert n_bars(exchange.fetch) == 26_304
    assert estimate(exchange, 2)["fetch"] < estimate(simulated, 2)["fetch"]

"""A forecast is what was scored: the strongest test of lookahead that there is."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from stages.common.calendar import releases_of
from stages.common.errors import InputError
from stages.common.tables import Tables, read_table, read_tables
from stages.common.task import TASKS
from stages.evaluate.question import question_of
from stages.evaluate.risk import tail_of
from stages.params import load_params
from tools.forecast.answer import answer
from tools.forecast.model import FOLDER, Model, read_model
from tools.forecast.replay import Difference, replay, with_sets

# Keras 3.15 converts TensorFlow's variables in a way that NumPy 2 means to refuse one day.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy keyword")

HOUR = pd.Timedelta(hours=1)
SYMBOLS = ["BTC-USDT", "ETH-USDT"]


def model_and_candles() -> tuple[Model, Tables]:
    """What the pipeline left in the folder that the test runs in."""
    return read_model(FOLDER), read_tables("data/candles")


def until(candles: Tables, close_time: pd.Timestamp) -> Tables:
    """The candles that had closed by then."""
    return {name: table[table["open_time"] + HOUR <= close_time] for name, table in candles.items()}


@pytest.mark.parametrize("task", TASKS)
def test_test_rows_are_forecast_as_they_were_scored(market, task):
    """From the candles of their time alone, in both folds, both symbols, on both sides of gaps."""
    market(task)
    model, candles = model_and_candles()
    found = replay(model, candles, releases_of(model.params.featurize.events), 24)
    predictions = read_table("data/predictions.parquet")
    baselines = pd.concat(
        [table.assign(symbol=name) for name, table in read_tables("data/baselines").items()]
    )
    offset = predictions.merge(baselines, on=["symbol", "close_time"])[TASKS[task].offset]
    moved = np.abs(predictions["score"] - TASKS[task].link(offset.to_numpy()))

    assert moved.min() > 0  # the networks have a part in each
    assert found.n_rows == 24
    assert max(found.forecast, found.interval, found.tail) < 1e-6


def test_a_network_changed_by_a_little_is_found(market):
    """A replay that could not fail would prove nothing."""
    market("volatility")
    model, candles = model_and_candles()
    fold = model.shipped["1"]
    spec = fold.spec | {"mean": [value + 0.01 for value in fold.spec["mean"]]}
    changed = model._replace(shipped=model.shipped | {"1": fold._replace(spec=spec)})
    found = replay(changed, candles, releases_of("us_releases"), 24)
    assert found.forecast > 1e-6


@pytest.mark.parametrize("task", TASKS)
def test_the_newest_forecast_is_of_the_newest_candle(market, task):
    """One of each symbol, at the last close, within the ends of a set that holds nine of ten."""
    market(task)
    model, candles = model_and_candles()
    found = answer(model, candles, releases_of("us_releases"))

    assert list(found) == SYMBOLS
    for symbol, each in found.items():
        assert each.as_of == candles[symbol]["open_time"].iloc[-1] + HOUR
        assert each.close == candles[symbol]["close"].iloc[-1]
        assert 0 <= each.beyond <= 1
        assert each.spread > 0
        if not TASKS[task].classes:
            assert each.lo < each.forecast < each.hi
        for tails in each.tails.values():
            assert tails["99"].value_at_risk <= tails["95"].value_at_risk < 0
            assert tails["95"].shortfall <= tails["95"].value_at_risk


def test_what_has_come_since_the_test_counts(market):
    """Candles after the model's last row move the ends and the tails: their outcomes are known by now."""
    market("volatility")
    model, candles = model_and_candles()
    releases = releases_of("us_releases")
    cut = candles["BTC-USDT"]["open_time"].iloc[-1] + HOUR
    question = question_of("volatility")

    found = answer(model, candles, releases)["BTC-USDT"]
    evidence = with_sets(model)
    mine = evidence[(evidence["fold"] == "2") & (evidence["symbol"] == "BTC-USDT")]
    by_hand = tail_of(sorted(mine["next_return"].astype(float)), 0.05)

    # The rows since are fewer than the horizon, and none has ended: the tail is the test's own.
    assert found.tails["next"]["95"].value_at_risk == pytest.approx(by_hand.value_at_risk * found.spread)
    assert found.as_of == cut
    misfit = question.nonconformity(mine)
    ranked = np.sort(misfit[(mine["close_time"] > cut - pd.Timedelta(days=90)).to_numpy()])
    for end in (found.lo, found.hi):
        assert np.abs(np.log(end / found.forecast) - ranked).min() < 1e-9


def test_a_gap_in_the_needed_window_is_refused(market):
    """The row after a gap that is too long has no features; it says which candles must be there."""
    market("volatility")
    model, candles = model_and_candles()
    after_gap = candles["ETH-USDT"]["open_time"].iloc[1205] + HOUR
    with pytest.raises(InputError, match=r"candles of ETH-USDT up to .* must have no gap in the last 200"):
        answer(model, until(candles, after_gap), releases_of("us_releases"))


def test_other_features_are_refused(market):
    """A model made with other groups than those of the settings."""
    market("volatility")
    model, candles = model_and_candles()
    featurize = model.params.featurize.model_copy(update={"groups": ["returns"]})
    other = model._replace(params=model.params.model_copy(update={"featurize": featurize}))
    with pytest.raises(InputError, match="models: the features must be those of featurize"):
        answer(other, candles, releases_of("us_releases"))


def test_nothing_of_the_pipeline_is_touched(market):
    """Neither data/ nor models/ nor results/: a forecast only reads."""
    folder = market("direction")
    before = {path: path.read_bytes() for path in sorted(Path(folder).rglob("*")) if path.is_file()}
    model, candles = model_and_candles()
    answer(model, candles, releases_of("us_releases"))
    after = {path: path.read_bytes() for path in sorted(Path(folder).rglob("*")) if path.is_file()}
    assert after == before
    assert load_params().task == "direction"


def test_replay_takes_all_rows_where_there_are_fewer(market):
    """Asked for more test rows than there are it forecasts each once; here two are left."""
    market("direction")
    model, candles = model_and_candles()
    test = model.evidence[model.evidence["role"] == "test"]
    drop = test.index[2:]
    few = model._replace(evidence=model.evidence.drop(index=drop))
    found = replay(few, candles, releases_of("us_releases"), 99)
    assert isinstance(found, Difference)
    assert found.n_rows == 2

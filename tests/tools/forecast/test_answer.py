"""A forecast is what was scored: the strongest test of lookahead that there is."""

import numpy as np
import pandas as pd
import pytest

from stages.common.calendar import releases_of
from stages.common.errors import InputError
from stages.common.tables import Tables, read_table, read_tables
from stages.common.task import TASKS
from stages.evaluate.conformal import bounds_of
from stages.evaluate.question import question_of
from stages.evaluate.risk import tail_of
from stages.label.rows import label_candles
from stages.params import load_params
from tests.tools.forecast.conftest import N_BARS, put_candles
from tools.forecast.answer import answer
from tools.forecast.model import FOLDER, Model, read_model
from tools.forecast.newest import newest_candles
from tools.forecast.replay import relative, replay, with_sets

# Keras 3.15 converts TensorFlow's variables in a way that NumPy 2 means to refuse one day.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy keyword")

HOUR = pd.Timedelta(hours=1)
SYMBOLS = ["BTC-USDT", "ETH-USDT"]


def model_and_candles() -> tuple[Model, Tables]:
    """What the pipeline left in the folder that the test runs in."""
    return read_model(FOLDER), read_tables("data/candles")


def newer_candles(n_bars: int) -> Tables:
    """Candles that go on for so many bars behind those that the model was made of."""
    put_candles(N_BARS + n_bars)
    params = load_params().fetch
    end = params.end_time + n_bars * HOUR
    return newest_candles(params, end + pd.Timedelta(minutes=2)).candles


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
    assert max(found.forecast, found.interval, found.spread) < 1e-6


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
        assert bool(each.tails) == question_of(task).tails
        for tails in each.tails.values():
            assert tails["99"].value_at_risk <= tails["95"].value_at_risk < 0
            assert tails["95"].shortfall <= tails["95"].value_at_risk


def test_what_has_come_since_the_test_counts(market):
    """The ends and the tails rest on the model's evidence, and on the rows since whose label has ended.

    Made by hand from what each newer hour was forecast at its time, and from what came of it.
    """
    market("volatility")
    model, candles = read_model(FOLDER), newer_candles(12)
    releases, params, question = releases_of("us_releases"), load_params(), question_of("volatility")
    bar, horizon = HOUR, params.label.horizon
    evidence = with_sets(model)
    before = evidence[(evidence["fold"] == "2") & (evidence["symbol"] == "BTC-USDT")]
    opens = candles["BTC-USDT"]["open_time"]
    times = [time + bar for time in opens if time + bar > before["close_time"].max()]
    told = [answer(model, until(candles, time), releases)["BTC-USDT"] for time in times]
    labels, _ = label_candles(candles["BTC-USDT"], "volatility", bar, params.label, params.split)
    since = pd.DataFrame({"close_time": times, "forecast": [each.forecast for each in told]})
    since["close_time"] = since["close_time"].astype("datetime64[ms, UTC]")
    since = since.merge(labels, on="close_time", how="left").assign(
        score=np.log([each.forecast for each in told]),
        next_return=lambda rows: rows["return_next"] / [each.spread for each in told],
    )
    history = pd.concat([before, since], ignore_index=True)
    ranked = sorted(history.loc[history["label_end"] <= times[-1], "next_return"].astype(float))
    lo, hi = bounds_of(history, question.nonconformity(history), question, horizon * bar)

    assert since["y"].notna().sum() == len(since) - horizon == 12
    assert told[-1].tails["next"]["95"].value_at_risk == pytest.approx(
        tail_of(ranked, 0.05).value_at_risk * told[-1].spread
    )
    assert told[-1].lo == pytest.approx(told[-1].forecast * np.exp(lo[-1]))
    assert told[-1].hi == pytest.approx(told[-1].forecast * np.exp(hi[-1]))


def test_a_gap_in_the_needed_window_is_refused(market):
    """The row after a gap that is too long has no features; it says which candles must be there."""
    market("volatility")
    model, candles = model_and_candles()
    after_gap = candles["ETH-USDT"]["open_time"].iloc[1205] + HOUR
    with pytest.raises(InputError, match=r"ETH-USDT up to .* in the last 200 bars .* no gap of more than"):
        answer(model, until(candles, after_gap), releases_of("us_releases"))


def test_other_features_are_refused(market):
    """A model made with other groups than those of the settings."""
    market("volatility")
    model, candles = model_and_candles()
    featurize = model.params.featurize.model_copy(update={"groups": ["returns"]})
    other = model._replace(params=model.params.model_copy(update={"featurize": featurize}))
    with pytest.raises(InputError, match="models: the features must be those of featurize"):
        answer(other, candles, releases_of("us_releases"))


def test_replay_takes_all_rows_where_there_are_fewer(market):
    """Asked for more test rows than there are it forecasts each once; here two are left."""
    market("direction")
    model, candles = model_and_candles()
    test = model.evidence[model.evidence["role"] == "test"]
    drop = test.index[2:]
    few = model._replace(evidence=model.evidence.drop(index=drop))
    found = replay(few, candles, releases_of("us_releases"), 99)
    assert found.n_rows == 2


@pytest.mark.parametrize(
    ("found", "expected"), [(np.nan, 1.0), (1.0, np.nan), (np.inf, 1.0), (np.nan, 0.0)]
)
def test_what_is_missing_on_one_side_differs(found, expected):
    """An empty set where there was one, or none where it was empty, is no forecast that was scored."""
    assert relative(found, expected) == np.inf
    assert relative(np.nan, np.nan) == relative(0.0, 0.0) == 0

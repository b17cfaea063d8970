"""What a person or a program is told of an answer: units, sizes, risk, and how good the model was."""

from typing import Literal, NamedTuple

import numpy as np
import pandas as pd

from stages.common.errors import InputError
from stages.common.tables import file_name
from stages.common.task import TASKS
from stages.evaluate.params import EvaluateParams
from stages.evaluate.question import question_of
from stages.evaluate.subject import market_of, settings_of
from stages.evaluate.trading import YEAR
from tools.forecast.answer import Answer
from tools.forecast.model import Model, Part, Promise
from tools.forecast.newest import Newest

SCHEMA = 1


class Wanted(NamedTuple):
    """What a position is to be: of which money, at which risk, with a stop of how many ATR."""

    capital: float
    risk_pct: float
    stop_atr: float


class Loss(Part):
    """What a unit held long may lose."""

    over: Literal["next bar", "horizon"]
    """Until when."""
    level_pct: float
    """Percent of cases that lose less."""
    value_at_risk_pct: float
    """The loss that the others exceed, in percent of price."""
    expected_shortfall_pct: float
    """The mean of what these lose, in percent of price."""


class Size(Part):
    """How large a position is to be, worked out in two ways; below 0 is short."""

    target_volatility_pct: float
    """evaluate.target_volatility_pct: the spread of returns a year, in percent, that `position` aims at."""
    position: float
    """Share of wealth for that, at most evaluate.max_position."""
    stop_atr: float
    """Distance of the stop in forecast ATR, as asked."""
    stop_distance: float
    """The same in quote currency."""
    stop_long: float
    """Price of the stop of a long position."""
    stop_short: float
    """Price of the stop of a short one."""
    capital: float
    """Money, in quote currency, as asked."""
    risk_pct: float
    """Percent of it that the stop may lose, as asked."""
    units: float
    """Units of the base currency for that; neither capital nor max_position is a limit."""


class Told(Part):
    """A symbol's forecast."""

    symbol: str
    """As in fetch.symbols."""
    kind: Literal["amount", "chance"]
    """Whether y is a share of price, or 0 or 1 with a probability."""
    what: str
    """The forecast in words."""
    as_of: str
    """Close of the candle that it is from, ISO, UTC, as all times."""
    valid_until: str
    """Close of the next one, which brings another forecast."""
    outcome_at: str
    """Close of the candle by which the outcome is known."""
    stale: bool
    """Whether a newer candle has closed, which isn't there."""
    close: float
    """Price at as_of, in quote currency."""
    forecast: float
    """The forecast of y by the model."""
    lo: float | None
    """Least y in the set that holds nine of ten outcomes; null if it is empty."""
    hi: float | None
    """Greatest y in it."""
    outcomes: list[str] | None
    """Of a chance: names of the outcomes in the set."""
    in_price: list[float | None] | None
    """Of an amount: forecast, lo and hi in quote currency."""
    benchmark: float
    """The benchmark's forecast of y."""
    best_baseline: str
    """The baseline that lost least in the newest fold's test."""
    best: float
    """Its forecast of y."""
    spread_next_bar_pct: float
    """Spread of the next bar's return, in percent: the forecast times return_per_atr."""
    spread_horizon_pct: float
    """The same to the horizon: times the root of its bars."""
    spread_year_pct: float
    """The same of a year."""
    losses: list[Loss]
    """Value at risk; none of a question that doesn't tell it."""
    size: Size | None
    """How large a position is to be; null of a chance without a signal."""
    features_beyond_train_pct: float
    """Percent of features that are less, or greater, than any that the model was trained on."""
    candles_sha256: str
    """Of the candles, as receipt.json has it."""


class Report(Part):
    """All that is told at once."""

    schema_version: int
    """Changes with the meaning of a field."""
    task: str
    """The question: `task` of params.yaml."""
    market: str
    """Where the candles are from, in words: a simulated market is said to be one."""
    timeframe: str
    """Of the candles."""
    horizon_bars: int
    """Bars ahead."""
    model_commit: str | None
    """The commit whose dvc.lock has the model; null if none has."""
    model_sha256: str
    """Of the model's files."""
    promise: Promise
    """How good it was."""
    symbols: list[Told]
    """A forecast a symbol, in the order of their files."""


def report(model: Model, newest: Newest, answers: dict[str, Answer], wanted: Wanted) -> Report:
    """All that is told of these answers."""
    names = {file_name(name): name for name in model.params.fetch.symbols}
    return Report(
        schema_version=SCHEMA,
        task=model.params.task,
        market=market_of(settings_of(model.params.model_dump())),
        timeframe=model.params.fetch.timeframe,
        horizon_bars=model.params.label.horizon,
        model_commit=model.commit,
        model_sha256=model.version,
        promise=model.promise,
        symbols=[told(model, newest, answers[name], names[name], wanted) for name in answers],
    )


def told(model: Model, newest: Newest, answer: Answer, symbol: str, wanted: Wanted) -> Told:
    """What is told of a symbol."""
    params, bar = model.params, model.params.fetch.bar
    chance, words = TASKS[params.task].classes, question_of(params.task).words
    ends = [answer.forecast, answer.lo, answer.hi]
    return Told(
        symbol=symbol,
        kind="chance" if chance else "amount",
        what=f"{words.unit if chance else params.task} in {params.label.horizon} bars",
        as_of=answer.as_of.isoformat(),
        valid_until=(answer.as_of + bar).isoformat(),
        outcome_at=(answer.as_of + params.label.horizon * bar).isoformat(),
        stale=newest.stale,
        close=answer.close,
        forecast=answer.forecast,
        lo=finite(answer.lo),
        hi=finite(answer.hi),
        outcomes=outcomes(params.task, answer.lo, answer.hi) if chance else None,
        in_price=None if chance else [finite(answer.close * end) for end in ends],
        benchmark=answer.benchmark,
        best_baseline=model.facts.best_baseline,
        best=answer.best,
        spread_next_bar_pct=100 * answer.spread,
        spread_horizon_pct=float(100 * answer.spread * np.sqrt(params.label.horizon)),
        spread_year_pct=float(100 * answer.spread * np.sqrt(YEAR / bar)),
        losses=losses(answer),
        # Which way is no reason for a position where nothing was known of it.
        size=sized(answer, wanted, params.evaluate) if not chance or model.promise.signal == 1 else None,
        features_beyond_train_pct=100 * answer.beyond,
        candles_sha256=newest.sha256[file_name(symbol)],
    )


def outcomes(task: str, least: float, greatest: float) -> list[str]:
    """Names of the outcomes, 0 and 1, from the least to the greatest in a set."""
    both = pd.DataFrame({"y": [0.0, 1.0], "raw_score": 0.0, "score": 0.0, "delta": 0.0})
    names = question_of(task).calls(both)["actual"]
    return [str(name) for y, name in zip(both["y"], names, strict=True) if least <= y <= greatest]


def finite(value: float) -> float | None:
    """A number as JSON has it."""
    return value if np.isfinite(value) else None


def losses(answer: Answer) -> list[Loss]:
    """Value at risk and expected shortfall of a long position, of the next bar and of the horizon."""
    words: dict[str, Literal["next bar", "horizon"]] = {"next": "next bar", "end": "horizon"}
    return [
        Loss(
            over=words[kind],
            level_pct=float(level),
            value_at_risk_pct=-100 * tail.value_at_risk,
            expected_shortfall_pct=-100 * tail.shortfall,
        )
        for kind, tails in answer.tails.items()
        for level, tail in tails.items()
    ]


def sized(answer: Answer, wanted: Wanted, params: EvaluateParams) -> Size:
    """How large a position is to be, and where its stop is. Raises InputError of a stop below nothing."""
    distance = wanted.stop_atr * answer.atr_ahead * answer.close
    if distance >= answer.close:
        raise InputError(
            f"--stop must leave a long stop above 0, so less than {1 / answer.atr_ahead:,.0f} now; "
            f"received {wanted.stop_atr:g}."
        )
    return Size(
        target_volatility_pct=params.target_volatility_pct,
        position=answer.position,
        stop_atr=wanted.stop_atr,
        stop_distance=distance,
        stop_long=answer.close - distance,
        stop_short=answer.close + distance,
        capital=wanted.capital,
        risk_pct=wanted.risk_pct,
        units=float(np.sign(answer.position)) * wanted.capital * wanted.risk_pct / 100 / distance,
    )

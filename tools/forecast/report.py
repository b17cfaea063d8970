"""What a person or a program is told of an answer: units, sizes, risk, and how good the model was."""

from typing import Literal, NamedTuple

import numpy as np
import pandas as pd
from pydantic import BaseModel, ConfigDict

from stages.common.bars import bar_length
from stages.common.tables import file_name
from stages.common.task import TASKS
from stages.evaluate.params import EvaluateParams
from stages.evaluate.question import question_of
from stages.evaluate.trading import YEAR
from tools.forecast.answer import Answer
from tools.forecast.model import Model
from tools.forecast.newest import Newest

SCHEMA = 1


class Wanted(NamedTuple):
    """What a position is to be: of which money, at which risk, with a stop of how many ATR."""

    capital: float
    risk_pct: float
    stop_atr: float


class Part(BaseModel):
    """A part of what is told; no field is left out, none comes unasked."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Loss(Part):
    """What may be lost, in percent of price: value at risk, and expected shortfall, the mean beyond it."""

    over: Literal["next bar", "horizon"]
    level_pct: float
    value_at_risk_pct: float
    expected_shortfall_pct: float


class Size(Part):
    """Positions, in units of wealth or of the base currency; below 0 is short.

    position: share of wealth at which returns are spread as `target_volatility_pct` a year says.
    stop_distance, stop_long, stop_short: in quote currency, stop_atr forecast ATR from the close. units: of
    the base currency, at which the stop loses risk_pct of capital.
    """

    target_volatility_pct: float
    position: float
    stop_atr: float
    stop_distance: float
    stop_long: float
    stop_short: float
    capital: float
    risk_pct: float
    units: float


class Told(Part):
    """A symbol's forecast at `as_of`, good until `valid_until`, of what is known at `outcome_at`.

    kind: amount, a share of price; or chance, a probability. what: the forecast in words. lo, hi: ends of
    the interval that holds nine of ten outcomes; of a chance, least and greatest outcome in the set; null
    if it is empty. outcomes: names of those in a chance's set. in_price: forecast, lo and hi in quote
    currency. spread_*_pct: of returns over the next bar, the horizon and a year, as the forecast has it by
    `return_per_atr`.
    """

    symbol: str
    kind: Literal["amount", "chance"]
    what: str
    as_of: str
    valid_until: str
    outcome_at: str
    stale: bool
    close: float
    forecast: float
    lo: float | None
    hi: float | None
    outcomes: list[str] | None
    in_price: list[float | None] | None
    benchmark: float
    best_baseline: str
    best: float
    spread_next_bar_pct: float
    spread_horizon_pct: float
    spread_year_pct: float
    losses: list[Loss]
    size: Size | None
    features_beyond_train_pct: float
    candles_sha256: str


class Promise(Part):
    """How good the model was on its test rows."""

    verdict: str
    signal: int
    edge: int
    skill_pct: float
    skill_lo: float
    skill_hi: float
    edge_pct: float
    edge_lo: float
    edge_hi: float
    coverage_90_pct: float
    bias_pct: float
    test_rows: int
    test_first: str
    test_last: str


class Report(Part):
    """All that is told at once; `schema_version` changes with the meaning of a field."""

    schema_version: int
    task: str
    timeframe: str
    horizon_bars: int
    model_commit: str | None
    model_sha256: str
    promise: Promise
    symbols: list[Told]


def report(
    model: Model, newest: Newest, answers: dict[str, Answer], wanted: Wanted, commit: str | None
) -> Report:
    """All that is told of these answers. `commit`: that of the model, if it is known."""
    names = {file_name(name): name for name in model.params.fetch.symbols}
    return Report(
        schema_version=SCHEMA,
        task=model.params.task,
        timeframe=model.params.fetch.timeframe,
        horizon_bars=model.params.label.horizon,
        model_commit=commit,
        model_sha256=model.version,
        promise=promise(model),
        symbols=[told(model, newest, each, names[symbol], wanted) for symbol, each in answers.items()],
    )


def promise(model: Model) -> Promise:
    """What the test said."""
    facts = model.facts
    own = {name: model.test[name] for name in Promise.model_fields if name in model.test}
    rest = {name: facts[name] for name in ("bias_pct", "test_rows", "test_first", "test_last")}
    return Promise(verdict=model.verdict, **own, **rest)


def told(model: Model, newest: Newest, answer: Answer, symbol: str, wanted: Wanted) -> Told:
    """What is told of a symbol."""
    params, bar = model.params, bar_length(model.params.fetch.timeframe)
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
        best_baseline=model.facts["best_baseline"],
        best=answer.best,
        spread_next_bar_pct=100 * answer.spread,
        spread_horizon_pct=float(100 * answer.spread * np.sqrt(params.label.horizon)),
        spread_year_pct=float(100 * answer.spread * np.sqrt(YEAR / bar)),
        losses=losses(answer) if "next_var_95_kupiec_p" in model.facts["metrics"][params.task] else [],
        # Which way is no reason for a position where nothing was known of it.
        size=sized(answer, wanted, params.evaluate) if not chance or model.test["signal"] == 1 else None,
        features_beyond_train_pct=100 * answer.beyond,
        candles_sha256=newest.sha256[answer.symbol],
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
    """How large a position is to be, and where its stop is."""
    distance = wanted.stop_atr * answer.atr_ahead * answer.close
    return Size(
        target_volatility_pct=params.target_volatility_pct,
        position=answer.position,
        stop_atr=wanted.stop_atr,
        stop_distance=distance,
        stop_long=answer.close - distance,
        stop_short=answer.close + distance,
        capital=wanted.capital,
        risk_pct=wanted.risk_pct,
        units=wanted.capital * wanted.risk_pct / 100 / distance,
    )

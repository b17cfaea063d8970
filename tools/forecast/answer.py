"""The forecast of a symbol, from candles and a model: the pipeline's own functions, and what they say."""

from collections.abc import Collection, Mapping
from contextlib import nullcontext
from typing import NamedTuple

import numpy as np
import pandas as pd
from joblib import parallel_config

from stages.baseline.stage import every_candle
from stages.common.errors import InputError
from stages.common.parallel import parallel_map
from stages.common.tables import Tables
from stages.common.task import TASKS
from stages.evaluate.conformal import bounds_of
from stages.evaluate.question import question_of
from stages.evaluate.risk import RETURNS, TAILS, Tail, ratios, tail_of
from stages.evaluate.rows import AIDS
from stages.evaluate.trading import size
from stages.featurize.stage import featurize
from stages.label.stage import newest_labels
from stages.params import Params
from stages.train.stage import LIVE, forecast, make_inputs
from tools.forecast.model import Model, forecasters_of


class Answer(NamedTuple):
    """What a model says of a symbol at `as_of`, the close of a candle; y is as label makes it.

    forecast, benchmark, best: of y, by the model, the benchmark and the best baseline. lo, hi: least and
    greatest y in the set that holds nine of ten outcomes; NaN if empty. beyond: share of features outside
    what train had. close: of the candle. spread: forecast, of the next bar's return. atr_ahead: ATR over
    close, as goes with it. position: share of wealth, below 0 if short, at which returns are spread as
    evaluate.target_volatility_pct says. tails: of the return of the next bar and of that to the horizon, by
    "next" or "end" and level in percent; shares of price, below 0; none of a question without tails.
    """

    as_of: pd.Timestamp
    forecast: float
    lo: float
    hi: float
    benchmark: float
    best: float
    beyond: float
    close: float
    spread: float
    atr_ahead: float
    position: float
    tails: Mapping[str, Mapping[str, Tail]]


def answer(
    model: Model,
    candles: Tables,
    releases: pd.DataFrame | None,
    fold: str = LIVE,
    symbols: Collection[str] | None = None,
) -> dict[str, Answer]:
    """The forecast of a fold's networks at the newest candle of each symbol, or of these `symbols`.

    `candles`: of all symbols, since fetch.start. `releases`: as `releases_of` has them. Sets rest on what
    the model's evidence has of that fold, of `live` that of the newest one, and on what has come since.
    Raises InputError where the newest candle is no row: too near a gap, or flat.
    """
    params, bar = model.params, model.params.fetch.bar
    end = max(table["open_time"].iloc[-1] for table in candles.values()) + bar
    evidence = model.evidence[model.evidence["fold"] == (model.newest_fold if fold == LIVE else fold)]
    evidence = evidence[evidence["close_time"] < end]
    newest = evidence.groupby("symbol")["close_time"].max()
    # What has come since the evidence counts; since a test row that is replayed nothing has.
    since = newest.min() + bar if fold == LIVE and len(newest) else end
    # Of one symbol, processes would cost more than they save.
    with parallel_config("sequential") if len(candles) == 1 else nullcontext():
        tables = parallel_map(featurize, list(candles.values()), "featurize", shared=[releases, params])
        features = dict(zip(candles, tables, strict=True))
        labels = newest_labels(candles, params)
        known = {symbol: table[table["label_end"].notna()] for symbol, table in labels.items()}
        forecasts = every_candle(candles, known, releases, params, skip=unneeded(model))
    scores = forecast(model.shipped[fold], make_inputs(features, labels, forecasts, params), since)
    answers = {}
    for symbol in symbols or candles:
        before, of_symbol = (table[table["symbol"] == symbol] for table in (evidence, scores))
        rows = labels[symbol].merge(forecasts[symbol], on="close_time", validate="1:1")
        rows = rows.merge(of_symbol.drop(columns="symbol"), on="close_time")
        rows = rows[~rows["close_time"].isin(before["close_time"])].reset_index(drop=True)
        check_newest(rows, symbol, end, params)
        rows["forecast"] = TASKS[params.task].inverse(rows["score"].to_numpy(np.float64))
        close = float(candles[symbol]["close"].iloc[-1])
        answers[symbol] = at_the_last(model, before, rows, close)
    return answers


def unneeded(model: Model) -> set[str]:
    """The baselines that no answer needs."""
    params = model.params
    needed = {"benchmark", model.facts.best_baseline, TASKS[params.task].offset, *AIDS}
    return forecasters_of(params) - needed


def check_newest(rows: pd.DataFrame, symbol: str, end: pd.Timestamp, params: Params) -> None:
    """Raise InputError unless the newest candle is one that can be forecast from."""
    if rows.empty or rows["close_time"].iloc[-1] != end:
        raise InputError(
            f"candles of {symbol} up to {end:%Y-%m-%d %H:%M} UTC must have prices that move, enough of "
            f"them for the baselines' first fit, and in the last {params.split.warmup_bars} bars "
            f"(split.warmup_bars) no gap of more than {params.split.bridge_bars} (split.bridge_bars); "
            "received some that don't."
        )


def at_the_last(model: Model, before: pd.DataFrame, rows: pd.DataFrame, close: float) -> Answer:
    """The answer at the last of a symbol's `rows`, all newer than `before`, the evidence of it."""
    params, question = model.params, question_of(model.params.task)
    task, bar, last = TASKS[params.task], params.fetch.bar, rows.iloc[-1]
    rows = rows.assign(delta=rows["score"] - task.link(rows["benchmark"].to_numpy(np.float64)))
    spread = question.spread(rows, params.label.horizon)
    rows = rows.join(ratios(rows, spread))
    before = before.assign(forecast=task.inverse(before["score"].to_numpy(np.float64)))
    columns = ["close_time", "label_end", "y", "score", "forecast", *RETURNS.values()]
    history = pd.concat([before[columns], rows[columns]], ignore_index=True)
    misfit = question.nonconformity(history)
    lo, hi = bounds_of(history, misfit, question, params.label.horizon * bar)
    ends = question.outcomes(history["forecast"].to_numpy(np.float64), lo, hi)
    outcomes = [float(end[-1]) for end in ends]
    ended = history[history["label_end"] <= last["close_time"]]
    past = {kind: sorted(ended[name]) for kind, name in RETURNS.items()} if question.tails else {}
    tails = {
        kind: {level: in_prices(tail_of(ranked, share), spread[-1]) for level, share in TAILS.items()}
        for kind, ranked in past.items()
    }
    side = float(question.side(rows.iloc[[-1]])[0])
    return Answer(
        as_of=last["close_time"],
        forecast=float(last["forecast"]),
        lo=outcomes[0],
        hi=outcomes[1],
        benchmark=float(last["benchmark"]),
        best=float(last[model.facts.best_baseline]),
        beyond=float(last["beyond"]),
        close=close,
        spread=float(spread[-1]),
        atr_ahead=float(spread[-1] / last["return_per_atr"]),
        position=side * float(size(spread[-1:], bar, params.evaluate)[0]),
        tails=tails,
    )


def in_prices(tail: Tail, spread: float) -> Tail:
    """A tail in spreads as shares of price."""
    return Tail(*(spread * value for value in tail))

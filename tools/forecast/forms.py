"""The forms of a report: a table for people, a line for a status bar, text for Prometheus."""

from collections.abc import Iterator

import pandas as pd

from stages.evaluate.verdict import in_words
from tools.forecast.model import Promise
from tools.forecast.report import Loss, Report, Size, Told

LABEL = 32  # columns of a table's left side


def table(report: Report) -> str:
    """The report for a person, 80 columns at most: how good the model was, then a block a symbol."""
    lines = [*head(report), *(line for told in report.symbols for line in ["", *block(report, told)])]
    return "\n".join([*lines, "", *foot(report)])


def head(report: Report) -> Iterator[str]:
    """The verdict first of all, in full."""
    test = report.promise
    first, _, then = verdict(test).partition(", ")
    yield f"{first.upper()}{', ' if then else ''}{then}. In its test the model saved"
    yield f"  {test.skill_pct:.1f} % [{test.skill_lo:.1f}, {test.skill_hi:.1f}] of the benchmark's loss,"
    yield f"  {test.edge_pct:.1f} % [{test.edge_lo:.1f}, {test.edge_hi:.1f}] of the best baseline's."


def verdict(test: Promise) -> str:
    """Both verdicts of the test."""
    return in_words(signal=test.signal, edge=test.edge, too_short=test.too_short)


def block(report: Report, told: Told) -> Iterator[str]:
    """What is told of a symbol."""
    when = f"{moment(told.as_of)} UTC{', STALE' if told.stale else ''}"
    yield f"{told.symbol} ({report.market}), {price(told.close)} at {when}"
    yield row("valid until", f"{moment(told.valid_until)} UTC")
    if told.kind == "amount":
        yield from amounts(told)
    else:
        yield row(told.what, f"{100 * told.forecast:.1f} %")
        yield row("outcomes in the 90 % set", ", ".join(told.outcomes or ["none"]))
        yield row("benchmark", f"{100 * told.benchmark:.1f} %")
        yield row(f"best baseline, {told.best_baseline}", f"{100 * told.best:.1f} %")
    yield from (line for loss in told.losses for line in risk(report, loss))
    if told.size is None:
        yield row("size of a position", "none: no signal, no position")
    else:
        yield from sizes(told, told.size)
    if told.features_beyond_train_pct > 0:
        yield row("features beyond train's range", f"{told.features_beyond_train_pct:.0f} %")


def amounts(told: Told) -> Iterator[str]:
    """The forecast of an amount: of price, in percent and in quote currency; and what it means a year."""
    assert told.in_price is not None
    value, lo, hi = told.in_price
    yield row(told.what, f"{100 * told.forecast:.3f} % of price, {price(value)}")
    if told.lo is not None and told.hi is not None:
        yield row(
            "  90 % interval", f"{100 * told.lo:.3f} to {100 * told.hi:.3f} %, {price(lo)} to {price(hi)}"
        )
    yield row("benchmark", f"{100 * told.benchmark:.3f} %")
    yield row(f"best baseline, {told.best_baseline}", f"{100 * told.best:.3f} %")
    yield row("spread of returns, horizon", f"{told.spread_horizon_pct:.2f} %, by return_per_atr")
    yield row("  a year", f"{told.spread_year_pct:.1f} %, to hold against an implied volatility")


def risk(report: Report, loss: Loss) -> Iterator[str]:
    """A line of what may be lost."""
    over = "next bar" if loss.over == "next bar" else f"{report.horizon_bars} bars"
    text = f"{loss.value_at_risk_pct:.2f} %, then {loss.expected_shortfall_pct:.2f} % on average"
    yield row(f"value at risk {loss.level_pct:.0f} %, {over}", text)


def sizes(told: Told, size: Size) -> Iterator[str]:
    """How large a position is to be."""
    base = told.symbol.partition("/")[0]
    yield row(f"position for {size.target_volatility_pct:g} % a year", f"{size.position:.2f} of wealth")
    yield row(
        f"stop of {size.stop_atr:g} ATR",
        f"{price(size.stop_distance)}: long {price(size.stop_long)}, short {price(size.stop_short)}",
    )
    yield row(f"  at {size.risk_pct:g} % of {size.capital:,.6g}", f"{size.units:.6g} {base}")


def foot(report: Report) -> Iterator[str]:
    """Of which test the promise is, and what made the number."""
    promise = report.promise
    commit = (
        f"Model as in commit {report.model_commit[:10]}" if report.model_commit else "Model not committed"
    )
    yield (
        f"Test: {promise.test_rows:,} rows, {promise.test_first[:10]} to {promise.test_last[:10]}; "
        f"{promise.coverage_90_pct:.1f} % of"
    )
    high = f"{abs(promise.bias_pct):.1f} % too {'high' if promise.bias_pct >= 0 else 'low'}"
    yield f"outcomes in their sets; forecasts {high} on average. {commit},"
    hashes = ", ".join(each.candles_sha256[:10] for each in report.symbols)
    yield f"sha256 {report.model_sha256[:10]}; candles {hashes}."


def row(name: str, value: str) -> str:
    """A name and what it is, one below the other."""
    return f"  {name:<{LABEL}} {value}"


def price(value: float | None) -> str:
    """A price to six digits, never as a power of ten; nothing of none."""
    if value is None:
        return ""
    return f"{value:,.6g}" if abs(value) < 1e6 else f"{value:,.0f}"


def moment(text: str) -> str:
    """A time to the minute."""
    return text[:16].replace("T", " ")


def one_line(report: Report) -> str:
    """All symbols in a line."""
    signal = "" if report.promise.signal == 1 else f" ({verdict(report.promise).partition(',')[0]})"
    parts = [f"{told.symbol} {in_short(told)}{' STALE' if told.stale else ''}" for told in report.symbols]
    until = moment(report.symbols[0].valid_until)
    return f"{report.symbols[0].what}{signal}: {'; '.join(parts)}; until {until} UTC"


def in_short(told: Told) -> str:
    """The forecast in percent, and of an amount the interval."""
    if told.kind == "chance":
        return f"{100 * told.forecast:.0f} %"
    interval = "" if told.lo is None or told.hi is None else f" [{100 * told.lo:.2f}, {100 * told.hi:.2f}]"
    return f"{100 * told.forecast:.2f} %{interval}"


def prometheus(report: Report) -> str:
    """Text for the textfile collector: a gauge each, labelled by symbol and task."""
    gauges = {
        "forecast": "Forecast of the task's y",
        "lo": "Least y in the set that holds nine of ten outcomes",
        "hi": "Greatest y in that set",
        "benchmark": "Forecast of y by the benchmark",
        "best": "Forecast of y by the best baseline",
        "spread_year_pct": "Spread of returns a year, in percent, as the forecast has it",
        "features_beyond_train_pct": "Share of features beyond their range in train, in percent",
        "stale": "Whether a newer candle has closed, which isn't there",
    }
    lines = []
    for name, text in gauges.items():
        values = [(told, getattr(told, name)) for told in report.symbols]
        lines += described(f"barometer_{name}", text)
        lines += [
            f"barometer_{name}{labels(report, told)} {float(value)!r}"
            for told, value in values
            if value is not None
        ]
    lines += described("barometer_as_of_seconds", "Close of the newest candle, in seconds since 1970")
    for told in report.symbols:
        seconds = pd.Timestamp(told.as_of).timestamp()
        lines.append(f"barometer_as_of_seconds{labels(report, told)} {seconds:.0f}")
    for name, value in (("signal", report.promise.signal), ("edge", report.promise.edge)):
        lines += described(f"barometer_{name}", f"Verdict of the model's test: {name}, -1, 0 or 1")
        lines.append(f'barometer_{name}{{task="{report.task}"}} {value}')
    return "\n".join(lines)


def described(name: str, text: str) -> list[str]:
    """What a gauge is."""
    return [f"# HELP {name} {text}", f"# TYPE {name} gauge"]


def labels(report: Report, told: Told) -> str:
    """Whose a figure is."""
    return f'{{symbol="{told.symbol}",task="{report.task}"}}'

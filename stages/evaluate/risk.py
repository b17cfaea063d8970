"""How deep a loss may be, by what returns were in units of their forecast spread; and whether it was so.

Filtered historical simulation: the tail of past returns, each over the spread that was forecast for it,
times the spread that is forecast now. So no law of returns is assumed. Source: Barone-Adesi, Giannopoulos
and Vosper (1999), Journal of Futures Markets 19(5), 583-602.
"""

from bisect import insort
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy.special import chdtrc, xlogy

from stages.common.arrays import Bools, Floats
from stages.evaluate.figures import SHARE, Figure

TAILS = {"95": 0.05, "99": 0.01}  # shares of losses that are deeper, by the level in percent
RETURNS = {"next": "next_return", "end": "end_return"}  # columns of `ratios`: next bar, and to the horizon

FIGURES = {  # of `risk_block`
    f"{kind}_var_{level}_{name}": figure
    for kind, over in {"next": "next bar", "end": "horizon"}.items()
    for level, share in TAILS.items()
    for name, figure in {
        "beyond_pct": Figure(f"{over}: losses beyond {level} % value at risk", "%", "near", 100 * share),
        "kupiec_p": Figure(f"{over}, {level} %: p of the share (Kupiec)", SHARE, "not below", 0.05),
        "christoffersen_p": Figure(
            f"{over}, {level} %: p of share and no runs (Christoffersen)", SHARE, "not below", 0.05
        ),
    }.items()
}


class Tail(NamedTuple):
    """What may be lost, in spreads, below 0: value at risk, and expected shortfall, the mean beyond it."""

    value_at_risk: float
    shortfall: float


def ratios(rows: pd.DataFrame, spread: Floats) -> pd.DataFrame:
    """Returns over the forecast `spread` of a bar's return; known once the label has ended; a row each.

    `next_return`: of the next bar; `end_return`: from the close to that at label_end.
    """
    to_end = rows["return_to_end"] * rows["atr"]
    return pd.DataFrame({"next_return": rows["return_next"] / spread, "end_return": to_end / spread})


def tail_of(ranked: list[float], share: float) -> Tail:
    """The tail of past ratios in rising order, of which a `share` is deeper; NaN of none."""
    deepest = ranked[: rank_of(ranked, share)]
    return Tail(deepest[-1], float(np.mean(deepest))) if deepest else Tail(np.nan, np.nan)


def rank_of(ranked: list[float], share: float) -> int:
    """Which of them, from the lowest, is the value at risk: floor((n + 1) share), but 1 at least."""
    return max(1, int((len(ranked) + 1) * share))


def value_at_risk(rows: pd.DataFrame, name: str, share: float) -> Floats:
    """Value at risk of each row, in spreads, by the rows whose label had ended by its close; (n_rows,).

    `rows`, of one fold and symbol in order of close_time, with `name` of `ratios`. NaN where none had.
    """
    close, end = (rows[column].to_numpy("datetime64[ms]") for column in ("close_time", "label_end"))
    order = np.argsort(end, kind="stable")
    heard = np.split(order, np.searchsorted(end[order], close, side="right"))
    values, ranked, levels = rows[name].tolist(), list[float](), np.full(len(rows), np.nan)
    for row in range(len(rows)):
        for past in heard[row]:
            insort(ranked, values[past])
        if ranked:
            levels[row] = ranked[rank_of(ranked, share) - 1]
    return levels


def beyond(rows: pd.DataFrame, name: str, share: float, *, apart: bool) -> Iterator[Bools]:
    """Whether each test row's loss was beyond its value at risk; an array a symbol, fold after fold.

    `rows` of val and test, with `name` of `ratios`. Test rows that have no value at risk are left out. With
    `apart`, only those count that begin when the one before in their fold has ended.
    """
    for _, of_symbol in rows.groupby("symbol"):
        parts = []
        for _, of_fold in of_symbol.groupby("fold"):
            part = of_fold.sort_values("close_time")
            part = part.assign(level=value_at_risk(part, name, share))
            test = part[(part["role"] == "test") & part["level"].notna()]
            deeper = (test[name] < test["level"]).to_numpy()
            parts.append(deeper[ends_apart(test)] if apart else deeper)
        yield np.concatenate(parts)


def ends_apart(rows: pd.DataFrame) -> Bools:
    """Rows of which each begins when the one before that counts has ended; shape (n_rows,)."""
    close, end = (rows[column].to_numpy("datetime64[ms]") for column in ("close_time", "label_end"))
    counts, free = np.zeros(len(rows), np.bool_), 0
    while free < len(rows):
        counts[free] = True
        free = max(free + 1, int(np.searchsorted(close, end[free])))
    return counts


def kupiec_p(hits: Bools, share: float) -> float:
    """P-value of "a `share` of losses is beyond": likelihood ratio, chi-squared with one degree.

    Source: Kupiec (1995), Journal of Derivatives 3(2), 73-84.
    """
    return float(chdtrc(1, coverage_ratio(hits, share)))


def christoffersen_p(hits: Bools, share: float) -> float:
    """P-value of the same, and that one loss beyond says nothing of the next; two degrees.

    Source: Christoffersen (1998), International Economic Review 39(4), 841-862.
    """
    before, after = hits[:-1], hits[1:]
    independence = sum(log_likelihood(after[before == was]) for was in (False, True)) - log_likelihood(
        after
    )
    return float(chdtrc(2, coverage_ratio(hits, share) + 2 * max(0.0, independence)))


def coverage_ratio(hits: Bools, share: float) -> float:
    """Twice the log of how much likelier the share that came is than the one promised."""
    return max(0.0, 2 * (log_likelihood(hits) - log_likelihood(hits, share)))


def log_likelihood(hits: Bools, share: float | None = None) -> float:
    """Log likelihood of hits of a given share, each on its own; None: of their own share."""
    n, n_hits = len(hits), int(hits.sum())
    if share is None:
        share = n_hits / n if n else 0.0
    return float(xlogy(n_hits, share) + xlogy(n - n_hits, 1 - share))


def risk_block(rows: pd.DataFrame, spread: Floats) -> dict[str, float]:
    """Of each tail of next bar and horizon: share of test losses beyond, in percent, and two p-values.

    `rows` of val and test, `spread` their forecast of a bar's return. A p-value is the least of the
    symbols', times their number: Bonferroni.
    """
    known = rows.join(ratios(rows, spread))
    found: dict[str, float] = {}
    for kind, name in RETURNS.items():
        for level, share in TAILS.items():
            hits = list(beyond(known, name, share, apart=kind == "end"))
            key = f"{kind}_var_{level}"
            every = np.concatenate(hits)
            found[f"{key}_beyond_pct"] = float(100 * every.mean()) if len(every) else 0.0
            for test_name, p_value in (("kupiec", kupiec_p), ("christoffersen", christoffersen_p)):
                least = min(p_value(each, share) for each in hits)
                found[f"{key}_{test_name}_p"] = min(1.0, len(hits) * least)
    return found

"""Pages that may hold a mistake of the exchange's, and are better asked for again by the next run."""

import numpy as np
import pandas as pd

from stages.common.bars import Bools, bar_length
from stages.fetch.clean import MILLISECOND, breaks_any, broken_rules, holes
from stages.fetch.exchange.pages import EPOCH, Pages, Span, in_order
from stages.fetch.params import FetchParams


def is_broken(rows: pd.DataFrame) -> Bools:
    """Which rows are no candles; shape (n_rows,)."""
    return breaks_any(broken_rules(rows))


def doubtful(pages: Pages, candles: pd.DataFrame, params: FetchParams, *, wide: bool) -> list[Span]:
    """Those that have rows which are no candles, or hold a bar at the edge of a doubtful gap.

    Such a gap is at an end of the window, or longer than fetch.max_gap_bars. `wide`: those that hold any
    of its bars. `candles`: what the pages have of the window, in time's order. Where that is nothing, every
    page is doubtful.
    """
    if candles.empty:
        return [*pages]
    opens, bar_ms = candles["open_time"], bar_length(params.timeframe) // MILLISECOND
    starts, lengths = holes(opens, params)
    n_bars = np.array(lengths, dtype="int64")
    chosen = (n_bars > params.max_gap_bars) | (starts < opens.iloc[0]) | (starts > opens.iloc[-1])
    first = ((starts[chosen] - EPOCH) // MILLISECOND).to_numpy()
    last = first + (n_bars[chosen] - 1) * bar_ms
    stretches = [(first, last)] if wide else [(first, first), (last, last)]
    return [
        span
        for span, page in pages.items()
        if is_broken(page).any()
        or any(((begin < span.last) & (span.first <= end)).any() for begin, end in stretches)
    ]


def joined(new: pd.DataFrame, old: pd.DataFrame) -> pd.DataFrame:
    """A page that was asked for again: all times of both; where one has a candle, no row that is none.

    What is broken in both is as it came last. Two candles that differ stay both, to be refused.
    """
    old = old[~(is_broken(old) & old["open_time"].isin(new["open_time"]))]
    new = new[~(is_broken(new) & new["open_time"].isin(old["open_time"]))]
    return in_order([new, old])

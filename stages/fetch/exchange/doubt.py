"""Pages that may hold a mistake of the exchange's, and are better asked for again by the next run."""

import numpy as np
import pandas as pd

from stages.common.bars import bar_length
from stages.fetch.clean import MILLISECOND, breaks_any, broken_rules, holes
from stages.fetch.exchange.pages import EPOCH, Pages, Span
from stages.fetch.params import FetchParams


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
    found = []
    for span, page in pages.items():
        holds_an_edge = [(span.first <= edge) & (edge < span.last) for edge in (first, last)]
        overlaps = (first < span.last) & (span.first <= last)
        in_doubt = overlaps if wide else holds_an_edge[0] | holds_an_edge[1]
        if in_doubt.any() or breaks_any(broken_rules(page)).any():
            found.append(span)
    return found


def without_broken(page: pd.DataFrame) -> pd.DataFrame:
    """A page's rows that are candles."""
    return page[~breaks_any(broken_rules(page))]

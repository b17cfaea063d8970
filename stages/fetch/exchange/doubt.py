"""Pages that may hold a mistake of the exchange's, and are better asked for again by the next run."""

import pandas as pd

from stages.fetch.clean import broken_rules
from stages.fetch.exchange.job import Job
from stages.fetch.exchange.pages import Pages, Span, within
from stages.fetch.grid import EPOCH, MILLISECOND, gaps, off_any_grid


def is_broken(rows: pd.DataFrame, bar: pd.Timedelta) -> pd.Series:
    """Which rows are no candles, or are of a time at which no bar may open; shape (n_rows,)."""
    return broken_rules(rows).any(axis=1) | off_any_grid(rows["open_time"], bar)


def doubtful(pages: Pages, job: Job, *, wide: bool) -> list[Span]:
    """Those that have rows which are no candles, or hold a bar at the edge of a doubtful gap.

    Such a gap is at an end of the window, or longer than fetch.max_gap_bars. `wide`: those that hold any
    of its bars. Where there is no candle in the window, every page is doubtful.
    """
    opens = within(pd.concat(pages.values()), job.window)["open_time"].sort_values()
    if opens.empty:
        return [*pages]
    found, longest = gaps(opens, job.params), job.params.max_gap_bars
    found = found[(found["n_bars"] > longest) | ~found["start"].between(opens.iloc[0], opens.iloc[-1])]
    first = (found["start"] - EPOCH) // MILLISECOND
    last = first + (found["n_bars"] - 1) * job.bar_ms
    edges = [(first, last)] if wide else [(first, first), (last, last)]
    return [
        span
        for span, page in pages.items()
        if is_broken(page, job.params.bar).any()
        or any(((begin < span.last) & (span.first <= end)).any() for begin, end in edges)
    ]


def joined(new: pd.DataFrame, old: pd.DataFrame, bar: pd.Timedelta) -> pd.DataFrame:
    """The rows of a page that was asked for again: all times of both, no row that is none beside a candle.

    What is broken in both is as it came last, and a time at which no bar may open is one that came last.
    Two candles that differ stay both, to be refused.
    """
    old = old[~off_any_grid(old["open_time"], bar)]
    old = old[~(is_broken(old, bar) & old["open_time"].isin(new["open_time"]))]
    new = new[~(is_broken(new, bar) & new["open_time"].isin(old["open_time"]))]
    return pd.concat([new, old])

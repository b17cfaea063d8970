"""The receipt: what was fetched, for programs and in a line for a person."""

import hashlib
from typing import Any

import pandas as pd

from stages.fetch.clean import COLUMNS, Cleaned, jumps
from stages.fetch.grid import NIL, gaps, phase_of
from stages.fetch.params import FetchParams


def receipt(cleaned: dict[str, Cleaned], params: FetchParams, *, has_order: bool) -> dict[str, Any]:
    """What was asked for, and what each symbol's candles are: equal rows, equal receipt.

    Says neither when nor from which address they were fetched, nor how rough the way was. `has_order`:
    whether the rows' order and repetition are facts of the source.
    """
    return {
        "source": {params.source: getattr(params, params.source).model_dump()},
        "timeframe": params.timeframe,
        "start": params.start_time.isoformat(),
        "end": params.end_time.isoformat(),
        "symbols": {symbol: entry(found, params, has_order=has_order) for symbol, found in cleaned.items()},
    }


def entry(found: Cleaned, params: FetchParams, *, has_order: bool) -> dict[str, Any]:
    """A symbol's part of the receipt."""
    opens = found.candles["open_time"]
    facts = {
        "rows": len(opens),
        "first": opens.iloc[0].isoformat(),
        "last": opens.iloc[-1].isoformat(),
        "phase": str(phase_of(opens, params.bar)),
        "gaps": [
            {"start": gap["start"].isoformat(), "missing_bars": gap["n_bars"]}
            for gap in gaps(opens, params).to_dict("records")
        ],
        "jumps": [
            {"open_time": jump["open_time"].isoformat(), "times": jump["times"]}
            for jump in jumps(found.candles).to_dict("records")
        ],
        "broken_rows_left_out": found.broken,
        "suspect_rows_kept": found.suspect,
        "highs_or_lows_widened": found.n_widened,
        "sha256": content_sha256(found.candles),
    }
    if has_order:
        facts["duplicate_rows_dropped"] = found.n_duplicates
        facts["out_of_order_rows_sorted"] = found.n_out_of_order
    return facts


def content_sha256(candles: pd.DataFrame) -> str:
    """SHA-256 of the columns' bytes one after the other, in the order of COLUMNS.

    Little-endian; open_time as int64 milliseconds since 1970, the others as float64.
    """
    digest = hashlib.sha256(candles["open_time"].to_numpy("datetime64[ms]").astype("<i8").tobytes())
    for name in COLUMNS[1:]:
        digest.update(candles[name].to_numpy("<f8").tobytes())
    return digest.hexdigest()


def in_one_line(facts: dict[str, Any]) -> str:
    """A symbol's part of the receipt, for a person."""
    n_missing = sum(gap["missing_bars"] for gap in facts["gaps"])
    counts = {
        "jump{} of the price level": len(facts["jumps"]),
        "broken row{} left out": len(facts["broken_rows_left_out"]),
        "suspect row{} kept": len(facts["suspect_rows_kept"]),
        "candle{} widened by a rounding error": facts["highs_or_lows_widened"],
        "duplicate row{} dropped": facts.get("duplicate_rows_dropped", 0),
        "row{} put in order": facts.get("out_of_order_rows_sorted", 0),
    }
    late = "" if facts["phase"] == str(NIL) else f", bars open {facts['phase']} later than usual"
    return (
        f"{counted(facts['rows'], 'candle{}')}, {facts['first']} to {facts['last']}, "
        f"{n_missing:,} missing in {counted(len(facts['gaps']), 'gap{}')}{late}"
        + "".join(f", {counted(count, what)}" for what, count in counts.items() if count)
    )


def counted(count: int, what: str) -> str:
    """A number of things; `what` has {} where more than one has an s."""
    return f"{count:,} {what.format('' if count == 1 else 's')}"

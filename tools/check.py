"""Check params.yaml before DVC touches an output: `python -m tools.check`.

DVC deletes a stage's outputs before it runs the stage, so a setting that the stage would refuse has to
be found before that; and a wrong `task` or `fetch.source` would die inside DVC as a missing file.
"""

import sys
from pathlib import Path
from typing import Any

from stages.baseline.params import BaselineParams
from stages.common.bars import bar_length
from stages.common.errors import InputError, run
from stages.common.params import Section, check_params, read_params
from stages.fetch.params import FetchParams
from stages.label.params import LabelParams, SplitParams
from stages.train.params import TrainParams


def main() -> None:
    """Check the file named on the command line, params.yaml by default."""
    sections: dict[str, Any] = check_params(read_params(*sys.argv[1:2]))
    check_length(**sections)
    check_source(sections["fetch"])


def check_length(
    *,
    fetch: FetchParams,
    split: SplitParams,
    label: LabelParams,
    baseline: BaselineParams,
    train: TrainParams,
    **_others: Section,
) -> None:
    """Raise InputError where even a window without gaps leaves the first fold too little to train on."""
    n_bars = (fetch.end_time - fetch.start_time) // bar_length(fetch.timeframe)
    n_rows = n_bars - split.warmup_bars - label.horizon
    walk = split.scheme == "walk_forward"
    n_later = split.folds * split.test_bars + split.val_bars if walk else round(0.3 * n_rows)
    needed = label.horizon + (baseline.min_bars if train.offset == "baseline" else 0)
    if n_rows - n_later <= needed:
        raise InputError(
            f"fetch.start to fetch.end must leave the first fold more than {needed} rows to train on "
            "(label.horizon and, where train.offset is baseline, baseline.min_bars); "
            f"received {n_rows - n_later}: {n_bars} bars less {split.warmup_bars} of warm-up, "
            f"{label.horizon} of horizon, and {n_later} of val and test."
        )


def check_source(fetch: FetchParams) -> None:
    """Raise InputError where a source can't have the candles, as far as can be told offline."""
    if fetch.source == "file":
        from stages.fetch.file.candles import find_file  # noqa: PLC0415  (only what is needed: each takes a while)

        for symbol in fetch.symbols:
            find_file(symbol, Path("data/import/file"))
    if fetch.source == "exchange":
        from stages.fetch.exchange.connection import open_exchange  # noqa: PLC0415

        open_exchange(fetch.exchange.name)


if __name__ == "__main__":
    run(main)

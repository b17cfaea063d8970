"""Check params.yaml before DVC touches an output: `python -m tools.check`.

DVC deletes a stage's outputs before it runs the stage, so a setting that the stage would refuse has to
be found before that; and a wrong `task` or `fetch.source` would die inside DVC as a missing file. Sound
settings have one line: what memory the run will need, and where.
"""

import sys
from argparse import ArgumentParser, RawDescriptionHelpFormatter
from collections.abc import Mapping

import psutil
from joblib import cpu_count

from stages.common.errors import InputError, run
from stages.fetch.params import FetchParams
from stages.fetch.source import source_of
from stages.params import FILE, Params, load_params, make_git_look
from tools.memory import estimate, n_bars

# Estimates are off by less, even far from what was measured; and a run that would fit must not be refused.
HOPELESS = 10


def main() -> None:
    """Check the file named on the command line, params.yaml by default, and say what memory it takes."""
    parser = ArgumentParser(
        prog="python -m tools.check", description=__doc__, formatter_class=RawDescriptionHelpFormatter
    )
    parser.add_argument("file", nargs="?", default=FILE, help=f"{FILE}, unless another is named")
    make_git_look(FILE)
    params = check(parser.parse_args().file)
    need, total = estimate(params, cpu_count()), psutil.virtual_memory().total
    check_memory(need, total)
    print(memory_line(need, params.fetch))
    if max(need.values()) > total:
        print(
            f"warning: this machine has {total / 1e9:.1f} GB in all; the run may be killed.",
            file=sys.stderr,
        )


def check(path: str = "params.yaml") -> Params:
    """A file's settings. Raises InputError where a run by them would end in an error."""
    params = load_params(path)
    check_length(params)
    source_of(params.fetch).check(params.fetch)
    return params


def memory_line(need: Mapping[str, float], fetch: FetchParams) -> str:
    """What a run holds at its peak, in which stage, and of how much; `need`: bytes of each stage."""
    stage = max(need, key=lambda name: need[name])
    symbols = f"{len(fetch.symbols):,} symbol{'s' if len(fetch.symbols) > 1 else ''}"
    return (
        f"about {need[stage] / 1e9:.1f} GB of memory at the peak, in {stage}; "
        f"{n_bars(fetch):,} bars of {symbols}"
    )


def check_memory(need: Mapping[str, float], total: float) -> None:
    """Raise InputError where a stage needs many times the machine's memory; `need`: bytes of each stage."""
    stage = max(need, key=lambda name: need[name])
    if need[stage] > HOPELESS * total:
        raise InputError(
            f"params.yaml must ask for what fits into this machine's {total / 1e9:.1f} GB of memory (fewer "
            "symbols or bars; for train also a shorter train.window or fewer train.units); received "
            f"settings by which {stage} takes about {need[stage] / 1e9:,.0f} GB."
        )


def check_length(params: Params) -> None:
    """Raise InputError where even a window without gaps leaves the first fold too little to train on."""
    split, label, bars = params.split, params.label, n_bars(params.fetch)
    n_rows = bars - split.warmup_bars - label.horizon
    walk = split.scheme == "walk_forward"
    n_later = split.folds * split.test_bars + split.val_bars if walk else round(0.3 * max(n_rows, 0))
    needed = label.horizon + (params.baseline.min_bars if params.train.offset == "baseline" else 0)
    if n_rows - n_later <= needed:
        raise InputError(
            f"fetch.start to fetch.end must leave the first fold more than {needed} rows to train on "
            "(label.horizon and, where train.offset is baseline, baseline.min_bars); "
            f"received {n_rows - n_later}: {bars} bars less {split.warmup_bars} of warm-up, "
            f"{label.horizon} of horizon, and {n_later} of val and test."
        )


if __name__ == "__main__":
    run(main)

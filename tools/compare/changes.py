"""What differs between two runs: settings, data, and the code that they rest on."""

from typing import NamedTuple

from stages.evaluate.subject import Settings, shown
from tools.compare.side import Side

DATA = {  # what is told of, before hashes of what follows from it
    "data/candles": "candles",
    "data/labels": "labels",
    "data/folds.parquet": "folds",
    "data/features": "features",
    "data/baselines": "baselines",
    "data/predictions.parquet": "forecasts",
}


class Change(NamedTuple):
    """A thing that differs; a, b: what it is in each run, in a line; empty where it isn't there."""

    what: str
    a: str
    b: str


def settings_changed(a: Settings, b: Settings) -> list[Change]:
    """Settings that the stages ran with, in the order of params.yaml."""
    keys = dict.fromkeys([*a, *b])
    return [Change(key, in_line(a, key), in_line(b, key)) for key in keys if a.get(key) != b.get(key)]


def in_line(settings: Settings, key: str) -> str:
    """A setting as it is shown; nothing where there is none."""
    return shown(settings[key]) if key in settings else ""


def data_changed(a: Side, b: Side) -> list[Change]:
    """The number of test rows, then tables by the first digits of their hashes."""
    n_rows = [side.metrics.get("test", {}).get("n_rows") for side in (a, b)]
    found = []
    if n_rows[0] != n_rows[1]:
        found.append(Change("test rows", *("" if n is None else f"{n:,}" for n in n_rows)))
    for path, name in DATA.items():
        one, other = (side.outs.get(path, "")[:8] for side in (a, b))
        if one != other:
            found.append(Change(name, one, other))
    return found


def code_changed(a: Side, b: Side) -> list[str]:
    """Files of code that a stage of either run rests on, and that differ."""
    paths = sorted(path for path in a.deps.keys() | b.deps.keys() if path.startswith("stages/"))
    return [path for path in paths if a.deps.get(path) != b.deps.get(path)]

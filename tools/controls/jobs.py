"""What there is to measure: jobs that share a market, and the key by which a seed's figures are kept."""

import json
from collections.abc import Iterable
from hashlib import sha256
from typing import NamedTuple

from tools.controls.market import Market, Values
from tools.controls.plan import Line
from tools.controls.runs import ControlRun, run_values

DRAWS = 10  # of two equal forecasts, for each seed of a market: they cost next to nothing


class Job(NamedTuple):
    """Runs of one market, or of made-up forecasts, and a seed."""

    runs: tuple[ControlRun, ...]
    seed: int


def make_jobs(lines: Iterable[Line], n_seeds: int) -> list[Job]:
    """Each run of the lines once a seed, seed by seed; those that cost next to nothing last."""
    groups: dict[Market | None, list[ControlRun]] = {}
    for run in dict.fromkeys(line.run for line in lines):
        groups.setdefault(run.market, []).append(run)
    equal = groups.pop(None, [])
    jobs = [Job(tuple(group), seed) for seed in range(1, n_seeds + 1) for group in groups.values()]
    return jobs + [Job(tuple(equal), seed) for seed in range(1, DRAWS * n_seeds + 1) if equal]


def key(run: ControlRun, seed: int, values: Values) -> str:
    """Changes with whatever a run's figures rest on, but for the code; `values`: those of params.yaml."""
    blocks = run_values(run, values).items()
    settings = {name: block for name, block in blocks if name not in ("task", "fetch")}
    return sha256(json.dumps([repr(run), seed, settings], sort_keys=True).encode()).hexdigest()[:20]

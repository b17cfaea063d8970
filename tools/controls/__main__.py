"""Markets of which the truth is known: is noise called noise, signal signal? `python -m tools.controls`.

Figures are kept in .cache/controls/ as soon as they are known, so that a run that was cut off goes on
where it was; by the code and the settings that they rest on, so that a change of either starts anew. With
all controls and at least 40 seeds the table becomes docs/controls.md.
"""

import argparse
import json
import sys
from functools import partial
from hashlib import sha256
from pathlib import Path

from joblib import parallel_config

from stages.common.errors import InputError, run
from stages.common.outputs import alone, write_text
from stages.common.parallel import parallel_map
from stages.params import check_params, read_params
from tools.controls.jobs import Job, gather, key, make_jobs, unmeasured
from tools.controls.market import Values
from tools.controls.plan import CONTROLS
from tools.controls.runs import Figures, measure
from tools.controls.table import n_broken, page, table

CACHE = Path(".cache/controls")
PAGE = Path("docs/controls.md")
ENOUGH_SEEDS = 40


def main() -> None:
    """Measure what isn't kept, print the table, and write the page if it is complete."""
    only, n_seeds = read_options()
    values = read_params()
    check_params(values)
    lines = [line for name, of_control in CONTROLS.items() if only in (None, name) for line in of_control]
    jobs = make_jobs(lines, n_seeds)
    folder = CACHE / code_digest()

    kept = read_kept(folder)
    missing = [job for job in (unmeasured(job, values, kept) for job in jobs) if job.runs]
    parallel_map(partial(measure_and_keep, values=values, folder=folder), missing, "controls")
    results = gather(jobs, values, read_kept(folder))

    print(table(lines, results))
    if only is None and n_seeds >= ENOUGH_SEEDS:
        write_text(PAGE, page(lines, results, f"python -m tools.controls --seeds {n_seeds}"))
    broken = n_broken(lines, results)
    if broken:
        sys.exit(f"error: every line of the controls must hold; received {broken} that do not.")


def read_options() -> tuple[str | None, int]:
    """`--only` and `--seeds` of the command line."""
    parser = argparse.ArgumentParser(prog="python -m tools.controls", description=__doc__)
    parser.add_argument("--only", choices=CONTROLS, help="this control alone")
    parser.add_argument("--seeds", type=int, default=ENOUGH_SEEDS, help="markets of each setting")
    options = parser.parse_args()
    if options.seeds < 1:
        raise InputError(f"--seeds must be at least 1; received {options.seeds}.")
    return options.only, options.seeds


def code_digest() -> str:
    """Changes with the code that figures rest on: all stages, and what measures here."""
    measuring = [Path(__file__).with_name(f"{name}.py") for name in ("market", "models", "runs")]
    code = [path.read_bytes() for path in [*sorted(Path("stages").rglob("*.py")), *measuring]]
    return sha256(b"".join(code)).hexdigest()[:12]


def measure_and_keep(job: Job, values: Values, folder: Path) -> None:
    """Measure a job's runs, and keep a file of figures a run."""
    with parallel_config("sequential"):  # there is a process a core already
        measured_here = measure(job.runs, job.seed, values)
    for measured, figures in zip(job.runs, measured_here, strict=True):
        kept = {"run": repr(measured), "seed": job.seed, "figures": figures}
        write_text(folder / f"{key(measured, job.seed, values)}.json", json.dumps(kept, indent=2) + "\n")


def read_kept(folder: Path) -> dict[str, Figures]:
    """All figures that are kept, by their key."""
    return {
        path.stem: json.loads(path.read_text(encoding="utf-8"))["figures"] for path in folder.glob("*.json")
    }


if __name__ == "__main__":
    run(alone("tools.controls", main))

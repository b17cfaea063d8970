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
from tools.controls.jobs import Job, key, make_jobs
from tools.controls.market import Values
from tools.controls.plan import CONTROLS
from tools.controls.runs import ControlRun, Figures, measure
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
    jobs, results = make_jobs(lines, n_seeds), dict[ControlRun, list[Figures]]()
    work = partial(measured, values=values, folder=CACHE / code_digest())
    for job, found in zip(jobs, parallel_map(work, jobs, "controls"), strict=True):
        for each, figures in zip(job.runs, found, strict=True):
            results.setdefault(each, []).append(figures)

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


def measured(job: Job, values: Values, folder: Path) -> list[Figures]:
    """Figures of a job's runs, of which a file each is kept; what isn't kept yet is measured."""
    files = {each: folder / f"{key(each, job.seed, values)}.json" for each in job.runs}
    missing = [each for each, file in files.items() if not file.exists()]
    if missing:
        with parallel_config("sequential"):  # there is a process a core already
            found = measure(missing, job.seed, values)
        for each, figures in zip(missing, found, strict=True):
            kept = {"run": repr(each), "seed": job.seed, "figures": figures}
            write_text(files[each], json.dumps(kept, indent=2) + "\n")
    return [json.loads(file.read_text(encoding="utf-8"))["figures"] for file in files.values()]


if __name__ == "__main__":
    run(alone("tools.controls", main))

"""The workspace against another revision, as Markdown: `python -m tools.compare origin/main`.

What a pull request shows: each side's verdict in a sentence, then `dvc params diff` and
`dvc metrics diff`.
"""

import json
import sys
from pathlib import Path

from stages.common.errors import InputError, printable, run
from stages.common.task import TASKS
from stages.evaluate.subject import market_of
from stages.evaluate.verdict import sentence
from tools.commands import output_of
from tools.workspace import WORKSPACE, made_by

METRICS = "results/metrics.json"


def main() -> None:
    """Print the comparison with the revision named on the command line."""
    if len(sys.argv) != 2:
        raise InputError(f"compare needs one revision, as origin/main; received {sys.argv[1:]}.")
    base = sys.argv[1]
    if not Path(METRICS).is_file():
        raise InputError(f"{METRICS} must exist: dvc repro or make back brings it; received none.")
    text = Path(METRICS).read_text(encoding="utf-8")
    start = start_of_branch(base)
    before = verdict(start, output_of("git", "show", f"{start}:{METRICS}"))
    after = verdict(WORKSPACE, text)
    heading = base.ljust(len(start))
    params, metrics = (
        output_of("dvc", kind, "diff", "--md", start).replace(start, heading)
        for kind in ("params", "metrics")
    )
    print(summary(base, before, after, params, metrics), end="")


def start_of_branch(base: str) -> str:
    """The commit where this branch left `base`: what has landed there since is not this change's doing.

    Raises InputError where there is none, or this clone doesn't reach back to it.
    """
    try:
        return output_of("git", "merge-base", base, "HEAD").strip()
    except InputError:
        if output_of("git", "rev-parse", "--is-shallow-repository").strip() != "true":
            raise
    raise InputError(
        f"compare needs the commit where this branch left {printable(base)}; received a shallow clone: "
        "run `git remote set-branches origin '*' && git fetch --unshallow` (in a workflow: fetch-depth: 0)."
    )


def summary(base: str, before: str, after: str, params: str, metrics: str) -> str:
    """The page; `before` and `after` are the two verdicts, `params` and `metrics` DVC's tables."""
    return f"""\
## Verdict

- {base}: {before}
- this change: {after}

## Parameters

{params.strip() or "No parameter differs."}

## Metrics

{metrics.strip() or "No metric differs."}
"""


def verdict(revision: str, text: str) -> str:
    """The sentence of a revision's metrics: the block beside the shared one names the task."""
    metrics = json.loads(text)
    return sentence(metrics, next(task for task in TASKS if task in metrics), market_of(made_by(revision)))


if __name__ == "__main__":
    run(main)

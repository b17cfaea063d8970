"""Better, worse, no difference worth having, or can't tell: `python -m tools.compare [A] [B]`.

A and B are commits, branches, experiments or `workspace`, each with a label of its own if it is written
`label=A`. A is by default where this branch left the main one, B the workspace. They are compared on the
test rows that both scored. docs/comparing.md says what the four answers mean.
"""

import argparse
import sys
from pathlib import Path

from dvc.repo import Repo

from stages.common.errors import InputError, printable, run
from stages.evaluate.ledger import SCORES, md5
from tools.compare.answer import Answer, answer
from tools.compare.comparison import comparison
from tools.compare.forms import as_markdown, as_text
from tools.compare.revisions import commit_of, resolve, start_of_branch
from tools.compare.side import METRICS, Side, read_side
from tools.trials.known import counted_here, read_here
from tools.workspace import WORKSPACE, open_repo

WORSE = 3  # exit status of --fail-on worse


def main() -> None:
    """Print the comparison."""
    given = options()
    with open_repo() as repo:
        a, b = (side_of(repo, each, given.base) for each in (given.a, given.b))
        if not (a.metrics or b.metrics):
            raise InputError(f"one of the two must have {METRICS}: `dvc repro` makes it; received none.")
        found = comparison(a, b, compared(a, b, given.worth), given.worth, forecasts_on(repo, b))
    if given.json:
        print(found.model_dump_json(indent=2))
    else:
        print(as_markdown(found) if given.md else as_text(found, everything=given.all), end="")
    if given.fail_on == found.verdict:
        sys.exit(WORSE)


def options() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="python -m tools.compare",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("a", nargs="?", help="what B is compared with")
    parser.add_argument("b", nargs="?", default=WORKSPACE, help="what is judged")
    parser.add_argument(
        "--from",
        dest="base",
        metavar="BRANCH",
        help="the branch that this one left; by default the main one",
    )
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--md", action="store_true", help="Markdown, for a pull request")
    form.add_argument("--json", action="store_true", help="JSON; docs/compare.schema.json says what it has")
    form.add_argument("--all", action="store_true", help="all figures, not only those to read first")
    parser.add_argument(
        "--worth",
        type=float,
        default=1.0,
        metavar="PCT",
        help="the least difference that is worth having, in percent of the loss; 1 by default",
    )
    parser.add_argument(
        "--fail-on", choices=["worse"], help=f"end with exit status {WORSE} if B is worse than A"
    )
    given = parser.parse_args()
    if not 0 <= given.worth < 100:
        raise InputError(f"--worth must be a percentage from 0 to below 100; received {given.worth}.")
    return given


def side_of(repo: Repo, given: str | None, base: str | None) -> Side:
    """The run that is asked for, `label=REV` or REV; without one, where this branch left `base`."""
    if given is None:
        return read_side(repo, "base", start_of_branch(base))
    if given == WORKSPACE or commit_of(given) or "=" not in given:  # a branch may be called feat=x
        return read_side(repo, printable(given), resolve(repo, given))
    label, _, revision = given.partition("=")
    return read_side(repo, printable(label or revision), resolve(repo, revision))


def forecasts_on(repo: Repo, side: Side) -> int | None:
    """Number of distinct forecasts scored here on a run's test rows; None where it isn't known."""
    here = {path: md5(Path(path)) for path in SCORES if Path(path).is_file()}
    by_time = (here if side.revision == WORKSPACE else side.outs).get(SCORES[0])
    if by_time is None:
        return None
    known, _ = read_here(repo, here)
    return len({trial.forecast for trial in counted_here(known, by_time)}) or None


def compared(a: Side, b: Side, worth: float) -> Answer:
    """The answer; that it can't be told, where the test rows of either can't be had."""
    if a.test is None or b.test is None:
        return Answer(why="the test rows of one of them aren't here")
    return answer(a.test, b.test, same_task=a.task == b.task, worth=worth)


if __name__ == "__main__":
    run(main)

"""What every stage does around its own work. It changes no output: no stage lists it as a dependency."""

from collections.abc import Callable

from stages.common.cache import cache_folder
from stages.common.environment import record
from stages.common.errors import run
from stages.common.outputs import alone
from stages.params import FILE, Params, check_unchanged, load_params, make_git_look


def run_stage(name: str, main: Callable[[Params], None]) -> None:
    """Run a stage's `main` on params.yaml: one process at a time, an error as one line.

    The settings must be at its end what they were at its beginning. Where it ran is written down last.
    """

    def work() -> None:
        make_git_look(FILE)
        params = load_params()
        cache_folder()  # a name that is none would come out when all is done
        main(params)
        check_unchanged(name, params)
        record(name)

    run(alone(f"stages.{name}", work))

"""A Dask cluster for the stages: `make scheduler` on one machine, `make worker` on each that works for it.

`python -m tools.cluster scheduler` listens at port 8786 of 127.0.0.1, or of the address after `--host`.
With DASK_SCHEDULER_ADDRESS=tcp://127.0.0.1:8786 (or as it may be) `python -m tools.cluster worker` starts a
process a core, of one thread each, with the settings of the processor that all stages have. They listen
where the scheduler sees them. Other options are those of `dask scheduler` and `dask worker`.
docs/scaling.md has the whole of it.
"""

import socket
import sys
from argparse import ArgumentParser, RawDescriptionHelpFormatter

from joblib import cpu_count

from stages.common.cluster import place_of_scheduler
from stages.common.errors import InputError, run

# Dask serves pages of its state even where it is told not to: at least to this machine alone.
NO_PAGES = ["--dashboard-address", "127.0.0.1:0"]


def main() -> None:
    """Serve until Ctrl-C; workers, until the scheduler ends."""
    parser = ArgumentParser(
        prog="python -m tools.cluster", description=__doc__, formatter_class=RawDescriptionHelpFormatter
    )
    parser.add_argument("part", choices=["scheduler", "worker"])
    part, options = parser.parse_known_args()[0].part, sys.argv[2:]
    try:
        from distributed.cli import dask_scheduler, dask_worker  # noqa: PLC0415  (they take seconds)
    except ImportError:
        raise InputError(
            "the extra `cluster` must be installed; received an environment without it."
        ) from None
    if part == "scheduler":
        dask_scheduler.main(["--host", "127.0.0.1", *NO_PAGES, *options], prog_name="scheduler")
    here = ["--host", own_address(*place_of_scheduler())]
    processes = ["--nworkers", str(cpu_count()), "--nthreads", "1"]
    dask_worker.main([*here, *processes, *NO_PAGES, *options], prog_name="worker")


def own_address(host: str, port: int) -> str:
    """This machine's address on the way to another one."""
    with socket.create_connection((host, port), timeout=10) as connection:
        own: str = connection.getsockname()[0]
        return own


if __name__ == "__main__":
    run(main)

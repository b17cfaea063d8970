"""Write the tiny market's metrics anew, beside this file: `python -m tests.golden`, or `make golden`."""

import shutil
from pathlib import Path
from tempfile import TemporaryDirectory

from stages.common.errors import run
from stages.common.task import TASKS
from tools.verify import reproduce


def main() -> None:
    """Reproduce all tasks from nothing, and keep their metrics."""
    with TemporaryDirectory() as folder:
        market = Path(folder) / "market"
        reproduce(market, {})
        for task in TASKS:
            shutil.copy(market / f"{task}.json", Path(__file__).parent)


if __name__ == "__main__":
    run(main)

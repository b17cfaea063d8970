"""Check params.yaml before DVC touches an output: `python -m tools.check`.

DVC deletes a stage's outputs before it runs the stage, so a setting that the stage would refuse has to
be found before that; and a wrong `task` or `fetch.source` would die inside DVC as a missing file.
"""

import sys

from stages.common.errors import run
from stages.common.params import check_params, read_params


def main() -> None:
    """Check the file named on the command line, params.yaml by default."""
    check_params(read_params(*sys.argv[1:2]))


if __name__ == "__main__":
    run(main)

"""Check params.yaml before DVC touches an output: `python -m tools.check`.

DVC deletes a stage's outputs before it runs the stage, so a setting that the stage would refuse has to
be found before that; and a wrong `task` or `fetch.source` would die inside DVC as a missing file.
"""

import sys
from pathlib import Path

from stages.common.errors import run
from stages.common.params import check_params, read_params
from stages.fetch.params import FetchParams


def main() -> None:
    """Check the file named on the command line, params.yaml by default."""
    fetch = check_params(read_params(*sys.argv[1:2]))["fetch"]
    assert isinstance(fetch, FetchParams)
    check_source(fetch)


def check_source(fetch: FetchParams) -> None:
    """Raise InputError where a source can't have the candles, as far as can be told offline."""
    if fetch.source == "file":
        from stages.fetch.file import find_file  # noqa: PLC0415  (only what is needed: each takes a while)

        for symbol in fetch.symbols:
            find_file(symbol, Path("data/import/file"))
    if fetch.source == "exchange":
        from stages.fetch.exchange import open_exchange  # noqa: PLC0415

        open_exchange(fetch.exchange.name)


if __name__ == "__main__":
    run(main)

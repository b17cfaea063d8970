"""How fast, in how much memory, and how both grow: `make bench`; a part of it by `make bench ARGS=growth`.

Prints a table a part. Times depend on the machine, so each stands beside a reference of the same run, or
beside itself at other sizes. Seconds are of processor where nothing else is said. docs/speed.md keeps them.
"""

import platform
from argparse import ArgumentParser, RawDescriptionHelpFormatter
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

from stages.common.environment import environment
from stages.common.errors import run
from tools.bench import baselines, download, features, growth, networks, pipeline

PARTS: dict[str, Callable[[Path], str]] = {
    "growth": growth.main,
    "pipeline": pipeline.main,
    "features": features.main,
    "networks": networks.main,
    "baselines": baselines.main,
    "download": download.main,
}


def main() -> None:
    """Measure the parts that were asked for, one after the other."""
    parser = ArgumentParser(
        prog="python -m tools.bench", description=__doc__, formatter_class=RawDescriptionHelpFormatter
    )
    parser.add_argument("parts", nargs="*", choices=[*PARTS, []], metavar="part", help=", ".join(PARTS))
    parts = parser.parse_args().parts or list(PARTS)
    here = environment()
    print(
        f"{here['processor']}, {here['cores']} cores, {platform.system()}, Python {here['python']}; ",
        end="",
    )
    print(", ".join(f"{name} {version}" for name, version in here["packages"].items()), flush=True)
    for part in parts:
        with TemporaryDirectory() as scratch:
            print(f"\n## {part}\n\n{PARTS[part](Path(scratch))}", flush=True)


if __name__ == "__main__":
    run(main)

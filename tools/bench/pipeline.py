"""What dvc adds: `dvc repro` beside the same stages in one process, and beside `dvc status`.

And what a second core saves: train, whose folds and seeds have a process each, by the clock.
"""

import sys
from pathlib import Path

from stages.common.cache import VARIABLE
from tools import markdown
from tools.bench.growth import NAMES
from tools.bench.measure import ROOT, Cost, cost_of, environment_of

# TensorFlow is imported once, for fits and all.
TOGETHER = f"""
from importlib import import_module
from stages.params import load_params

params = load_params()
for name in {NAMES}:
    import_module(f"stages.{{name}}.__main__").main(params)
"""
TIMES = 3


def least(costs: list[Cost]) -> Cost:
    """The one with the fewest seconds of processor: others ran beside something else."""
    return min(costs, key=lambda cost: cost.cpu)


def main(scratch: Path) -> str:
    """Markdown: a row a comparison."""
    folder = scratch / "pipeline"
    environment = environment_of(scratch) | {VARIABLE: str(scratch / "cache"), "DVC_NO_ANALYTICS": "1"}

    def cost(*command: str, times: int = 1, **variables: str) -> Cost:
        return least([cost_of(command, folder, environment | variables) for _ in range(times)])

    cost_of(["git", "clone", "-q", str(ROOT), str(folder)], scratch, environment)
    cost("dvc", "repro")
    forced, together = cost("dvc", "repro", "--force"), cost(sys.executable, "-c", TOGETHER)
    nothing, status = cost("dvc", "repro", times=TIMES), cost("dvc", "status", times=TIMES)
    pairs = {
        ("dvc repro --force", "the six stages in one process"): (forced, together),
        ("dvc repro, with nothing to do", "dvc status"): (nothing, status),
    }
    rows = [
        [*names, f"{mine.cpu:.1f} s", f"{other.cpu:.1f} s", f"{mine.cpu / other.cpu:.2f}"]
        for names, (mine, other) in pairs.items()
    ]
    table = markdown.table(["what", "beside", "CPU", "beside", "ratio"], rows, n_left=2)
    train = (sys.executable, "-m", "stages.train")
    alone, spread = cost(*train, LOKY_MAX_CPU_COUNT="1"), cost(*train)
    times = alone.wall / spread.wall
    saved = f"{alone.wall:.0f} s in one process, {spread.wall:.0f} s in one a core"
    return f"{table}\n\ntrain: {saved}: {times:.2f} times as fast"

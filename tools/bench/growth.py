"""What each stage costs as candles, or symbols, become more: the simulated market, stage by stage.

The network is small, for its cost is a matter of settings; all else is as in params.yaml, the task too.
"""

import json
import shutil
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from tqdm import tqdm

from stages.common.cache import VARIABLE
from stages.params import read_params
from tools import markdown
from tools.bench.measure import ROOT, Cost, cost_of, environment_of
from tools.settings import changed

NAMES = ["fetch", "featurize", "label", "baseline", "train", "evaluate"]
SIZES = [10_000, 100_000, 1_000_000]  # candles of a minute, of one symbol
N_SYMBOLS = [1, 5, 25]  # of three years, hourly
SMALL = {
    "split.scheme": "holdout",
    "train.network": "dense",
    "train.units": 8,
    "train.window": 4,
    "train.epochs": 1,
    "train.batch": 8192,
}
MB, YEARS = 1e6, 3


def costs(changes: dict[str, Any], folder: Path) -> dict[str, Cost]:
    """What each stage costs under these settings, in a scratch folder."""
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(ROOT / "stages", folder / "stages", ignore=shutil.ignore_patterns("__pycache__"))
    values = changed(read_params(str(ROOT / "params.yaml")), SMALL | changes)
    (folder / "params.yaml").write_text(json.dumps(values), encoding="utf-8")
    environment = environment_of(folder.parent) | {VARIABLE: str(folder / "cache")}
    return {
        name: cost_of([sys.executable, "-m", f"stages.{name}"], folder, environment)
        for name in tqdm(NAMES, "stages", disable=None)
    }


def of_candles(n_candles: int, folder: Path) -> dict[str, Cost]:
    """One symbol, so many candles of a minute."""
    start = pd.Timestamp("2022-01-01")
    end = (start + n_candles * pd.Timedelta("1min")).isoformat()
    return costs({"fetch.timeframe": "1m", "fetch.start": start.isoformat(), "fetch.end": end}, folder)


def of_symbols(n_symbols: int, folder: Path) -> dict[str, Cost]:
    """So many symbols, three years of hours each."""
    symbols = [f"S{number:02}/USDT" for number in range(n_symbols)]
    window = {"fetch.start": "2022-01-01", "fetch.end": f"{2022 + YEARS}-01-01"}
    return costs(window | {"fetch.timeframe": "1h", "fetch.symbols": symbols}, folder)


def exponent(sizes: list[int], values: list[float]) -> float:
    """The power of the size by which a cost grows above its fixed part; 1 where that is a line.

    Of three sizes: how much the last one costs above the first, against how much the second does. 0 where
    the last costs no more than a tenth above the first.
    """
    (size, largest), (cost, highest) = (np.array(of[1:]) - of[0] for of in (sizes, values))
    if highest <= values[0] / 10:
        return 0.0
    return float(np.log(highest / max(cost, 1e-9)) / np.log(largest / size))


def table(what: str, sizes: list[int], found: list[dict[str, Cost]]) -> str:
    """Markdown: a row a stage; seconds of processor and MB of each size, and how both grow."""
    header = ["stage", *(f"{size:,} {what}" for size in sizes), "time grows as n^", "memory as n^"]
    rows = []
    for name in NAMES:
        of_stage = [cost[name] for cost in found]
        cells = [f"{cost.cpu:.1f} s, {cost.memory / MB:,.0f} MB" for cost in of_stage]
        grows = [
            exponent(sizes, [cost.cpu for cost in of_stage]),
            exponent(sizes, [cost.memory for cost in of_stage]),
        ]
        rows.append([name, *cells, *(f"{value:.2f}" for value in grows)])
    return markdown.table(header, rows, n_left=1)


def main(scratch: Path) -> str:
    """Both tables."""
    folder = scratch / "growth"
    of_candles(SIZES[0], folder)  # compiles the modules
    growth = table("candles", SIZES, [of_candles(size, folder) for size in SIZES])
    symbols = table("symbols", N_SYMBOLS, [of_symbols(number, folder) for number in N_SYMBOLS])
    return f"{growth}\n\n{symbols}"

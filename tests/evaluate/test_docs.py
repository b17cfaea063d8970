import importlib
import json
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
EXPLAINED = set(re.findall(r"`(\w+)`", (ROOT / "docs/metrics.md").read_text(encoding="utf-8")))


def test_page_has_every_shared_key():
    """docs/metrics.md explains each key that a reader of results/metrics.json meets, for either task."""
    metrics = json.loads((ROOT / "results/metrics.json").read_text(encoding="utf-8"))

    assert {*metrics, *metrics["test"], *metrics["val"], *metrics["baselines"]} <= EXPLAINED


@pytest.mark.parametrize("task", ["direction", "volatility"])
def test_page_has_every_key_of_a_task(compared, make_inputs, task):
    """And each key of either task's own block."""
    rows, _ = compared(make_inputs(task), task)
    block = importlib.import_module(f"stages.evaluate.{task}").block

    assert set(block(rows[rows["role"] == "test"], 8760.0)) <= EXPLAINED

"""Where results were made: versions, processor, settings. No stage reads it, and no hash counts it."""

import json
import os
import platform
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from threadpoolctl import threadpool_info

import stages
from stages.common.outputs import write_text

ENVIRONMENT_FILE = Path("results/environment.json")

numpy_config: Any = np.show_config  # its types leave out what it returns

# Those that calculate, or write what is hashed.
PACKAGES = [
    *("arch", "dvc", "dvclive", "joblib", "keras", "matplotlib", "numpy", "pandas", "pyarrow"),
    *("scikit-learn", "scipy", "TA-Lib", "tensorflow"),
]


def record(stage: str) -> None:
    """Write down in what environment a stage ran, beside what is known of the other stages."""
    # Of two stages that end at the same moment one may not be written down, though its work is done.
    with suppress(FileNotFoundError):
        write_text(ENVIRONMENT_FILE, json.dumps(read() | {stage: environment()}, indent=2) + "\n")


def read() -> dict[str, Any]:
    """What is written down so far; nothing where that can't be read."""
    try:
        known = json.loads(ENVIRONMENT_FILE.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return known if isinstance(known, dict) else {}


def environment() -> dict[str, Any]:
    """Of this process: versions, the processor and what numpy uses of it, BLAS kernels, settings."""
    blas = [pool for pool in threadpool_info() if pool["user_api"] == "blas"]
    return {
        "python": platform.python_version(),
        "platform": platform.platform(),
        "processor": processor(),
        "cores": os.cpu_count(),
        "packages": {package: version(package) for package in PACKAGES},
        "numpy_uses": simd_found(),
        "blas_kernels": sorted({str(pool.get("architecture")) for pool in blas}),
        "settings": stages.in_force(),
    }


def simd_found() -> list[str]:
    """What numpy finds that the processor can do."""
    return numpy_config(mode="dicts")["SIMD Extensions"].get("found", [])


def processor() -> str:
    """The processor's name, as far as the system tells it."""
    lines = stages.cpuinfo().splitlines()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()

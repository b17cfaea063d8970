"""The pipeline's stages; and what numeric libraries may use of the processor, the same on every machine.

numpy, OpenBLAS and oneDNN choose by the processor how they calculate. The choices differ in the last bits,
and so in their hashes. Python runs this file before any module of a stage, in every process that works for
one, so that all is settled before the first import of numpy. What the environment says already stands.
"""

import os
import platform
import sys
import warnings
from pathlib import Path
from types import TracebackType

# What every x86-64 processor with AVX2 can do.
SETTINGS = {
    # Beyond AVX2, in the names of numpy 2.0 to 2.5. A name that numpy doesn't know changes nothing.
    "NPY_DISABLE_CPU_FEATURES": (
        "AVX512F AVX512CD AVX512_KNL AVX512_KNM AVX512_SKX AVX512_CLX AVX512_CNL AVX512_ICL AVX512_SPR "
        "X86_V4"
    ),
    "OPENBLAS_CORETYPE": "Haswell",
    "ONEDNN_MAX_CPU_ISA": "AVX2",
    # oneDNN cuts TensorFlow's products to fit the caches, in which even processors of one kind differ.
    "TF_ENABLE_ONEDNN_OPTS": "0",
    "TF_XLA_FLAGS": "",  # or a compiler puts sums in an order of its own
    # A sum in parts depends on their number. A stage has a process a core already.
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
}


def same_bytes_promised() -> bool:
    """Whether this machine is of the kind that gives the same bytes: Linux on x86-64 with AVX2 and FMA."""
    of_kind = (sys.platform, platform.machine()) == ("linux", "x86_64")
    return of_kind and {"avx2", "fma"} <= set(cpuinfo().split())


def cpuinfo() -> str:
    """What Linux tells of the processor; nothing where it doesn't."""
    try:
        return Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def in_force() -> dict[str, str | None]:
    """What the environment of this process says of each setting."""
    return {name: os.environ.get(name) for name in SETTINGS}


def otherwise() -> dict[str, str | None]:
    """The settings that the environment has otherwise, where the same bytes are promised under these."""
    if not same_bytes_promised():
        return {}
    return {name: value for name, value in in_force().items() if value != SETTINGS[name]}


stopped = False  # by Ctrl-C


def tell(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """Say in one line that Ctrl-C has ended a command amid its imports; show any other error as it is.

    A module in C may make another error of it, with it as its cause; or tell it by itself, and raise
    another one that knows nothing of it.
    """
    global stopped  # noqa: PLW0603 - the hook is called for each of them
    cause: BaseException | None = error
    while cause is not None and not isinstance(cause, KeyboardInterrupt):
        cause = cause.__cause__ or cause.__context__
    if cause is not None and not stopped:
        print("error: stopped.", file=sys.stderr)
    stopped = stopped or cause is not None
    if not stopped:
        sys.__excepthook__(kind, error, trace)


# The libraries take seconds to import; `errors.run` takes over after that.
sys.excepthook = tell

# Where numpy came first it has chosen; the environment stays as it is, so that `in_force` tells the truth.
if same_bytes_promised() and "numpy" not in sys.modules:
    # numpy warns of features that it wouldn't have used anyway.
    warnings.filterwarnings("ignore", "During parsing environment variable", ImportWarning)
    for setting, choice in SETTINGS.items():
        # numpy refuses to be told of both.
        if setting != "NPY_DISABLE_CPU_FEATURES" or "NPY_ENABLE_CPU_FEATURES" not in os.environ:
            os.environ.setdefault(setting, choice)

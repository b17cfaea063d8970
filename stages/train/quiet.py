"""TensorFlow's import, without what it says of itself."""

import os
import platform
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from tempfile import TemporaryFile

from stages.common.environment import simd_found

# Of C++: what is marked I, for information, and a line above it.
NOTES = (b"I0000 ", b"WARNING: All log messages before absl::InitializeLog()")


@contextmanager
def without_notes() -> Iterator[None]:
    """Keep what TensorFlow notes on its import from stderr: a few lines a process, and no news.

    They come from C++ before it has read TF_CPP_MIN_LOG_LEVEL, which keeps later ones away. All other lines
    are shown afterwards; but what C++ says as it ends the process stays hidden. So nothing is kept where it
    may say that the processor lacks AVX: on an x86 one on which numpy, too, finds none.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    if platform.machine() in {"x86_64", "AMD64"} and "AVX" not in simd_found():
        yield
        return
    sys.stderr.flush()
    shown = os.dup(2)
    with TemporaryFile() as kept:
        os.dup2(kept.fileno(), 2)
        stopped = False
        try:
            yield
        except KeyboardInterrupt:
            stopped = True  # amid an import libraries complain, at length
            raise
        finally:
            sys.stderr.flush()
            os.dup2(shown, 2)
            os.close(shown)
            kept.seek(0)
            lines = kept.read().splitlines(keepends=True)
            os.write(2, b"".join(line for line in lines if not stopped and not line.startswith(NOTES)))

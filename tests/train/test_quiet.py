"""TensorFlow's notes stay out of the log; all else that is said meanwhile doesn't."""

import os
import platform
import subprocess
import sys
from pathlib import Path

import pytest

from stages.train.quiet import without_notes

ROOT = Path(__file__).parents[2]
# What TensorFlow does on a processor that is too old for it.
ABORTS = """
import os
from stages.train import quiet

quiet.simd_found = lambda: []
with quiet.without_notes():
    os.write(2, b"compiled to use AVX instructions, but these aren't available\\n")
    os._exit(1)
"""


@pytest.mark.skipif(platform.machine() not in {"x86_64", "AMD64"}, reason="AVX is a matter of x86")
def test_a_processor_that_is_too_old_is_told():
    """C++ ends the process right after these words."""
    result = subprocess.run(
        [sys.executable, "-c", ABORTS], cwd=ROOT, capture_output=True, text=True, check=False
    )

    assert result.returncode
    assert result.stderr.startswith("compiled to use AVX instructions")


def test_what_is_no_note_is_shown(capfd: pytest.CaptureFixture[str]):
    """In the order in which it came."""
    with without_notes():
        os.write(2, b"I0000 00:00:1 1 port.cc:153] a note\n")
        os.write(2, b"W0000 00:00:1 1 gpu.cc:1] a warning\n")
        os.write(2, b"a word")
    os.write(2, b"; afterwards\n")

    assert capfd.readouterr().err.splitlines() == [
        "W0000 00:00:1 1 gpu.cc:1] a warning",
        "a word; afterwards",
    ]


def test_an_error_leaves_stderr_as_it_was(capfd: pytest.CaptureFixture[str]):
    """What was said before it is shown."""

    def fail() -> None:
        with without_notes():
            os.write(2, b"no such library\n")
            raise ImportError

    with pytest.raises(ImportError):
        fail()
    os.write(2, b"afterwards\n")

    assert capfd.readouterr().err.splitlines() == ["no such library", "afterwards"]


def test_ctrl_c_needs_no_more_words(capfd: pytest.CaptureFixture[str]):
    """What libraries say of it, amid their import, isn't shown."""

    def stop() -> None:
        with without_notes():
            os.write(2, b"Traceback (most recent call last):\n")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        stop()

    assert capfd.readouterr().err == ""


def test_the_import_says_nothing():
    """The real one, as a stage has it."""
    program = "from stages.train.quiet import without_notes\nwith without_notes(): import keras, tensorflow"
    result = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )

    assert result.stderr == ""

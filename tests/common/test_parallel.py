import os

import joblib
import pytest

from stages.common.errors import InputError
from stages.common.parallel import parallel_map


def end_elsewhere(test_process: int) -> None:
    """End the process, as the system does when memory runs out, unless it is the test's own."""
    if os.getpid() != test_process:
        os._exit(9)


@pytest.mark.skipif(joblib.cpu_count() < 2, reason="on a single core there is a single process")
def test_a_process_that_was_killed_is_one_line():
    """Most often the memory was too little: the line says so, and what helps."""
    with pytest.raises(InputError, match=r"^label must have the memory .*LOKY_MAX_CPU_COUNT=1"):
        parallel_map(end_elsewhere, [os.getpid()] * 2, "label")

import errno

import pytest

from stages.common.errors import InputError, run

ENDS = {
    "bad input": (InputError("task must be known; received 5."), "error: task must be known; received 5."),
    "Ctrl-C": (KeyboardInterrupt(), "error: stopped."),
    "a full disk": (
        OSError(errno.ENOSPC, "No space left on device", "data/x"),
        "error: this folder must be writable and have room; received: data/x: No space left on device.",
    ),
    "a disk that names no file": (
        OSError(errno.EROFS, "Read-only file system"),
        "error: this folder must be writable and have room; received: Read-only file system.",
    ),
}


def failing(error: BaseException) -> None:
    """A stage that meets this."""
    raise error


@pytest.mark.parametrize(("error", "expected"), ENDS.values(), ids=ENDS)
def test_what_the_user_can_mend_is_one_line(error: BaseException, expected: str):
    """Without a traceback, and the command has failed."""
    with pytest.raises(SystemExit) as caught:
        run(lambda: failing(error))

    assert caught.value.code == expected


@pytest.mark.parametrize("number", [errno.EACCES, errno.EDQUOT, errno.EPERM])
def test_a_folder_of_someone_else_is_one_line(number: int):
    """As a quota that is used up."""
    with pytest.raises(SystemExit) as caught:
        run(lambda: failing(OSError(number, "no", "data/x")))

    assert str(caught.value.code).endswith("received: data/x: no.")


@pytest.mark.parametrize("error", [ValueError("no"), FileNotFoundError(errno.ENOENT, "no", "data/x")])
def test_what_is_a_bug_shows_where(error: Exception):
    """With its traceback."""
    with pytest.raises(type(error), match="no"):
        run(lambda: failing(error))

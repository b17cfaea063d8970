"""What the project says to input that it can't use."""

from collections.abc import Callable

import pytest

from stages.common.errors import InputError


def refusal_of(action: Callable[[], object]) -> str:
    """The message with which the action ends, which must be one line."""
    with pytest.raises(InputError) as caught:
        action()
    message = str(caught.value)
    assert "\n" not in message
    return message

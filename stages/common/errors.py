"""Bad input ends a command with one clear line, never with a traceback."""

import sys
from collections.abc import Callable


class InputError(ValueError):
    """What a user gave can't be used: the message names the setting, the rule and what arrived."""


def run(main: Callable[[], None]) -> None:
    """Call `main`; bad input becomes one line on stderr and exit status 1."""
    try:
        main()
    except InputError as error:
        sys.exit(f"error: {error}")

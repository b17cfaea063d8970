"""Bad input ends a command with one clear line, never with a traceback; so do a full disk and Ctrl-C."""

import errno
import io
import os
import sys
from collections.abc import Callable
from typing import Any

from stages import SETTINGS, otherwise

LONGEST = 100  # characters of what arrived that a line shows
NOT_WRITABLE = {
    *(errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.ENOLCK),
    *(errno.EROFS, errno.EACCES, errno.EPERM),
    *(errno.EEXIST, errno.ENOTDIR, errno.EISDIR, errno.ELOOP),
}


class InputError(ValueError):
    """What a user gave can't be used: the message names the setting, the rule and what arrived."""


def printable(text: str, longest: int = LONGEST) -> str:
    """As much of a text as an error shows, in one line: what can't be printed is escaped."""
    start = text[: longest + 1]
    line = "".join(letter if letter.isprintable() else ascii(letter)[1:-1] for letter in start)
    return line if len(line) <= longest else f"{line[: longest - 3]}..."


def shown(value: Any) -> str:
    """A value as an error shows it: as Python writes it, in one line, and no longer than a line may be."""
    return printable(repr(value))


def run(main: Callable[[], None]) -> None:
    """Call `main`; what the user can mend, or has stopped, becomes one line on stderr and exit status 1.

    A letter that the terminal can't show is printed as its number in Unicode. First of all it says which
    settings of the processor aren't the project's own.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    for name, value in otherwise().items():
        print(
            f"note: {name} is {shown(value)}, not {SETTINGS[name]!r}: "
            "bytes may differ from other machines'.",
            file=sys.stderr,
        )
    try:
        main()
        sys.stdout.flush()
    except BrokenPipeError:  # whoever reads it, as `head`, has enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        sys.exit(1)
    except (InputError, KeyboardInterrupt, MemoryError, UnicodeEncodeError, OSError) as error:
        line = in_one_line(error)
        if line is None:
            raise
        sys.exit(f"error: {line}")


def in_one_line(error: BaseException) -> str | None:
    """What a user can do about an error; None where it is the program's own."""
    match error:
        case KeyboardInterrupt():
            return "stopped."
        case MemoryError():
            asked = f": {printable(str(error))}" if str(error) else ""
            return (
                "this machine must have the memory that the settings take (`make check` says how much); "
                f"received the end of it{asked}."
            )
        case UnicodeEncodeError() if (names := sys.getfilesystemencoding()) != "utf-8":
            return (
                "the locale must have every letter of fetch.symbols, for files are named after them; "
                f"received {names}: set LC_ALL to one of UTF-8, or PYTHONUTF8 to 1."
            )
        case OSError() if error.errno in NOT_WRITABLE:
            place = f"{error.filename}: " if error.filename else ""
            return f"this folder must be writable and have room; received: {place}{error.strerror}."
    return str(error) if isinstance(error, InputError) else None

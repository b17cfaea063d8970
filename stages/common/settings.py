"""A file of settings, read as DVC reads it, so that dvc.lock holds just what a stage was given.

That is YAML 1.2 by ruamel.yaml, which comes with DVC: `010` is ten, `yes` a text, `5e-05` a number. Of YAML
only what settings need. No stage lists this file as a dependency: what it reads stands in dvc.lock.
"""

from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, StringMark, YAMLError
from ruamel.yaml.events import (
    AliasEvent,
    CollectionEndEvent,
    CollectionStartEvent,
    DocumentStartEvent,
    Event,
    ScalarEvent,
)

from stages.common.errors import InputError, printable

LONGEST_FILE = 30_000  # bytes; ten times params.yaml, and read in a fraction of a second
LONGEST_VALUE = 1_000  # characters
DEEPEST = 20  # blocks in blocks: Python's stack ends at a thousand

# What ruamel.yaml raises beside its own errors: of a date that is none, of a number that is too long.
UNREADABLE = (ArithmeticError, AttributeError, LookupError, TypeError, ValueError)


def read_settings(path: str) -> Any:
    """What a YAML file holds, as plain values. Raises InputError if it is none, or not a plain one."""
    text = read_text(path, LONGEST_FILE, f"{path} must be a readable file")
    unquoted: list[ScalarEvent] = []
    try:
        unquoted = unquoted_values(text, path)
        return YAML(typ="safe").load(text)
    except InputError:
        raise
    except (YAMLError, *UNREADABLE) as error:
        raise InputError(f"{path} must be YAML; received: {reason(error, unquoted)}.") from None


def read_text(path: str, longest: int, rule: str) -> str:
    """The text of a file, UTF-8, of at most `longest` bytes. Raises InputError, which names the rule."""
    file = Path(path)
    try:
        if file.exists() and not file.is_file():  # a pipe would have it wait for ever
            raise InputError(f"{rule}; received something else than a file.")
        if file.stat().st_size > longest:
            raise InputError(
                f"{rule} of at most {longest:,} bytes; received {file.stat().st_size:,} bytes."
            )
        return file.read_text(encoding="utf-8")
    except OSError as error:
        raise InputError(f"{rule}; received: {error.strerror}.") from None
    except UnicodeDecodeError as error:
        raise InputError(f"{rule} in UTF-8; received: {error.reason}, at byte {error.start}.") from None


def unquoted_values(text: str, path: str) -> list[ScalarEvent]:
    """Every value without quotes; nothing is made of them yet.

    Raises InputError where the text has what settings don't need, for it could mean anything, or grow:
    anchors, aliases, merge keys, tags, a YAML version, blocks in blocks without end. Raises YAMLError if it
    is no YAML.
    """
    depth, found = 0, []
    for event in YAML(typ="safe", pure=True).parse(text):
        line = line_of(event.start_mark)
        depth += isinstance(event, CollectionStartEvent) - isinstance(event, CollectionEndEvent)
        if depth > DEEPEST:
            raise InputError(f"{path} must nest at most {DEEPEST} blocks; received more in {line}.")
        if isinstance(event, ScalarEvent) and len(event.value) > LONGEST_VALUE:
            raise InputError(
                f"{path} must have values of at most {LONGEST_VALUE:,} characters; "
                f"received {len(event.value):,} in {line}."
            )
        if extra(event):
            raise InputError(
                f"{path} must be plain, without anchors, aliases, merge keys, tags and directives; "
                f"received {printable(extra(event))} in {line}."
            )
        if isinstance(event, ScalarEvent) and event.style is None:
            found.append(event)
    return found


def extra(event: Event) -> str:
    """What an event of the parser has beside plain values, empty if nothing."""
    if isinstance(event, DocumentStartEvent):
        return "a directive" if event.version or event.tags else ""
    if isinstance(event, AliasEvent):
        return f"*{event.anchor}"
    if isinstance(event, CollectionStartEvent | ScalarEvent):
        if event.anchor:
            return f"&{event.anchor}"
        if event.tag:
            return str(event.tag)
    return "<<" if isinstance(event, ScalarEvent) and event.style is None and event.value == "<<" else ""


def reason(error: Exception, unquoted: list[ScalarEvent]) -> str:
    """Line and reason of what can't be read, as an error shows it."""
    if isinstance(error, MarkedYAMLError) and error.problem_mark:
        text = f"{line_of(error.problem_mark)}: {error.problem}"
    else:
        text = f"{unreadable_value(unquoted)}{error}"
    return printable(" ".join(text.split()))


def unreadable_value(unquoted: list[ScalarEvent]) -> str:
    """Line and text of a value that Python can't take, as the start of a reason; empty without one."""
    for event in unquoted:
        try:
            YAML(typ="safe").load(event.value)
        except UNREADABLE:
            return f"{line_of(event.start_mark)}: {event.value[:40]}, "
        except YAMLError:
            pass  # a text that is no document of its own
    return ""


def line_of(mark: StringMark) -> str:
    """Where in the file, counted from 1."""
    return f"line {mark.line + 1}"

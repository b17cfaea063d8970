import os
import subprocess
import sys
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from dvc.utils.serialize import load_yaml

from stages.common.errors import InputError
from stages.common.settings import DEEPEST, LONGEST_FILE, LONGEST_VALUE, read_settings

SPELLINGS: dict[str, Any] = {
    "010": 10,
    "0o10": 8,
    "0x10": 16,
    "1_000": 1000,
    "1:10": "1:10",
    "yes": "yes",
    "off": "off",
    "True": True,
    "5e-05": 5e-05,
    "1e-05": 1e-05,
    "1e1": 10.0,
    "10.0": 10.0,
    ".5": 0.5,
    "~": None,
    "": None,
    "none": "none",
    "2022-01-01": date(2022, 1, 1),
    "'2022-01-01'": "2022-01-01",
    "BTC/USDT": "BTC/USDT",
    "[1, '2', three]": [1, "2", "three"],
}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where a file of settings may be put."""
    return tmp_path / "params.yaml"


def refusal(path: Path) -> str:
    """What is said of the file: one line, that names it first."""
    with pytest.raises(InputError) as caught:
        read_settings(str(path))
    line = str(caught.value)
    assert line.isprintable()
    assert len(line) < len(str(path)) + 250
    assert line.startswith(f"{path} must ")
    return line.removeprefix(f"{path} ")


def identical(actual: Any, expected: Any) -> bool:
    """Equal, and of the same type: 1, 1.0 and True are equal to Python."""
    return repr(actual) == repr(expected)


@pytest.mark.parametrize(("spelling", "value"), SPELLINGS.items())
def test_a_spelling_means_what_it_means_to_dvc(path, spelling, value):
    """YAML 1.2: no octal numbers, no sexagesimal ones, no `yes`; a number needs no point."""
    path.write_text(f"key: {spelling}\n", encoding="utf-8")

    found = read_settings(str(path))

    assert identical(found, {"key": value})
    assert identical(found, load_yaml(str(path)))


def test_what_is_read_is_what_dvc_locks(tmp_path, path):
    """The real dvc writes the same values into dvc.lock, each of the same type."""
    keys = {
        f"key{number}": spelling for number, spelling in enumerate(SPELLINGS) if "01-01" not in spelling
    }
    path.write_text("".join(f"{key}: {spelling}\n" for key, spelling in keys.items()), encoding="utf-8")
    dvc = [sys.executable, "-m", "dvc"]
    commands: list[list[str]] = [
        ["init", "--quiet", "--no-scm"],
        ["stage", "add", "--quiet", "--run", "--name", "one", "--params", ",".join(keys), "true"],
    ]

    for command in commands:
        env = os.environ | {"DVC_NO_ANALYTICS": "1"}
        subprocess.run([*dvc, *command], cwd=tmp_path, env=env, check=True, capture_output=True)

    locked = load_yaml(str(tmp_path / "dvc.lock"))["stages"]["one"]["params"]["params.yaml"]
    read = read_settings(str(path))
    assert {key: repr(value) for key, value in locked.items()} == {
        key: repr(value) for key, value in read.items()
    }


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a: 1\nb: 2\na: 3", ["line 3", 'duplicate key "a"']),
        ("a:\n  b: 2022-02-30", ["line 2: 2022-02-30", "day"]),
        ("a: 2022-01-01T25:00:00", ["line 1", "hour"]),
        ("a: -_", ["line 1: -_"]),
        ("a: &x 1", ["plain", "&x", "line 1"]),
        ("a: 1\nb: *a", ["plain", "*a", "line 2"]),
        ("a: {<<: {b: 1}}", ["plain", "<<"]),
        ("a: !!int '5'", ["plain", "tag", "int"]),
        ("a: !!python/object/apply:os.system [ls]", ["plain", "python/object"]),
        ("a: !foo 1", ["plain", "!foo"]),
        ("%YAML 1.1\n---\na: 010", ["plain", "directive"]),
        ("a: 1\n---\nb: 2", ["another document"]),
        ("a: " + "9" * 5000, [f"{LONGEST_VALUE:,} characters", "5,000", "line 1"]),
        ("9" * 5000 + ": 1", ["line 1"]),
        ("a: " + "[" * 1000, [f"{DEEPEST} blocks"]),
        ("a: " + "{b: " * 1000, [f"{DEEPEST} blocks"]),
        ("a: |\n" + "  long line\n" * 1000, [f"{LONGEST_VALUE:,} characters"]),
        ("a: 1\n" * LONGEST_FILE, [f"{LONGEST_FILE:,} bytes", f"{5 * LONGEST_FILE:,} bytes"]),
        ("a: \x00", ["#x0000"]),
        ("a: \x1b[2J", ["#x001b"]),
        ("? {a: 1}\n: 2", ["line 1", "unhashable"]),
        ("a: [1", ["line 1"]),
        ("a: 1\n\tb: 2", ["line 2"]),
    ],
    ids=lambda case: case[:20] if isinstance(case, str) else "",
)
def test_what_settings_need_not_is_a_line(path, text, words):
    """Where in the file, and what; whatever it would mean, or grow to, it is refused."""
    path.write_text(text, encoding="utf-8")

    line = refusal(path)

    for word in words:
        assert word in line


def test_aliases_of_aliases_are_refused_at_the_first(path):
    """A hundred bytes of them would be gigabytes of values."""
    lines = [
        f"{later}: &{later} [{', '.join(9 * [f'*{earlier}'])}]"
        for earlier, later in zip("abcdefgh", "bcdefghi", strict=True)
    ]
    path.write_text("\n".join(["a: &a [lol]", *lines]), encoding="utf-8")

    assert "received &a in line 1" in refusal(path)


@pytest.mark.parametrize("encoding", ["utf-16", "utf-32", "latin-1"])
def test_another_encoding_is_a_line(path, encoding):
    """DVC reads UTF-8, so nothing else will do."""
    path.write_text("a: ü", encoding=encoding)

    assert refusal(path).startswith("must be a readable file in UTF-8; received: ")


def test_a_byte_order_mark_is_no_part_of_the_first_key(path):
    """Windows' Notepad writes one; DVC passes over it as well."""
    path.write_text("\ufefftask: direction", encoding="utf-8")

    assert read_settings(str(path)) == {"task": "direction"} == load_yaml(str(path))


def test_what_is_no_file_is_a_line(path):
    """A folder has no text, and a pipe would have the reader wait for ever."""
    path.mkdir()
    assert refusal(path) == "must be a readable file; received something else than a file."
    path.rmdir()
    if hasattr(os, "mkfifo"):
        os.mkfifo(path)
        assert refusal(path) == "must be a readable file; received something else than a file."

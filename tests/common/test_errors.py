import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from stages.common.errors import LONGEST, InputError, printable, run, shown

ROOT = Path(__file__).parents[2]

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


@pytest.mark.parametrize(
    "number",
    [errno.EACCES, errno.EDQUOT, errno.EPERM, errno.EFBIG, errno.EEXIST, errno.ENOTDIR, errno.EISDIR],
)
def test_a_place_that_cannot_be_written_is_one_line(number: int):
    """A folder of someone else, a quota that is used up, a file where a folder should be."""
    with pytest.raises(SystemExit) as caught:
        run(lambda: failing(OSError(number, "no", "data/x")))

    assert str(caught.value.code).endswith("received: data/x: no.")


@pytest.mark.parametrize("error", [ValueError("no"), FileNotFoundError(errno.ENOENT, "no", "data/x")])
def test_what_is_a_bug_shows_where(error: Exception):
    """With its traceback."""
    with pytest.raises(type(error), match="no"):
        run(lambda: failing(error))


def ends(program: str, **environment: str) -> subprocess.CompletedProcess[bytes]:
    """A program of one line, run as a stage is, with these variables set."""
    return subprocess.run(
        [sys.executable, "-c", f"from stages.common.errors import InputError, run; run({program})"],
        cwd=ROOT,
        env={**os.environ, "PYTHONUTF8": "0", **environment},
        capture_output=True,
        check=False,
    )


NARROW = {
    "Windows": {"PYTHONIOENCODING": "cp1252"},
    "ASCII": {"PYTHONIOENCODING": "ascii:strict"},
    "the C locale": {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0"},
}


@pytest.mark.parametrize("kind", NARROW)
def test_a_letter_that_the_terminal_lacks_is_printed_as_its_code(kind: str):
    """On stdout, where the summary goes, and on stderr, where errors do."""
    done = ends(r"lambda: print('fetch: \u5e01/USDT')", **NARROW[kind])
    assert (done.returncode, done.stdout.split(), done.stderr) == (0, [b"fetch:", rb"\u5e01/USDT"], b"")

    failing_program = r"lambda: (_ for _ in ()).throw(InputError('received \u5e01.'))"
    failed = ends(failing_program, **NARROW[kind])
    assert (failed.returncode, failed.stdout) == (1, b"")
    assert failed.stderr.rstrip() == rb"error: received \u5e01."


def test_a_letter_that_the_terminal_has_is_printed():
    """As it is."""
    assert ends(r"lambda: print('\u5e01')", PYTHONIOENCODING="utf-8").stdout.decode().strip() == "\u5e01"


@pytest.mark.skipif(sys.platform == "win32", reason="there, file names are UTF-16 whatever the locale")
def test_a_letter_that_file_names_lack_is_one_line():
    """A locale that can't write a symbol's file says so."""
    program = r"lambda: open('\u5e01.csv')"
    failed = ends(program, LC_ALL="C", PYTHONCOERCECLOCALE="0")

    assert failed.returncode == 1
    assert failed.stderr.startswith(b"error: the locale must have every letter of fetch.symbols")
    assert failed.stderr.count(b"\n") == 1


@pytest.mark.parametrize("program", ["lambda: bytes(10**18)", "lambda: __import__('numpy').ones(10**15)"])
def test_too_little_memory_is_one_line(program: str):
    """Python's own error has no words, numpy's says how much it asked for."""
    failed = ends(program)

    assert failed.returncode == 1
    assert failed.stderr.startswith(b"error: this machine must have the memory that the settings take")
    assert failed.stderr.count(b"\n") == 1


@pytest.mark.skipif(sys.platform == "win32", reason="has no such pipes")
def test_whoever_reads_may_stop():
    """`| head` ends a command without a word."""
    program = "from stages.common.errors import run; run(lambda: print('a line\\n' * 10**6))"
    with subprocess.Popen(
        [sys.executable, "-c", program], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as writer:
        assert writer.stdout
        assert writer.stderr
        writer.stdout.readline()
        writer.stdout.close()

        assert (writer.stderr.read(), writer.wait(60)) == (b"", 1)


def test_a_text_that_cant_be_encoded_elsewhere_is_a_bug():
    """With its traceback, where the locale has every letter."""
    with pytest.raises(UnicodeEncodeError):
        run(lambda: print("\u5e01".encode("ascii")))


@pytest.mark.parametrize(
    "path",
    sorted(path for floor in ("stages", "tools") for path in (ROOT / floor).rglob("*.py")),
    ids=lambda path: path.relative_to(ROOT).as_posix(),
)
def test_every_command_passes_through_here(path: Path):
    """What is run as a program calls `run`, and nothing else; a stage `run_stage`, which does."""
    _, found, program = path.read_text(encoding="utf-8").partition('if __name__ == "__main__":')

    folder = path.parent.relative_to(ROOT)
    a_stage = f'run_stage("{path.parent.name}", main)' if folder.parts[0] == "stages" else "run(main)"
    alone = f'run(alone("{".".join(folder.parts)}", main))'
    bare = "run(without_options(main, __doc__))"
    if path == ROOT / "tools/compare/post.py":  # it runs where nothing is installed
        bare = "main()"
    assert not found or program.strip() in {a_stage, alone, bare}
    assert found or path.name != "__main__.py"


BY_C = (
    "try:\n raise KeyboardInterrupt\nexcept BaseException as error:\n raise ImportError('numpy') from error"
)


TOLD_BY_C = (
    "import sys\ntry:\n raise KeyboardInterrupt\nexcept BaseException:\n sys.excepthook(*sys.exc_info())\n"
    "raise ImportError('numpy')"
)


@pytest.mark.parametrize(
    ("program", "last"),
    [
        ("raise KeyboardInterrupt", "error: stopped."),
        (BY_C, "error: stopped."),
        (BY_C.removesuffix(" from error"), "error: stopped."),
        (TOLD_BY_C, "error: stopped."),
        ("raise ValueError", "ValueError"),
        (BY_C.replace("KeyboardInterrupt", "OSError"), "ImportError: numpy"),
    ],
)
def test_ctrl_c_amid_imports_is_one_line(program: str, last: str):
    """Which take most of a stage's time, and may make another error of it; a bug's shows where it is."""
    result = subprocess.run(
        [sys.executable, "-c", f"import stages\n{program}"],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=False,
    )

    lines = result.stderr.splitlines()
    assert result.returncode != 0
    assert lines[-1] == last
    assert (len(lines) == 1) == (last == "error: stopped.")


@pytest.mark.parametrize(
    "text", ["x" * 1000, "\x00" * 1000, "\U000e0001" * 1000, "\u202e\x1b[2J\r\n\ud800", ""]
)
def test_what_arrived_is_shown_in_a_line(text: str):
    """A hundred characters at most, each of which can be printed, whatever they were."""
    line = printable(text)

    assert len(line) <= LONGEST
    assert line.isprintable()
    assert printable(line) == line


def test_a_short_text_is_shown_as_it_is():
    """Letters of any alphabet; only what is cut ends in dots."""
    assert printable("BTC/USDT, ü, ☃") == "BTC/USDT, ü, ☃"
    assert printable("x" * LONGEST) == "x" * LONGEST
    assert printable("x" * (LONGEST + 1)) == "x" * (LONGEST - 3) + "..."


def test_a_value_is_shown_as_python_writes_it():
    """So that a text can be told from a number."""
    assert [shown(value) for value in ("5", 5, None, ["a\n"])] == ["'5'", "5", "None", r"['a\n']"]

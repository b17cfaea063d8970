"""No params.yaml ends in a traceback, in a screenful, or in settings that DVC reads otherwise.

Two kinds of mutants of the project's own file: each setting with each of many values, and the text after
random accidents, as of an editor. They are the same each time; the quick test takes some of them.
"""

import math
import random
import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from dvc.utils.serialize import parse_yaml

from stages.common.errors import InputError
from stages.params import check_params, read_params
from tools.check import check

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "params.yaml").read_text(encoding="utf-8")
LONGEST_LINE = 300  # characters: a rule, and a hundred of what arrived
LONGEST_CHECK_SECONDS = 10

# As they are spelled in YAML. Some are sound for some settings: then they must be what DVC takes them for.
WORDS = """
0 1 -1 2 7 010 0o17 0x1F 0b11 1_000 +5 -0 08 1:10 1:10:30 10.0 1e1 5e-05 1e-05 1.e-3 .5 5. 1e308
1e-308 1e400 -1e400 1e300 .inf -.inf .nan .Inf 0.1e 1e 1.2.3 1,000 0x 0b2 -_ +_ 0o_ _1 1e9 1000000
10000001 4294967296 -1.5 18446744073709551616 0.99999999999999999 yes no on off y True FALSE null ~
Null none None nan inf 2022-01-01 2022-02-30 2022-01-01T25:00 20220101 '20220101' '2022-01-01'
'9999-12-31' '0001-01-01' '2225-01-01' '2022-W01-1' '2099-12-31T23:59:59.999999+23:59' [] {} [[]]
[1,2,3] [1,1] [BTC/USDT,BTC/USDT] ['',''] [~] {a:1} [1,2,[3]] [1, {a: ] } &a *a !!null !foo !!int <<
= ! @x `x` %x 'open "open "\\x00" "\\ud800" "\\u202e" | > \u202eabc \ufeff \x01 \x7f \u2603
../../etc/passwd '1' "1h" 1m 9999w 4w 60m direction volatility simulated binance holdout lstm
balanced zero true_range Europe/Berlin
"""
VALUES = [
    *WORDS.split(),
    "",
    "2022-01-01 00:00:00",
    "{a: 1}",
    "{1: 2}",
    "[1 2]",
    "&a 1",
    "&a [*a]",
    "!!int '5'",
    "!!set {a}",
    "- 1",
    "!!python/object:os.system x",
    "!foo 1",
    "!!binary aGk=",
    "{<<: {a: 1}}",
    "|\n      text",
    "'a\x00b'",
    "? x",
    "\x85",
    "\u2028",
    "a: b: c",
    "# comment",
    "9" * 400,
    "9" * 5000,
    f"0x{'f' * 900}",
    "x" * 900,
    "x" * 2000,
    "[" * 1000,
    "[" * 30 + "]" * 30,
    "{a: " * 30 + "}" * 30,
    "'" + "\\" * 500 + "'",
    "B" * 40 + "/" + "U" * 40,
]
ALIASES_OF_ALIASES = "".join(f"{b}: &{b} [*{a}, *{a}]\n" for a, b in pairwise("abcdefghijkl"))
WHOLE_FILES = [
    *(
        "",
        " ",
        "\n",
        "---",
        "---\n---",
        "...",
        "null",
        "5",
        "[]",
        "task",
        "task: direction",
        "\x00",
        "\ufeff",
    ),
    f"{TEXT}---\n{TEXT}",
    TEXT + TEXT,
    TEXT + "task: volatility\n",
    f"%YAML 1.1\n---\n{TEXT}",
    f"%TAG ! tag:x,2000:\n---\n{TEXT}",
    f"\ufeff{TEXT}",
    TEXT.replace("\n", "\r\n"),
    TEXT.replace("\n", "\r"),
    TEXT.replace("  ", "\t"),
    TEXT + "# " + "x" * 20_000,
    TEXT + "# " + "x" * 200_000,
    TEXT + "x: " + "[1, " * 5000,
    TEXT + "- " * 5000,
    TEXT + "? " * 5000,
    f"a: &a [x, x]\n{ALIASES_OF_ALIASES}",
    "".join(f"{' ' * depth}a:\n" for depth in range(200)),
    TEXT.replace("task:", "'task':").replace("fetch:", '"fetch":'),
    TEXT.replace("train:", "? train\n:"),
    TEXT.replace("train:", f"{'x' * 5000}:"),
    TEXT.replace("train:", f"{'x' * 900}:"),
    TEXT.replace("train:", '"\\e[2J\\a":'),
    TEXT.replace("train:", "[1, 2]:"),
    TEXT.replace("train:", "{a: 1}:"),
    TEXT.replace("  units:", "  5:"),
    TEXT.replace("  units:", "  ~:"),
    TEXT.replace("  units:", "  2022-01-01:"),
]
ODD_LETTERS = " \t\n\r:-#'\"[]{},&*!|>%@`?~.\\_0123456789eExXoabnty\x00\x07\x1b\x85\u2028\ufeff\u202e\u2603"

MUTANTS_OF_TEXT = 1_500


def lines_with_value() -> list[int]:
    """The lines of params.yaml that hold a setting's only value or one of its list."""
    lines = TEXT.splitlines()
    return [
        number
        for number, line in enumerate(lines)
        if line.strip() and not line.partition("#")[0].rstrip().endswith(":")
    ]


def with_values() -> Iterator[str]:
    """params.yaml with each value replaced by each hostile one."""
    for number in lines_with_value():
        lines = TEXT.splitlines()
        start = (
            lines[number].partition(": ")[0] + ":"
            if ": " in lines[number]
            else lines[number].partition("- ")[0] + "-"
        )
        for value in VALUES:
            lines[number] = start + value
            yield "\n".join(lines) + "\n"


def with_accident(text: str, rng: random.Random) -> str:
    """The text after one accident: a letter or a line lost, doubled, moved, or put in."""
    place, other = rng.randrange(len(text)), rng.randrange(len(text))
    lines = text.splitlines(keepends=True)
    line, goal = rng.randrange(len(lines)), rng.randrange(len(lines))
    match rng.randrange(8):
        case 0:
            return text[:place] + text[place + 1 :]
        case 1:
            return text[:place] + rng.choice(ODD_LETTERS) + text[place:]
        case 2:
            return text[:place] + rng.choice(ODD_LETTERS) + text[place + 1 :]
        case 3:
            return (
                text[: min(place, other)] + text[max(place, other) :]
                if rng.random() < 0.2
                else text[:place]
            )
        case 4:
            lines[line], lines[goal] = lines[goal], lines[line]
        case 5:
            del lines[line]
        case 6:
            lines.insert(goal, lines[line])
        case _:
            lines[line] = " " * rng.randrange(9) + lines[line].lstrip(" ")
    return "".join(lines)


def with_accidents() -> Iterator[str]:
    """params.yaml after one to three accidents, a seed each."""
    for seed in range(MUTANTS_OF_TEXT):
        rng, text = random.Random(seed), TEXT  # noqa: S311  (no secret)
        for _ in range(rng.choice([1, 1, 1, 2, 3])):
            text = with_accident(text or TEXT, rng)
        yield text


def mutants() -> list[str]:
    """All of them, whole files first."""
    return [*WHOLE_FILES, *with_values(), *with_accidents()]


def leaves(value: Any) -> Iterator[Any]:
    """Every value that is no block and no list."""
    if not isinstance(value, dict | list):
        yield value
        return
    for each in value.values() if isinstance(value, dict) else value:
        yield from leaves(each)


def within_bounds(value: Any) -> bool:
    """Whether a setting is of a size that arithmetic and memory can take."""
    if isinstance(value, str):
        return len(value) <= 130
    return math.isfinite(value) and abs(value) <= 2**32


def verdict(path: Path, text: str) -> str:
    """How `check` takes this text: it is `refused`, or `sound`, or what is wrong with how it is taken."""
    path.write_text(text, encoding="utf-8", newline="")
    try:
        check(str(path))
    except InputError as error:
        line = str(error).replace(str(path), "params.yaml")
        short = line.isprintable() and len(line) <= LONGEST_LINE
        return "refused" if short else f"a bad line, {len(line)} long: {line[:500]!r}"
    values = read_params(str(path))
    if repr(values) != repr(parse_yaml(path.read_text(encoding="utf-8"), str(path))):
        return f"{values} isn't what DVC reads"
    params = check_params(values)
    if values != params.model_dump():
        return f"{values} became {params}"
    return "sound" if all(map(within_bounds, leaves(values))) else f"{values} has no bounds"


@pytest.fixture(autouse=True)
def _here(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """An empty folder, and no options for ccxt."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("CCXT_CONFIG", raising=False)


def test_a_hostile_file_is_a_line_or_what_dvc_reads(tmp_path):
    """Of some mutants, each is refused in a short line, or read as DVC reads it."""
    texts = [*WHOLE_FILES, *mutants()[len(WHOLE_FILES) :: 23]]

    verdicts = {text: verdict(tmp_path / "params.yaml", text) for text in texts}

    assert {text: found for text, found in verdicts.items() if found not in {"refused", "sound"}} == {}
    assert set(verdicts.values()) == {"refused", "sound"}


@pytest.mark.slow
def test_every_hostile_file_is_a_line_or_what_dvc_reads(tmp_path):
    """Of thousands, each is, in seconds; and enough are taken for that to say something."""
    texts, n_sound = mutants(), 0
    assert len(texts) >= 3_500

    for text in texts:
        before = time.monotonic()
        found = verdict(tmp_path / "params.yaml", text)
        assert found in {"refused", "sound"}, text
        assert time.monotonic() - before < LONGEST_CHECK_SECONDS, text
        n_sound += found == "sound"

    assert n_sound > 100

"""No CCXT_CONFIG ends in a traceback or shows a secret, whatever stands in it and whatever it is."""

import json
import os
import random
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import ccxt
import pytest

from stages.common.errors import InputError
from stages.fetch.exchange.complaints import without_secrets
from stages.fetch.exchange.connection import endpoint_tag, load_markets, open_exchange
from stages.fetch.exchange.options import DEEPEST_CONFIG, LONGEST_CONFIG

SECRET = "S3CR3T-k3y"  # noqa: S105  (of nothing)
NOBODY = "http://127.0.0.1:1"  # where no server is
SOUND = {"urls": {"api": {"public": f"{NOBODY}/{SECRET}"}}, "apiKey": SECRET, "rateLimit": 1}
VALUES = [
    *(
        None,
        True,
        False,
        0,
        -1,
        0.5,
        1e308,
        1e-300,
        float("nan"),
        float("inf"),
        -(10**30),
        "",
        " \x00\n\u202e",
    ),
    *(SECRET, f"http://user:{SECRET}@127.0.0.1:1", f"{SECRET}\r\nx: y", [], [SECRET], [None], [[SECRET]]),
    *({}, {SECRET: SECRET}, {"a": None}, {"": ""}, {"public": None}, {"public": SECRET}, {"api": SECRET}),
]
# Some of ccxt's code, which an option of that name would replace, and its data, which any option may be.
CODE = ["__class__", "__dict__", "__del__", "close", "describe", "fetch", "logger", "session", "throttle"]
BLOCKS = ["urls", "options", "headers", "has", "timeframes", "proxies", "api", "exceptions", "fees"]
INNER = ["api", "public", "test", "fetchMarkets", "defaultType", "Accept", "x"]
DEPTHS = [DEEPEST_CONFIG + 1, 400, 900, 1_000, 6_000]
TEXTS = [
    *(
        "",
        "null",
        "5",
        "[]",
        f'"{SECRET}"',
        "{",
        f'{{"{SECRET}',
        SECRET,
        "NaN",
        "\ufeff{}",
        "\x00",
        '{"a": 1,}',
    ),
    *('{"a": 1, "a": 2}', '{"timeout": NaN}', '{"rateLimit": 1e400}', f'{{"timeout": {"9" * 5000}}}'),
    *("[" * depth for depth in DEPTHS),
    *('{"urls":' * depth for depth in DEPTHS),
    *('{"urls":' * depth + "1" + "}" * depth for depth in DEPTHS),
    *(f'{{"apiKey": {"[" * depth}"{SECRET}"{"]" * depth}}}' for depth in DEPTHS),
    json.dumps({"apiKey": SECRET, "x": "x" * LONGEST_CONFIG}),
]
ACCIDENTS = 300


def options() -> list[str]:
    """Names that mean something to ccxt."""
    usual = ccxt.binance()
    return [*CODE, *(name for name in vars(usual) if not callable(getattr(usual, name)))]


def texts() -> list[str]:
    """Whole files; each option with each value, outermost and inside; a sound file after accidents."""
    outer = [{**SOUND, name: value} for name in options() for value in VALUES]
    inner = [{**SOUND, block: {name: value}} for block in BLOCKS for name in INNER for value in VALUES]
    return [*TEXTS, *map(json.dumps, outer + inner), *accidents()]


def accidents() -> Iterator[str]:
    """A sound file that lost, doubled or gained a few letters, a seed each."""
    for seed in range(ACCIDENTS):
        rng, text = random.Random(seed), json.dumps(SOUND)  # noqa: S311  (no secret)
        for _ in range(rng.randrange(1, 4)):
            place = rng.randrange(len(text))
            text = text[:place] + rng.choice(["", text[place] * 2, *'{}[]",:\\0\x00é']) + text[place + 1 :]
        yield text


def complaints(path: Path, text: str, waits: list[float]) -> list[str]:
    """What is said of an exchange that is opened, and asked, with this file: a line each, if anything."""
    path.write_text(text, encoding="utf-8")
    waits.clear()
    lines = []
    for use in (lambda: endpoint_tag("binance"), list_markets):
        try:
            use()
        except InputError as error:
            lines.append(str(error).replace(str(path), "ccxt.json"))
    return lines


def list_markets() -> None:
    """Open the exchange and have it list its markets."""
    with closing(open_exchange("binance")) as exchange:
        load_markets(exchange, ["BTC/USDT"])


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where CCXT_CONFIG says that the options are."""
    monkeypatch.setenv("CCXT_CONFIG", str(tmp_path / "ccxt.json"))
    return tmp_path / "ccxt.json"


def failures(
    path: Path, some: list[str], waits: list[float], capsys: pytest.CaptureFixture[str]
) -> dict[str, list[str]]:
    """What is said of each text that isn't taken well: no line, a long one, or a secret."""
    found = {}
    for text in some:
        lines = complaints(path, text, waits)
        printed = capsys.readouterr()
        said = "".join([*lines, printed.out, printed.err])
        well = lines and all(line.isprintable() and len(line) < 600 for line in lines)
        if not well or SECRET in said or "Traceback" in said:
            found[text] = [*lines, printed.err]
    return found


def test_hostile_options_are_a_line_without_a_secret(path, waits, capsys):
    """Of some: nobody answers, so that each ends in a line, and it's short and shows nothing."""
    some = [*TEXTS, *texts()[len(TEXTS) :: 97]]

    assert failures(path, some, waits, capsys) == {}


@pytest.mark.slow
def test_many_hostile_options_are_a_line_without_a_secret(path, waits, capsys):
    """Of eight hundred more: each takes a tenth of a second, for ccxt is opened several times."""
    many = texts()[::5]
    assert len(many) > 800

    assert failures(path, many, waits, capsys) == {}


@pytest.mark.parametrize("name", CODE)
def test_no_option_replaces_ccxts_code(path, name):
    """It would be called, or closed, and what that raises is nobody's line."""
    path.write_text(json.dumps({name: SECRET}))

    with pytest.raises(InputError, match=f"must hold options of ccxt's; received {name}, which is none"):
        open_exchange("binance")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="Windows has none")
def test_a_pipe_is_no_file(path):
    """It could be read once, and ccxt's options are read several times."""
    os.mkfifo(path)

    with pytest.raises(InputError, match="received something else than a file"):
        open_exchange("binance")


@pytest.mark.parametrize(
    "config", [{"apiKey": ["k1", "k2"]}, {"secret": {"a": "k1"}}, {"headers": {"x": 1234567}}]
)
def test_a_secret_in_a_list_or_a_number_is_hidden(path, config):
    """Wherever it stands in the options."""
    path.write_text(json.dumps(config))

    assert without_secrets("keys: k1 1234567").count("***") == 1

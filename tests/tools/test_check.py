"""`python -m tools.check`, which `make repro` runs before DVC."""

import re
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import get_args

import pytest

from stages.common.errors import InputError
from stages.common.task import TASKS
from stages.fetch.params import FetchParams
from tests.settings import write_params
from tools.check import HOPELESS, check_memory, main

SOURCES = get_args(FetchParams.model_fields["source"].annotation)

ROOT = Path(__file__).parents[2]


def check(path: Path) -> subprocess.CompletedProcess[str]:
    """Run the tool on a file."""
    return subprocess.run(
        [sys.executable, "-m", "tools.check", str(path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_committed_parameters_pass(tmp_path):
    """params.yaml as it is in git is sound."""
    shutil.copy(ROOT / "params.yaml", tmp_path)

    result = check(tmp_path / "params.yaml")

    assert (result.returncode, result.stderr) == (0, "")
    assert re.fullmatch(
        r"about [0-9.]+ GB of memory at the peak, in train; 26,304 bars of 1 symbol\n", result.stdout
    )


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("task", "directoin", ["task", ", ".join(TASKS), "'directoin'"]),
        ("fetch.source", "exchagne", ["fetch.source", *map(repr, SOURCES), "'exchagne'"]),
        ("fetch.end", "2022-03-01", ["fetch.start to fetch.end", "label.horizon", "1416 bars"]),
        ("fetch.end", "9999-12-31T23:59:59-10:00", ["fetch.end", "ISO date", "9999"]),
        ("fetch.timeframe", "9999999999w", ["fetch.timeframe", "9999999999w"]),
        ("fetch.symbols", ["btc/usdt", "BTC/USDT"], ["fetch.symbols", "once", "btc/usdt"]),
        ("fetch.symbols", ["B*C/U?D"], ["fetch.symbols", "BASE/QUOTE", "B*C/U?D"]),
        ("task", ["direction"], ["task", ", ".join(TASKS), "['direction']"]),
        ("split.bridge_bars", 10**18, ["split.bridge_bars", "10000"]),
        ("fetch.end", "2021-01-01", ["fetch.end", "fetch.start", "2021-01-01"]),
        ("label.horizon", 3, ["label.horizon", "at least 4", "3"]),
        ("train.batch", "256", ["train.batch", "integer", "'256'"]),
        ("evaluate.bootsrap", 100, ["evaluate.bootsrap", "evaluate.bootstrap"]),
    ],
)
def test_a_bad_setting_is_one_line(tmp_path, key, value, words):
    """The line names the setting, the rule and what arrived, and the exit status is 1."""
    result = check(write_params({key: value}, tmp_path))

    assert result.returncode == 1
    assert result.stdout == ""
    assert len(result.stderr.splitlines()) == 1
    for word in words:
        assert word in result.stderr


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"source": "file", "symbols": ["NO/SUCH"]}, ["fetch.symbols", "NO-SUCH.parquet"]),
        ({"source": "exchange", "exchange": {"name": "binanse"}}, ["fetch.exchange.name", "binance"]),
    ],
)
def test_a_source_without_the_candles_is_one_line(tmp_path, settings, words):
    """A missing file or an unknown exchange is found before DVC deletes the old candles."""
    result = check(write_params({f"fetch.{key}": value for key, value in settings.items()}, tmp_path))

    assert result.returncode == 1
    assert len(result.stderr.splitlines()) == 1
    for word in words:
        assert word in result.stderr


def test_no_other_source_is_imported():
    """Ccxt alone takes longer than all the rest: it is imported where an exchange is asked."""
    code = "import sys, tools.check; tools.check.check(); print(*sorted(sys.modules))"

    result = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )

    assert {"stages.fetch.simulated.candles"} == {
        name for name in result.stdout.split() if re.fullmatch(r"ccxt|stages\.fetch\.\w+\.candles", name)
    }


@pytest.mark.parametrize("text", ["", "- a list", "task: [unclosed", "\x00"])
def test_what_is_no_mapping_is_one_line(tmp_path, text):
    """A file that isn't YAML, or holds no blocks, is refused in one line."""
    path = tmp_path / "params.yaml"
    path.write_text(text, encoding="utf-8")

    result = check(path)

    assert result.returncode == 1
    assert len(result.stderr.splitlines()) == 1


def test_what_no_machine_could_hold_is_refused():
    """Only where the estimate can't be so wrong: settings that may fit are tried."""
    check_memory({"fetch": 1e9, "train": HOPELESS * 1e9}, total=1e9)

    with pytest.raises(InputError, match=r"1\.0 GB of memory .* train takes about 11 GB"):
        check_memory({"fetch": 1e9, "train": 11e9}, total=1e9)


def test_more_than_the_machine_has_is_a_warning(monkeypatch, capsys):
    """It is said before anything runs, and the settings are sound all the same."""
    monkeypatch.setattr(sys, "argv", ["check", str(ROOT / "params.yaml")])
    monkeypatch.setattr("tools.check.psutil.virtual_memory", lambda: SimpleNamespace(total=1e9))

    main()

    printed = capsys.readouterr()
    assert printed.out.startswith("about ")
    assert printed.err == "warning: this machine has 1.0 GB in all; the run may be killed.\n"


def test_more_files_than_one_are_refused(monkeypatch, capsys):
    """The second would go unchecked."""
    monkeypatch.setattr(sys, "argv", ["check", "params.yaml", "other.yaml"])

    with pytest.raises(SystemExit) as caught:
        main()

    assert caught.value.code == 2
    assert "unrecognized arguments: other.yaml" in capsys.readouterr().err

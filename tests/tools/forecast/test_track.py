"""A record of a hundred hours, as `python -m tools.track` reads it."""

import json
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from stages.common.errors import InputError
from stages.common.tables import read_tables
from stages.evaluate.subject import settings_of
from stages.params import load_params
from tests.tools.forecast.test_main import NOW
from tools.forecast import __main__ as forecast_tool
from tools.forecast.record import asked, record
from tools.forecast.report import Report
from tools.track import __main__ as tool
from tools.track.__main__ import wealth

# Keras 3.15 converts TensorFlow's variables in a way that NumPy 2 means to refuse one day.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy keyword")

N_HOURS = 100


@pytest.fixture
def tracked(market, monkeypatch, capsys):
    """A folder with a hundred recorded hours, each as the tool gives it but for its time and forecast."""
    market("volatility")
    monkeypatch.setattr(sys, "argv", ["forecast", "--json"])
    monkeypatch.setattr(forecast_tool, "now", lambda: NOW)
    capsys.readouterr()
    forecast_tool.main()
    report = Report.model_validate_json(capsys.readouterr().out)
    told = report.symbols[0]
    question = asked(settings_of(load_params().model_dump()))
    labels = read_tables("data/labels")["BTC-USDT"][-N_HOURS:]
    noise = np.random.default_rng(1).standard_normal(N_HOURS)
    for (_, row), error in zip(labels.iterrows(), noise, strict=True):
        forecast = row["y"] * np.exp(0.2 * error)
        changes = {
            "as_of": row["close_time"].isoformat(),
            "forecast": forecast,
            "lo": forecast * np.exp(-0.33),
            "hi": forecast * np.exp(0.33),
        }
        hour = report.model_copy(update={"symbols": [told.model_copy(update=changes)]})
        record(hour, question, row["close_time"] + pd.Timedelta(minutes=3))
    monkeypatch.setattr(sys, "argv", ["track"])
    monkeypatch.setattr(tool, "now", lambda: NOW)


def test_a_hundred_hours_are_read(tracked, capsys):
    """A table in eighty columns, beside what the test promised, and a picture."""
    tool.main()
    out = capsys.readouterr().out
    lines = out.splitlines()
    assert lines[0] == "BTC/USDT: 100 recorded: 100 scored, 0 open, 0 late, 0 lost"
    assert max(map(len, lines)) <= 80
    promised = json.loads(Path("models/evidence/facts.json").read_text(encoding="utf-8"))["metrics"]["test"]
    coverage = next(line for line in lines if "coverage of 90 % sets" in line)
    assert coverage.split()[-1] == f"{promised['coverage_90_pct']:.2f}"
    assert Path("forecasts/BTC-USDT.png").read_bytes().startswith(b"\x89PNG")


def test_before_the_first_outcome_there_are_counts(market, monkeypatch, capsys):
    """What a user sees in the first hours: no figure, no picture, no error."""
    market("volatility")
    monkeypatch.setattr(sys, "argv", ["forecast", "--one-line", "--record"])
    monkeypatch.setattr(forecast_tool, "now", lambda: NOW)
    forecast_tool.main()
    monkeypatch.setattr(sys, "argv", ["track"])
    monkeypatch.setattr(tool, "now", lambda: NOW)
    capsys.readouterr()
    tool.main()
    assert capsys.readouterr().out.splitlines()[0] == (
        "BTC/USDT: 1 recorded: 0 scored, 1 open, 0 late, 0 lost"
    )
    assert not list(Path("forecasts").glob("*.png"))


def test_without_a_model_nothing_is_promised(tracked, capsys):
    """The record is enough."""
    Path("models/evidence/facts.json").unlink()
    tool.main()
    assert "skill over the benchmark" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("task: volatility", "task: direction"),
        ("source: file", "source: simulated"),
        ("target: atr", "target: true_range"),
        ("timezone: UTC", "timezone: Europe/Berlin"),
    ],
)
def test_a_record_of_another_question_or_market_is_none(tracked, before, after):
    """It says which was looked for, and what adds one."""
    text = Path("params.yaml").read_text(encoding="utf-8")
    assert before in text
    Path("params.yaml").write_text(text.replace(before, after), encoding="utf-8")
    with pytest.raises(InputError, match=r"by the task, label, source and timeframe of params\.yaml \("):
        tool.main()


def test_another_models_promise_is_none(tracked, capsys):
    """Beside the record stands what the test of the same question said, or nothing."""
    place = Path("models/evidence/facts.json")
    facts = json.loads(place.read_text(encoding="utf-8"))
    facts["settings"]["label.horizon"] = 7
    place.write_text(json.dumps(facts), encoding="utf-8")
    tool.main()
    coverage = next(line for line in capsys.readouterr().out.splitlines() if "coverage of 90" in line)
    assert len(coverage.split()) == len(["coverage", "of", "90", "%", "sets,", "%", "came"])


def test_wealth_that_was_enough_once_stays_told():
    """The bound is on ever reaching it: whoever looks later sees both."""
    assert wealth(pd.Series([1.0, 25.0, 15.0]), "it is off") == "15.00: it is off"
    assert wealth(pd.Series([1.0, 15.0]), "it is off") == "15.00"

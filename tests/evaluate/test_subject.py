import subprocess
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from stages.common.settings import read_settings
from stages.evaluate.subject import Settings, facts, flat, market_of, settings_of

ROOT = Path(__file__).parents[2]
DEFAULTS = ROOT / "stages/evaluate/defaults.yaml"
TEST = pd.DataFrame({"close_time": pd.to_datetime(["2024-03-01", "2022-01-03", "2023-01-01"], utc=True)})
KNOWN = pd.Timestamp("2027-12-03", tz="UTC")


def settings_with(**changes: Any) -> Settings:
    """The default ones, but for some of `task` and of fetch's and label's section."""
    values = read_settings(str(DEFAULTS))
    for name, value in changes.items():
        section = next((values[part] for part in ("fetch", "label") if name in values[part]), values)
        section[name] = value
    return settings_of(values)


def test_the_defaults_are_those_committed():
    """Or a report would call other settings the default. An experiment leaves another params.yaml."""
    show = ["git", "show", "HEAD:params.yaml"]
    committed = subprocess.run(show, cwd=ROOT, capture_output=True, check=False).stdout

    assert DEFAULTS.read_bytes() in {committed, (ROOT / "params.yaml").read_bytes()}, (
        "a new default must be known to evaluate: run `cp params.yaml stages/evaluate/defaults.yaml`"
    )
    assert (
        flat(read_settings(str(ROOT / "params.yaml"))).keys() == flat(read_settings(str(DEFAULTS))).keys()
    )


def test_settings_that_no_stage_reads_are_left_out():
    """The blocks of the other task and of the other sources; a list is a value."""
    params = {
        "task": "volatility",
        "fetch": {
            "source": "file",
            "symbols": ["BTC/USDT"],
            "file": {"timezone": "UTC"},
            "exchange": {"name": "x"},
        },
        "label": {"horizon": 14, "direction": {"up_atr": 1.5}, "volatility": {"target": "atr"}},
    }

    assert settings_of(params) == {
        "task": "volatility",
        "fetch.source": "file",
        "fetch.symbols": ["BTC/USDT"],
        "fetch.file.timezone": "UTC",
        "label.horizon": 14,
        "label.volatility.target": "atr",
    }


@pytest.mark.parametrize(
    ("settings", "market"),
    [
        ({"fetch.source": "simulated", "fetch.simulated.seed": 1}, "a simulated market"),
        ({"fetch.source": "exchange", "fetch.exchange.name": "kraken"}, "kraken"),
        ({"fetch.source": "file"}, "candles from files"),
        ({"fetch.source": "broker"}, "candles from broker"),
        ({}, ""),
    ],
)
def test_a_market_has_its_words(settings, market):
    """A new source its name, until it has some; where no settings are known there are none."""
    assert market_of(settings) == market


def test_a_subject_says_what_was_asked_of_what():
    """A page that is passed on must say by itself that no price of it was ever paid."""
    assert facts(TEST, settings_with(), flat(read_settings(str(DEFAULTS))), KNOWN) == {
        "question": "direction, 14 bars ahead",
        "market": "a simulated market "
        "(fetch.simulated.seed=1, fetch.simulated.drift_signal=0.0, fetch.simulated.volatility_memory=1.0, "
        "fetch.simulated.distance_effect=1.0, fetch.simulated.release_effect=1.0)",
        "symbols": "BTC/USDT",
        "candles": "1h, 2022-01-01 to 2025-01-01 (exclusive)",
        "test": "3 rows, 2022-01-03 to 2024-03-01",
        "settings that differ from the default": "none",
    }


def test_a_subject_says_which_settings_are_not_the_default():
    """As `-S` takes them; of the blocks, the one that counts alone."""
    settings = settings_with(
        task="volatility", source="exchange", symbols=["BTC/USDT", "ETH/USDT"], direction={"up_atr": 9.0}
    )

    found = facts(TEST, settings, flat(read_settings(str(DEFAULTS))), KNOWN)

    assert found["market"] == "binance (fetch.exchange.name=binance)"
    assert found["symbols"] == "BTC/USDT, ETH/USDT"
    assert found["settings that differ from the default"] == (
        "task=volatility, fetch.source=exchange, fetch.symbols=[BTC/USDT, ETH/USDT]"
    )


def test_a_source_without_settings_has_no_brackets():
    """Its block in params.yaml is empty."""
    found = facts(TEST, settings_with(source="vault"), flat(read_settings(str(DEFAULTS))), KNOWN)

    assert found["market"] == "candles from vault"


def test_a_subject_says_where_the_calendar_ends():
    """If the test goes on beyond it, and if releases matter at all."""
    settings, defaults = settings_with(), flat(read_settings(str(DEFAULTS)))
    short = pd.Timestamp("2024-02-29", tz="UTC")

    found = facts(TEST, settings, defaults, short)
    assert found["releases"] == "known up to 2024-02-29; no later one counts"
    assert "releases" not in facts(TEST, settings | {"featurize.events": "none"}, defaults, short)

"""What a result is of: its question, its market, and the settings that made it.

dvc.yaml lists for evaluate whatever settings any stage reads: of one that isn't listed, a report would keep
the old value, where its change moved no table that evaluate reads.
"""

import json
from typing import Any

import pandas as pd

Settings = dict[str, Any]  # by dotted key


def settings_of(params: Settings) -> Settings:
    """Settings of params.yaml by dotted key, but for the blocks of other tasks and sources."""
    settings = flat(params)
    chosen = [settings.get("task"), settings.get("fetch.source")]
    # Of a setting in a block of its section, as fetch.simulated.seed, the second part names the block.
    return {
        key: value for key, value in settings.items() if key.count(".") < 2 or key.split(".")[1] in chosen
    }


def flat(values: Settings, block: str = "") -> Settings:
    """Nested settings by their dotted keys."""
    found: Settings = {}
    for key, value in values.items():
        found |= flat(value, f"{block}{key}.") if isinstance(value, dict) else {f"{block}{key}": value}
    return found


def market_of(settings: Settings) -> str:
    """The market in a few words; nothing where the settings don't name its source."""
    source = settings.get("fetch.source", "")
    words = {
        "simulated": "a simulated market",
        "exchange": settings.get("fetch.exchange.name", source),
        "file": "candles from files",
    }
    return str(words.get(source, f"candles from {source}" if source else ""))


def facts(
    test: pd.DataFrame, settings: Settings, defaults: Settings, releases_known_until: pd.Timestamp
) -> dict[str, str]:
    """What whoever is sent a report must know of it: question, market, candles, test rows, settings.

    And that releases count no more, where the test goes on beyond the day up to which they are known.
    """
    source, symbols, timeframe, start, end = (
        settings[f"fetch.{name}"] for name in ("source", "symbols", "timeframe", "start", "end")
    )
    of_source = listed([key for key in settings if key.startswith(f"fetch.{source}.")], settings)
    changed = [key for key in settings if settings[key] != defaults.get(key)]
    first, last = test["close_time"].min(), test["close_time"].max()
    found = {
        "question": f"{settings['task']}, {settings['label.horizon']} bars ahead",
        "market": market_of(settings) + (f" ({of_source})" if of_source else ""),
        "symbols": ", ".join(symbols),
        "candles": f"{timeframe}, {start} to {end} (exclusive)",
        "test": f"{len(test):,} rows, {first:%Y-%m-%d} to {last:%Y-%m-%d}",
    }
    if settings["featurize.events"] == "us_releases" and releases_known_until < last:
        found["releases"] = f"known up to {releases_known_until:%Y-%m-%d}; no later one counts"
    return found | {"settings that differ from the default": listed(changed, settings) or "none"}


def listed(keys: list[str], settings: Settings) -> str:
    """Settings as `-S` of `dvc exp run` takes them."""
    return ", ".join(f"{key}={shown(settings[key])}" for key in keys)


def shown(value: Any) -> str:
    """A setting in one line, without quotes; lists in brackets."""
    if isinstance(value, list):
        return f"[{', '.join(map(shown, value))}]"
    return value if isinstance(value, str) and value.isprintable() else json.dumps(value, default=str)

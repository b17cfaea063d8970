"""Settings, and candles of hours in which nothing happens."""

from typing import get_args

import numpy as np
import pandas as pd
import pytest

from stages.featurize.params import FeaturizeParams, Group

GROUPS = list(get_args(Group))


@pytest.fixture
def params() -> FeaturizeParams:
    """Every group there is, over windows of up to a day, so that a few candles will do."""
    return FeaturizeParams.model_validate(
        {"groups": GROUPS, "windows": [1, 4, 24], "events": "us_releases"}
    )


@pytest.fixture
def quiet_candles(candles: pd.DataFrame) -> pd.DataFrame:
    """Candles among which some, for up to two days on end, stand still and trade nothing."""
    quiet = candles.iloc[:400].copy()
    rng = np.random.default_rng(1)
    still = rng.random(400) < 0.2
    still[100:150] = True
    quiet.loc[still, ["open", "high", "low"]] = np.nan
    quiet.loc[still, "close"] = np.nan
    quiet["close"] = quiet["close"].ffill().fillna(20_000.0)
    for price in ("open", "high", "low"):
        quiet[price] = quiet[price].fillna(quiet["close"])
    quiet.loc[still | (rng.random(400) < 0.1), "volume"] = 0.0
    return quiet

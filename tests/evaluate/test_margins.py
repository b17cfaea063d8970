"""Intervals by the bootstrap of blocks, for figures that are means."""

import numpy as np
import pandas as pd
import pytest

from stages.evaluate.margins import margins
from stages.evaluate.significance import sample_of

HOUR = pd.Timedelta(hours=1)
N = 2000


def made(n_symbols: int = 1, seed: int = 1):
    """Information, coverage and returns of as many symbols, all alike, and how their rows count."""
    rng = np.random.default_rng(seed)
    times = pd.date_range("2023-01-01", periods=N, freq="h", tz="UTC")
    info, covered = rng.standard_normal(N) + 0.3, (rng.random(N) < 0.9).astype(float)
    rows = pd.DataFrame({"close_time": np.tile(times, n_symbols), "fold": "1"})
    sample = sample_of(rows, 14, HOUR, 2000, np.random.default_rng(1))
    returns = pd.DataFrame({"network_utility": rng.standard_normal(N)}, index=times)
    return np.tile(info, n_symbols), np.tile(covered, n_symbols), returns, sample


def test_an_interval_is_as_wide_as_independent_rows_have_it():
    """Five to ninety-five percent of the mean's normal law, in each figure's unit."""
    info, covered, returns, sample = made()

    found = margins(info, covered, returns, sample)

    for key, values in (
        ("info_gain_mnats", 1000 * info),
        ("coverage_90_pct", 100 * covered),
        ("utility_bps", returns["network_utility"].to_numpy()),
    ):
        lo, hi = found[key]
        assert lo < values.mean() < hi
        assert hi - lo == pytest.approx(2 * 1.645 * values.std() / np.sqrt(N), rel=0.3)


def test_symbols_of_an_hour_share_its_luck():
    """Three alike are no surer than one."""
    assert margins(*made(3)) == {key: pytest.approx(ends) for key, ends in margins(*made()).items()}


def test_what_never_varies_has_no_width():
    """A forecast that is the benchmark gains nothing, whatever is drawn."""
    _, covered, returns, sample = made()

    assert margins(np.zeros(N), covered, returns, sample)["info_gain_mnats"] == (0, 0)

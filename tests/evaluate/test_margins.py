"""90 % intervals of figures that are means."""

import numpy as np
import pandas as pd
import pytest
from scipy.signal import lfilter

from stages.evaluate.margins import margins

N = 2000


def made(n_symbols: int = 1, seed: int = 1):
    """Information, coverage and returns of as many symbols, all alike, and which time each row is of."""
    rng = np.random.default_rng(seed)
    times = pd.date_range("2023-01-01", periods=N, freq="h", tz="UTC")
    info, covered = rng.standard_normal(N) + 0.3, (rng.random(N) < 0.9).astype(float)
    returns = pd.DataFrame({"network_utility": rng.standard_normal(N)}, index=times)
    return np.tile(info, n_symbols), np.tile(covered, n_symbols), returns, np.tile(np.arange(N), n_symbols)


def test_an_interval_is_as_wide_as_independent_rows_have_it():
    """The mean of many draws has the width of the t distribution's, in each figure's unit."""
    draws = [made(seed=seed) for seed in range(200)]
    found = [margins(*each) for each in draws]
    spread = {"info_gain_mnats": 1000.0, "coverage_90_pct": 30.0, "utility_bps": 1.0}

    for key, each in spread.items():
        width = np.mean([ends[key][1] - ends[key][0] for ends in found])
        assert width == pytest.approx(2 * 1.86 * each / np.sqrt(N), rel=0.1)
    for (info, *_), ends in zip(draws, found, strict=True):
        assert np.mean(ends["info_gain_mnats"]) == pytest.approx(1000 * info.mean())


def test_it_misses_the_truth_one_time_in_ten_though_errors_last():
    """Information whose surprises last fifty of 2,000 hours, about a mean of nothing."""
    _, covered, returns, time = made()
    rng = np.random.default_rng(5)
    lasting = [lfilter([1], [1, -0.98], rng.standard_normal(N + 1000))[1000:] for _ in range(600)]
    ends = np.array([margins(each, covered, returns, time)["info_gain_mnats"] for each in lasting])

    assert 0.06 < np.mean((ends[:, 0] > 0) | (ends[:, 1] < 0)) < 0.15


def test_symbols_of_an_hour_share_its_luck():
    """Three alike are no surer than one."""
    assert margins(*made(3)) == {key: pytest.approx(ends) for key, ends in margins(*made()).items()}


def test_what_never_varies_has_no_width():
    """A forecast that is the benchmark gains nothing, whatever is drawn."""
    _, covered, returns, time = made()

    assert margins(np.zeros(N), covered, returns, time)["info_gain_mnats"] == (0, 0)

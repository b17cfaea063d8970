from collections.abc import Sequence

import numpy as np
import pandas as pd
import pytest

from stages.evaluate.confidence_set import first_twins, in_bins, mcs_p

NAMES = ["network", "benchmark", "har", "ewma"]


def noise(n_hours: int = 3000, seed: int = 1, names: Sequence[str] = NAMES) -> pd.DataFrame:
    """Losses of forecasts that are equally good: a market that all share, and luck of their own."""
    rng = np.random.default_rng(seed)
    shared = rng.exponential(size=(n_hours, 1))
    return pd.DataFrame(shared + 0.1 * rng.standard_normal((n_hours, len(names))), columns=list(names))


def p_of(losses: pd.DataFrame, seed: int = 1, replicates: int = 200) -> dict[str, float]:
    """`mcs_p` of one symbol's losses."""
    return mcs_p(losses, np.arange(len(losses)), 56, replicates, seed)


def test_a_worse_forecast_is_out_and_the_best_is_in():
    """However much all of them swing together: they are compared pair by pair."""
    losses = noise()
    losses[["benchmark", "har"]] += 0.02
    losses["ewma"] += 0.1

    p = p_of(losses)

    assert p["network"] == 1
    assert max(p["benchmark"], p["har"], p["ewma"]) < 0.1
    assert p["ewma"] <= min(p["benchmark"], p["har"])


def test_one_far_better_forecast_is_alone_among_many_that_are_alike():
    """Also where the mean of all is as bad as they are."""
    losses = noise(names=[*NAMES, "garch", "last_value", "mean_reversion"])
    losses["network"] -= 0.01

    p = p_of(losses)

    assert [name for name in p if p[name] >= 0.1] == ["network"]


def test_equal_forecasts_stay_in_about_as_often_as_they_should():
    """Each is out of the 90 % set in a tenth of samples at most."""
    p = [list(p_of(noise(1500, seed), seed, 100).values()) for seed in range(40)]

    assert np.mean(np.array(p) < 0.1) < 0.1
    assert np.mean(np.array(p) < 0.6) > 0.1


def test_twins_share_their_p():
    """The network that kept its initial weights loses what its baseline loses, but for rounding."""
    losses = noise()
    losses["benchmark"] += 0.05
    without = p_of(losses)
    twins = losses.assign(twin=losses["benchmark"], nearly=losses["har"] * (1 + 1e-14))

    p = p_of(twins)

    assert p == without | {"twin": without["benchmark"], "nearly": without["har"]}


def test_twins_are_found_among_all_columns():
    """A column equals the first of its kind; others are their own."""
    losses = noise(50).assign(copy=lambda table: table["benchmark"])

    assert first_twins(losses) == {name: name for name in NAMES} | {"copy": "benchmark"}


def test_forecasts_that_all_agree_are_all_in():
    """One distinct column, or one column, has nothing better beside it."""
    losses = noise()[["network"]]

    assert p_of(losses) == {"network": 1}
    assert p_of(losses.assign(benchmark=losses["network"])) == {"network": 1, "benchmark": 1}


def test_a_test_no_longer_than_a_block_says_nothing():
    """Every replicate would be the test itself."""
    losses = noise(56).assign(benchmark=9.0)

    assert p_of(losses) == dict.fromkeys(NAMES, 1)


def test_order_of_columns_does_not_matter():
    """Nor is any luck drawn by name."""
    losses = noise()
    losses["har"] += 0.004

    assert p_of(losses[NAMES[::-1]]) == p_of(losses)
    assert list(p_of(losses)) == NAMES


def test_same_seed_same_p():
    """Replicates are drawn by the seed alone."""
    losses = noise()

    assert p_of(losses, seed=5) == p_of(losses, seed=5)
    assert p_of(losses, seed=5) != p_of(losses, seed=6)


def test_an_hours_symbols_are_averaged():
    """Symbols that share their luck are no more evidence than one, nor is an hour of two worth double."""
    losses = noise()
    half = losses.iloc[:1500]
    rows = pd.concat([losses, half, half])
    hour = np.concatenate([np.arange(3000), np.arange(1500), np.arange(1500)])

    assert mcs_p(rows, hour, 56, 200, 1) == pytest.approx(p_of(losses))


@pytest.mark.parametrize(("block", "n_bins", "bins"), [(672, 125, 28), (20, 3000, 20), (200, 429, 29)])
def test_a_block_has_at_least_28_bins(block, n_bins, bins):
    """Hours are added to days, or to less where the block is shorter than four weeks; no loss is lost."""
    losses = noise()

    binned, block_in_bins = in_bins(losses, block)

    assert (len(binned), block_in_bins) == (n_bins, bins)
    np.testing.assert_allclose(binned.sum(), losses.sum())

"""`python -m tools.lookahead`, which looks for leaks by taking the future away."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from stages.common.errors import InputError
from stages.common.tables import write_table
from stages.featurize.groups import make_features
from stages.featurize.params import FeaturizeParams
from stages.featurize.stage import featurize
from tests.settings import write_params
from tools import lookahead
from tools.lookahead import check, choose_cuts, without_future

HOUR = pd.Timedelta(hours=1)
PRICES = ["open", "high", "low", "close"]
PARAMS = FeaturizeParams.model_validate(
    {
        "groups": ["returns", "ranges", "momentum", "volume", "clock"],
        "windows": [1, 4, 24],
        "events": "none",
    }
)
CUTS = np.array([120, 121, 200, 299])


def own_features(candles: pd.DataFrame) -> pd.DataFrame:
    """Three columns as a user might write them, none of which looks ahead; NaN where too young."""
    close = candles["close"]
    return pd.DataFrame(
        {
            "close_time": candles["open_time"] + HOUR,
            "log_return": np.log(close).diff(),
            "relative_volume": candles["volume"] / candles["volume"].rolling(24).mean(),
            "rising": close > close.shift(),
        }
    )


def found_in(make_table, candles, cuts=CUTS) -> dict[str, lookahead.Difference]:
    """What `check` finds, by column."""
    found = check(of_candles(make_table), candles, cuts, np.random.default_rng(1))
    return {difference.column: difference for difference in found}


def of_candles(make_table) -> lookahead.MakeTable:
    """A function of candles as one that is also given releases."""
    return lambda candles, _releases: make_table(candles)


LEAKS = {
    "shift": lambda candles: np.log(candles["close"]).diff().shift(-1),
    "centred": lambda candles: candles["close"].rolling(5, center=True).mean(),
    "backward_fill": lambda candles: candles["close"].where(candles.index % 7 == 0).bfill(),
    "global_mean": lambda candles: candles["volume"] / candles["volume"].mean(),
    "rank": lambda candles: candles["close"].rank(pct=True),
    "gap_ahead": lambda candles: candles["open_time"].diff().shift(-1) > HOUR,
    "last_of_all": lambda candles: np.arange(len(candles)) == len(candles) - 1,
}


def test_features_of_the_pipeline_pass(make_candles):
    """What featurize makes, over gaps bridged and not, is the same without the future."""
    candles = make_candles(300, missing=[100, 130, *range(180, 190)])

    def features_of(market):
        return make_features(market, None, HOUR, bridge_bars=3, params=PARAMS)

    assert found_in(features_of, candles, np.array([90, 99, 100, 101, 179, 230, 285])) == {}


def test_a_users_own_features_pass(make_candles):
    """Any function will do; NaN is equal to NaN, and columns may be of any type."""
    assert found_in(own_features, make_candles(300)) == {}


@pytest.mark.parametrize("leak", LEAKS)
def test_each_leak_is_found_in_its_own_column(make_candles, leak):
    """The column that looks ahead is named, and the sound ones beside it aren't."""
    candles = make_candles(310, missing=range(200, 210))

    found = found_in(lambda market: own_features(market).assign(leaky=LEAKS[leak](market)), candles)

    assert set(found) == {"leaky"}


def test_a_leak_that_has_no_value_at_the_end_is_found(make_candles):
    """Where rows that aren't finite go, dropping the future hides a shift: changing it shows it."""
    candles = make_candles(300)

    def shifted(market):
        table = own_features(market)[["close_time", "log_return"]]
        return table.assign(log_return=table["log_return"].shift(-1)).dropna()

    found = found_in(shifted, candles)

    assert set(found) == {"close_time", "log_return"}
    assert found["close_time"].change == "dropped"
    assert found["log_return"].change == "changed"


def test_a_difference_says_how_many_rows_and_which_is_first(make_candles):
    """Three rows see beyond the first cut that shows three; the first one's two values are given."""
    candles = make_candles(300)

    def ahead(market):
        return own_features(market).assign(leaky=market["close"].shift(-3))

    (found,) = check(of_candles(ahead), candles, np.array([298, 200, 150]), np.random.default_rng(1))

    assert (found.column, found.n_rows, found.change) == ("leaky", 3, "dropped")
    assert found.cut == candles["open_time"][200]
    assert found.close_time == candles["open_time"][197] + HOUR
    assert found.whole == candles["close"][200]
    assert np.isnan(found.changed)


def test_the_order_of_rows_does_not_matter(make_candles):
    """Rows are compared by their close_time, wherever they stand in the table."""
    candles = make_candles(300)

    assert found_in(lambda market: own_features(market)[::-1], candles) == {}


def test_a_row_dated_by_its_candles_open_looks_ahead(make_candles):
    """A time at which the candle's close isn't known yet is a leak of all columns made of it."""
    found = found_in(
        lambda market: own_features(market).assign(close_time=market["open_time"]), make_candles(300)
    )

    assert {"log_return", "relative_volume"} <= set(found)


def test_a_row_that_is_there_for_what_came_later_is_found(make_candles):
    """To drop the hours before a fall is to look ahead, whatever the columns hold."""

    def kept(market):
        return own_features(market)[market["close"].shift(-1).fillna(0) >= market["close"]]

    assert set(found_in(kept, make_candles(300), np.arange(100, 300, 20))) == {"close_time"}


@pytest.mark.parametrize("spoil", [lambda t: t.drop(columns="close_time"), lambda t: pd.concat([t, t])])
def test_rows_without_a_time_of_their_own_are_refused(make_candles, spoil):
    """Rows are compared by close_time, so each must have one."""
    with pytest.raises(InputError, match="must have a close_time, each once; received"):
        found_in(lambda market: spoil(own_features(market)), make_candles(50))


def test_the_candles_are_left_alone(make_candles):
    """A function that writes into its candles spoils neither the caller's nor the next comparison's."""
    candles = make_candles(300)

    def careless(market):
        market["close"] *= 2
        return own_features(market)

    assert found_in(careless, candles) == {}
    pd.testing.assert_frame_equal(candles, make_candles(300), check_exact=True)


def test_the_changed_future_is_candles_still(make_candles):
    """Before the cut nothing changes; after it every price and volume does, high on top and low below."""
    candles = make_candles(300)

    changed = without_future(candles, 200, np.random.default_rng(1))

    pd.testing.assert_frame_equal(changed["dropped"][0], candles[:200], check_exact=True)
    multiplied, _ = changed["changed"]
    pd.testing.assert_frame_equal(multiplied[:200], candles[:200], check_exact=True)
    assert (multiplied["open_time"] == candles["open_time"]).all()
    later = multiplied[200:]
    assert (later[[*PRICES, "volume"]] != candles.loc[200:, [*PRICES, "volume"]]).all(axis=None)
    assert (later["high"] >= later[PRICES].max(axis=1)).all()
    assert (later["low"] <= later[PRICES].min(axis=1)).all()


def test_cuts_are_drawn_and_beside_gaps(make_candles):
    """Both sides of a gap are cut at; no cut comes before a tenth of the rows are known."""
    candles = make_candles(310, missing=[*range(10, 13), *range(200, 207)])
    known = candles["open_time"][100:] + HOUR

    cuts = choose_cuts(candles["open_time"], known, 5, np.random.default_rng(1))

    assert {197, 198} <= set(cuts)  # the first candle after the second gap, and the next one
    assert len(set(cuts) - {197, 198}) in (4, 5)
    assert candles["open_time"][cuts.min()] >= known.iloc[20]
    np.testing.assert_array_equal(
        cuts, choose_cuts(candles["open_time"], known, 5, np.random.default_rng(1))
    )


def test_nothing_to_cut_is_refused(make_candles):
    """One row, and no candle after it."""
    candles = make_candles(30)
    with pytest.raises(InputError, match="received 1 rows"):
        choose_cuts(candles["open_time"], candles["open_time"][29:] + HOUR, 5, np.random.default_rng(1))


@pytest.fixture
def market(tmp_path, monkeypatch, make_candles) -> Path:
    """A working folder with candles of two symbols and params.yaml with short windows."""
    write_params({"featurize.windows": [1, 4, 24]}, tmp_path)
    for seed, symbol in enumerate(["BTC-USDT", "ETH-USDT"]):
        write_table(tmp_path / f"data/candles/{symbol}.parquet", make_candles(120, seed, [80, 90]))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.argv", ["lookahead", "--cuts", "2"])
    return tmp_path


def test_the_command_says_what_it_compared(market, capsys):
    """A line a symbol: columns, rows and cuts, two by chance and two beside gaps at most."""
    lookahead.main()

    lines = capsys.readouterr().out.splitlines()
    assert [line.split(": ")[1] for line in lines] == ["BTC-USDT", "ETH-USDT"]
    assert all(": 0 of " in line and " 85 rows, " in line for line in lines)


def test_the_command_names_each_column_that_looks_ahead(market, monkeypatch, capsys):
    """A line a symbol and column, with when and what, and exit status 1 by way of the error."""

    def leaky(candles, releases, params):
        table = featurize(candles, releases, params)
        return table.assign(leaky=table["return_1"].shift(-1, fill_value=0.0))

    monkeypatch.setattr(lookahead, "featurize", leaky)

    with pytest.raises(InputError) as caught:
        lookahead.main()

    lines = str(caught.value).split("\nerror: ")
    assert [line.split(" must ")[0] for line in lines] == ["BTC-USDT: leaky", "ETH-USDT: leaky"]
    assert all("later; received 0.0 instead of " in line for line in lines)
    assert "1 of " in capsys.readouterr().out


@pytest.mark.parametrize(
    ("options", "words"),
    [(["--cuts", "0"], "at least 1.*received 0"), (["--seed", "-1"], "received 20 and -1")],
)
def test_bad_options_are_one_line(market, monkeypatch, options, words):
    """The error says the rule and what arrived."""
    monkeypatch.setattr("sys.argv", ["lookahead", *options])
    with pytest.raises(InputError, match=words):
        lookahead.main()


def test_no_candles_are_named(market):
    """Without fetch's output there is a clear line."""
    for path in (market / "data/candles").iterdir():
        path.unlink()
    with pytest.raises(InputError, match="data/candles must hold a table a symbol"):
        lookahead.main()


def test_a_corrupt_table_is_one_line(market):
    """Not a traceback of Parquet's reader."""
    path = next((market / "data/candles").glob("*.parquet"))
    path.write_bytes(b"not Parquet")
    with pytest.raises(InputError, match=r"data/candles/.*\.parquet must be as its stage wrote it"):
        lookahead.main()

"""Does a feature look ahead? `python -m tools.lookahead` takes the future away, and sees if it changes.

The features of data/candles are made as params.yaml says; then again at each of several cuts, drawn by
chance, some beside gaps, with the candles from there on once dropped and once multiplied by random
factors, and with the releases that weren't on a schedule then once dropped and once moved. Rows that were
known at the cut must stay the same to the last bit. `check` does so for any function from candles and
releases to a table with `close_time`.
"""

import argparse
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from tqdm import tqdm

from stages.common.arrays import Ints
from stages.common.calendar import NOTICE, releases_of
from stages.common.errors import InputError, run
from stages.common.tables import read_tables
from stages.featurize.stage import featurize
from stages.fetch.clean import PRICES
from stages.params import load_params

Inputs = tuple[pd.DataFrame, pd.DataFrame | None]  # candles and releases
MakeTable = Callable[[pd.DataFrame, pd.DataFrame | None], pd.DataFrame]


class Difference(NamedTuple):
    """A column that changes in `n_rows` rows known by `cut`, where candles and releases from then on do.

    `close_time`: of the first such row; `whole`, `changed`: what it holds with the true tables, and with
    those of which later rows are dropped or changed, as `change` says.
    """

    column: str
    n_rows: int
    close_time: pd.Timestamp
    whole: Any
    changed: Any
    cut: pd.Timestamp
    change: str


def check(
    make_table: MakeTable,
    candles: pd.DataFrame,
    cuts: Ints,
    rng: np.random.Generator,
    releases: pd.DataFrame | None = None,
) -> list[Difference]:
    """Each column that looks ahead, as the change has it that shows most of its rows; empty if none does.

    `candles`: columns open_time, PRICES and volume, in order of time. `releases`: as `read_releases` has
    them; known NOTICE before they are held. `make_table` gives of both any columns, and `close_time`, at
    which a row is known. `cuts`: positions of the first candle to change. A row that comes or goes with the
    future is a difference of `close_time` itself. Raises InputError where the table has no close_time, or
    one twice.
    """
    whole = by_time(make_table(candles.copy(), releases))
    worst: dict[str, Difference] = {}
    for cut in tqdm(cuts, desc="cuts", disable=None):
        moment = candles["open_time"].iloc[cut]
        for change, changed in without_future(candles, cut, rng, releases).items():
            known = by_time(make_table(*changed)).loc[:moment]
            for column, rows in differences(whole.loc[:moment], known):
                if column not in worst or len(rows) > worst[column].n_rows:
                    first = rows.iloc[0]
                    worst[column] = Difference(
                        column, len(rows), rows.index[0], first["whole"], first["changed"], moment, change
                    )
    return list(worst.values())


def by_time(table: pd.DataFrame) -> pd.DataFrame:
    """The table with close_time for its index, and still a column. Raises InputError unless that can be."""
    if "close_time" not in table or not table["close_time"].is_unique:
        raise InputError(
            "lookahead: the table must have a close_time, each once; "
            f"received the columns {', '.join(map(str, table.columns))}."
        )
    return table.set_index("close_time", drop=False).sort_index()


def without_future(
    candles: pd.DataFrame, cut: int, rng: np.random.Generator, releases: pd.DataFrame | None = None
) -> dict[str, Inputs]:
    """The tables without what wasn't known when candle `cut` opened, and with something else in its place.

    Candles from there on are dropped, or others that still are candles; releases that are held more than
    NOTICE later are dropped, or held hours to weeks later yet.
    """
    factor, volume_factor = np.exp(rng.standard_normal((2, len(candles) - cut)))
    ahead = candles[cut:].assign(volume=candles["volume"][cut:] * volume_factor)
    ahead[PRICES] = ahead[PRICES].mul(factor, axis=0)
    dropped, changed = candles[:cut].copy(), pd.concat([candles[:cut], ahead])
    if releases is None:
        return {"dropped": (dropped, None), "changed": (changed, None)}
    known = releases["time"] <= candles["open_time"].iloc[cut] + NOTICE
    delay = pd.to_timedelta(rng.integers(1, 1_000, len(releases)), unit="h").where(~known, pd.Timedelta(0))
    moved = releases.assign(time=releases["time"] + delay).sort_values("time", ignore_index=True)
    return {"dropped": (dropped, releases[known]), "changed": (changed, moved)}


def differences(whole: pd.DataFrame, changed: pd.DataFrame) -> Iterator[tuple[str, pd.DataFrame]]:
    """Each column that differs, with the rows, by close_time, where it does: columns `whole`, `changed`.

    Both tables as `by_time` gives them. Of a row that only one has, close_time alone differs.
    """
    shared = whole.index.intersection(changed.index)
    for column in whole.columns:
        versions = pd.DataFrame({"whole": whole[column], "changed": changed.get(column)})
        rows = versions if column == "close_time" else versions.loc[shared]
        differs = (rows["whole"] != rows["changed"]) & rows.notna().any(axis=1)
        if differs.any():
            yield str(column), rows[differs]


def choose_cuts(open_time: pd.Series, known: pd.Series, n_cuts: int, rng: np.random.Generator) -> Ints:
    """Positions among the candles: `n_cuts` drawn by chance, and as many beside gaps, if there are so many.

    `known`: close_time of the table's rows, the first tenth of which is known at every cut. Raises
    InputError where no candle opens after that.
    """
    first = open_time.searchsorted(known.iloc[len(known) // 10])
    positions = np.arange(first, len(open_time))
    if not len(positions):
        raise InputError(f"lookahead needs candles after the first rows; received {len(known)} rows.")
    step = open_time.diff()
    after_gap = np.flatnonzero(step > step.min())
    beside_gap = np.intersect1d([after_gap, after_gap + 1], positions)
    drawn = [rng.choice(some, min(n_cuts, len(some)), replace=False) for some in (positions, beside_gap)]
    return np.unique(np.concatenate(drawn))


def sentence(symbol: str, difference: Difference) -> str:
    """What a difference means, in a line."""
    column, n_rows, close_time, whole, changed, cut, change = difference
    return (
        f"{symbol}: {column} must not depend on what comes later; received {changed} instead of {whole} at "
        f"{close_time:%Y-%m-%d %H:%M} with what comes from {cut:%Y-%m-%d %H:%M} on {change}, and of the "
        f"rows before that {n_rows:,} changed."
    )


def arguments() -> argparse.Namespace:
    """The command line. Raises InputError where there is nothing to cut."""
    parser = argparse.ArgumentParser(prog="python -m tools.lookahead", description=__doc__)
    parser.add_argument("--cuts", type=int, default=20, help="cuts by chance; as many again beside gaps")
    parser.add_argument("--seed", type=int, default=1, help="of the cuts and the factors")
    given = parser.parse_args()
    if given.cuts < 1 or given.seed < 0:
        raise InputError(
            f"--cuts must be at least 1 and --seed at least 0; received {given.cuts} and {given.seed}."
        )
    return given


def main() -> None:
    """Check the features of data/candles. Raises InputError with a line a column that looks ahead."""
    given, params, lines = arguments(), load_params(), list[str]()
    releases = releases_of(params.featurize.events)

    def make_table(candles: pd.DataFrame, known: pd.DataFrame | None) -> pd.DataFrame:
        return featurize(candles, known, params)

    for symbol, candles in read_tables("data/candles").items():
        rng, features = np.random.default_rng(given.seed), make_table(candles, releases)
        cuts = choose_cuts(candles["open_time"], features["close_time"], given.cuts, rng)
        found = check(make_table, candles, cuts, rng, releases)
        lines += [sentence(symbol, difference) for difference in found]
        print(
            f"lookahead: {symbol}: {len(found)} of {features.shape[1]} columns look ahead; "
            f"{len(features):,} rows, {len(cuts)} cuts"
        )
    if lines:
        raise InputError("\nerror: ".join(lines))


if __name__ == "__main__":
    run(main)

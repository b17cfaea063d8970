"""What a run needs in memory, from its settings alone: an estimate, before anything has been fetched.

Measured on Linux, Python 3.11, two cores: the most that a stage's processes held together (resident memory,
thirty looks a second) with one hourly symbol of 3 and of 10 years, three of 3 years, and 1m bars of 90 days
and of a year, of one symbol and of three. Train also with windows of 96 bars, with batches of 8,192, with 4
epochs in place of 1 and, though not to its end, with 256 units; evaluate also with 50,000 replicates. The
figures below are fitted to that by hand, within a quarter of all of it. Featurize, label, baseline and
train take less since: theirs are fitted to what `make bench` says, of up to a million bars of one symbol,
and of up to 25 hourly symbols of 3 years, with a dense network.

Not measured: candles of an exchange or a file, which count as the window's bars, the most there are; more
than two processes at a time; since train takes less, the LSTM.
"""

from stages.common.bars import bar_length
from stages.fetch.params import FetchParams
from stages.params import Params

MB = 1e6

# Of a process before it has any rows.
FETCH, TABLES, FITS, NETWORKS, FIGURES = 210 * MB, 205 * MB, 270 * MB, 950 * MB, 310 * MB

COLUMNS_A_WINDOW = 15  # of features, with all groups
MOST_BASELINES = 10  # columns of a task, each the work of one process
PREDICTED_AT_ONCE = 256  # windows; see stages/train/networks.py


def n_bars(fetch: FetchParams) -> int:
    """Bars of the window, each symbol's."""
    return int((fetch.end_time - fetch.start_time) // fetch.bar)


def estimate(params: Params, cores: int) -> dict[str, float]:
    """Bytes that each stage holds at its peak, all its processes together, on so many cores."""
    fetch, bars = params.fetch, n_bars(params.fetch)
    rows, columns = bars * len(fetch.symbols), COLUMNS_A_WINDOW * len(params.featurize.windows)
    return {
        "fetch": fetching(fetch, bars),
        "featurize": by_symbol(10 * columns * bars, rows // bars, cores),
        "label": by_symbol(350 * bars, rows // bars, cores),
        "baseline": forecasting(bars, rows // bars, cores),
        "train": training(params, columns, rows, cores),
        "evaluate": FIGURES + 2_200 * rows + 5_000 * params.evaluate.bootstrap,
    }


def fetching(fetch: FetchParams, bars: int) -> float:
    """Of one symbol after the other; the simulated market is made minute by minute."""
    minutes = bars * (fetch.bar // bar_length("1m"))
    return FETCH + 250 * bars * len(fetch.symbols) + (90 * minutes if fetch.source == "simulated" else 0)


def by_symbol(work: float, n_symbols: int, cores: int) -> float:
    """Of a process a symbol, and one that waits for them; that one itself works on a single symbol."""
    if n_symbols == 1:
        return TABLES + work
    return TABLES + min(n_symbols, cores) * (TABLES + work)


def forecasting(bars: int, n_symbols: int, cores: int) -> float:
    """Of a process a column, its rows and what a fit makes of them; and of one with a symbol for each."""
    n_processes = min(MOST_BASELINES * n_symbols, cores)
    return TABLES + 350 * bars * min(n_symbols, cores) + n_processes * (FITS + 550 * bars)


def training(params: Params, columns: int, rows: int, cores: int) -> float:
    """Of a process a fold and seed: its rows, the features, the windows of a batch, and the weights."""
    train, split = params.train, params.split
    windows = 10 * max(PREDICTED_AT_ONCE, train.batch) * train.window * (columns + train.units)
    inputs = columns * train.window if train.network == "dense" else 4 * (columns + train.units)
    weights = 32 * train.units * inputs
    folds = split.folds if split.scheme == "walk_forward" else 1
    n_processes = min((folds + 1) * len(train.seeds), cores)  # and a fold `live`
    return TABLES + 11 * columns * rows + n_processes * (NETWORKS + 9 * columns * rows + windows + weights)

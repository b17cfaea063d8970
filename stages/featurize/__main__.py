"""featurize: candles into scale-free columns, of which row t knows nothing later than candle t's close."""

from functools import partial

from stages.common.bars import bar_length
from stages.common.environment import record
from stages.common.errors import run
from stages.common.outputs import alone, fresh_folder
from stages.common.parallel import parallel_map
from stages.common.params import load_params, load_value
from stages.common.tables import read_tables, write_table
from stages.featurize.groups import make_features
from stages.featurize.params import FeaturizeParams


def main() -> None:
    """Write data/features/, a table a symbol."""
    params = load_params("featurize", FeaturizeParams)
    bar = bar_length(load_value("fetch.timeframe", str))
    featurize = partial(
        make_features, bar=bar, bridge_bars=load_value("split.bridge_bars", int), params=params
    )
    candles = dict(read_tables("data/candles"))
    features = parallel_map(featurize, list(candles.values()), "featurize")
    with fresh_folder("data/features") as folder:
        for symbol, table in zip(candles, features, strict=True):
            write_table(folder / f"{symbol}.parquet", table)
    rows, lost = sum(map(len, features)), sum(map(len, candles.values())) - sum(map(len, features))
    print(f"featurize: {rows:,} rows of {features[0].shape[1] - 1} columns; {lost:,} lost to the look-back")
    record("featurize")


if __name__ == "__main__":
    run(alone("stages.featurize", main))

"""fetch: candles of every symbol, from the source that params.yaml names."""

import importlib
import json

from stages.common.errors import run
from stages.common.params import load_params
from stages.common.tables import file_name, fresh_folder, write_table
from stages.fetch.clean import clean, receipt
from stages.fetch.params import FetchParams


def main() -> None:
    """Write data/candles/: a Parquet file a symbol, and receipt.json."""
    params = load_params("fetch", FetchParams)
    source = importlib.import_module(f"stages.fetch.{params.source}")
    fetched = source.fetch_candles(params)
    tables = {symbol: clean(fetched[symbol], symbol, params) for symbol in params.symbols}
    summary = receipt(tables, params)
    with fresh_folder("data/candles") as folder:
        for symbol, table in tables.items():
            write_table(folder / f"{file_name(symbol)}.parquet", table)
        text = json.dumps(summary, indent=2, sort_keys=True, ensure_ascii=False)
        (folder / "receipt.json").write_text(text + "\n", encoding="utf-8")
    for symbol, found in summary["symbols"].items():
        missing = sum(gap["missing_bars"] for gap in found["gaps"])
        print(
            f"fetch: {symbol}: {found['rows']:,} candles, {found['first']} to {found['last']}, "
            f"{missing:,} missing in {len(found['gaps'])} gaps"
        )


if __name__ == "__main__":
    run(main)

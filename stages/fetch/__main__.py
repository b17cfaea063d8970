"""fetch: candles of every symbol, from the source that params.yaml names."""

import json

from stages.common.environment import record
from stages.common.errors import run
from stages.common.outputs import alone, fresh_folder
from stages.common.params import load_params
from stages.common.tables import file_name, write_table
from stages.fetch.clean import clean
from stages.fetch.params import FetchParams
from stages.fetch.receipt import in_one_line, receipt
from stages.fetch.source import source_of


def main() -> None:
    """Write data/candles/: a Parquet file a symbol, and receipt.json."""
    params = load_params("fetch", FetchParams)
    source = source_of(params)
    fetched = source.fetch_candles(params)
    cleaned = {symbol: clean(fetched[symbol], symbol, params) for symbol in params.symbols}
    summary = receipt(cleaned, params, has_order=source.has_order)
    with fresh_folder("data/candles") as folder:
        for symbol, found in cleaned.items():
            write_table(folder / f"{file_name(symbol)}.parquet", found.candles)
        text = json.dumps(summary, indent=2, sort_keys=True, ensure_ascii=False)
        (folder / "receipt.json").write_text(text + "\n", encoding="utf-8")
    for symbol, facts in summary["symbols"].items():
        print(f"fetch: {symbol}: {in_one_line(facts)}")
    record("fetch")


if __name__ == "__main__":
    run(alone("stages.fetch", main))

"""fetch: candles of every symbol, from the source that params.yaml names."""

import json

from stages.common.environment import record
from stages.common.errors import run
from stages.common.outputs import alone, fresh_folder
from stages.common.params import load_params
from stages.common.tables import file_name, write_table
from stages.fetch.params import FetchParams
from stages.fetch.receipt import in_one_line
from stages.fetch.stage import fetch


def main() -> None:
    """Write data/candles/: a Parquet file a symbol, and receipt.json."""
    fetched = fetch(load_params("fetch", FetchParams))
    with fresh_folder("data/candles") as folder:
        for symbol, candles in fetched.candles.items():
            write_table(folder / f"{file_name(symbol)}.parquet", candles)
        text = json.dumps(fetched.receipt, indent=2, sort_keys=True, ensure_ascii=False)
        (folder / "receipt.json").write_text(text + "\n", encoding="utf-8")
    for symbol, facts in fetched.receipt["symbols"].items():
        print(f"fetch: {symbol}: {in_one_line(facts)}")
    record("fetch")


if __name__ == "__main__":
    run(alone("stages.fetch", main))

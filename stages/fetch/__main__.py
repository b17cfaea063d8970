"""fetch: candles of every symbol, from the source that params.yaml names."""

import json

from stages.common.outputs import fresh_folder, write_text
from stages.common.tables import file_in, file_name, write_table
from stages.fetch.receipt import in_one_line
from stages.fetch.stage import fetch
from stages.params import Params
from stages.runner import run_stage


def main(params: Params) -> None:
    """Write data/candles/: a Parquet file a symbol, and receipt.json."""
    fetched = fetch(params.fetch)
    with fresh_folder("data/candles") as folder:
        for symbol, candles in fetched.candles.items():
            write_table(file_in(folder, file_name(symbol)), candles)
        text = json.dumps(fetched.receipt, indent=2, sort_keys=True, ensure_ascii=False)
        write_text(folder / "receipt.json", text + "\n")
    for symbol, facts in fetched.receipt["symbols"].items():
        print(f"fetch: {symbol}: {in_one_line(facts)}")


if __name__ == "__main__":
    run_stage("fetch", main)

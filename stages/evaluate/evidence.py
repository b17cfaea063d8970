"""What is shipped beside the networks: what their forecasts were worth, and what intervals rest on."""

from typing import Any

import pandas as pd

from stages.evaluate.question import Question
from stages.evaluate.risk import RETURNS, ratios

COLUMNS = ["symbol", "fold", "role", "close_time", "label_end", "y", "score", *RETURNS.values()]


def evidence_rows(rows: pd.DataFrame, question: Question, horizon_bars: int) -> pd.DataFrame:
    """What came of each val and test row's forecast: COLUMNS, by fold, symbol and close_time.

    `rows` of `rows.join`. `next_return`, `end_return`: as in `risk.ratios`.
    """
    known = rows[rows["role"] != "train"]
    known = known.join(ratios(known, question.spread(known, horizon_bars)))
    table = known[COLUMNS].sort_values(["fold", "symbol", "close_time"], ignore_index=True)
    # More digits than a tail of returns has.
    return table.astype(dict.fromkeys(RETURNS.values(), "float32"))


def newest_best(rows: pd.DataFrame, losses: pd.DataFrame) -> str:
    """The baseline of least mean loss in the newest test: the one to hold the next forecasts against."""
    test = rows[rows["role"] == "test"]
    newest = test["fold"] == max(test["fold"].unique(), key=int)
    means = losses.loc[test.index[newest]].drop(columns=["network", "best"]).mean()
    return str(means.idxmin())


def promise(
    test: pd.DataFrame, metrics: dict[str, Any], settings: dict[str, Any], best: str, predictions: str
) -> dict[str, Any]:
    """What the model promises: the settings that made it, its metrics, and of which test they are.

    `best`: of `newest_best`. `predictions`: checksum of the table that was judged. `bias_pct`: sum of
    forecasts over sum of outcomes, less 1, in percent; 0 where no outcome came.
    """
    came = test["y"].sum()
    bias = 100 * (test["forecast"].sum() / came - 1) if came else 0.0
    return {
        "settings": settings,
        "metrics": metrics,
        "predictions": predictions,
        "best_baseline": best,
        "bias_pct": float(f"{bias:.6g}"),
        "test_rows": len(test),
        "test_first": test["close_time"].min().isoformat(),
        "test_last": test["close_time"].max().isoformat(),
    }

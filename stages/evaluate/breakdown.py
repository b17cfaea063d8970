"""The pooled figures taken apart: by fold, symbol and month of the test, and forecast by forecast."""

import pandas as pd

from stages.common.arrays import Floats
from stages.evaluate.shared import role_block
from stages.evaluate.significance import Sample, compare

ALL = "all"  # the row of the pooled figures


def breakdowns(
    rows: pd.DataFrame, losses: pd.DataFrame, covered: pd.Series, best: dict[str, str]
) -> dict[str, pd.DataFrame]:
    """The test's figures by `folds`, `symbols` and calendar `months`, each with the pooled ones last.

    `rows` and `losses` of all roles; `covered`: whether each test row's outcome was in its interval.
    `best`: the baseline that was each fold's best on val, which `folds` names. Months are those of
    close_time, in UTC.
    """
    test = rows["role"] == "test"
    months = rows["close_time"].dt.strftime("%Y-%m")
    keys = {"folds": rows["fold"], "symbols": rows["symbol"], "months": months}
    tables = {
        name: breakdown(rows[test], losses[test], covered, key[test].rename(name.removesuffix("s")))
        for name, key in keys.items()
    }
    tables["folds"]["best_baseline"] = [best.get(fold, "-") for fold in tables["folds"]["fold"]]
    return tables


def breakdown(test: pd.DataFrame, losses: pd.DataFrame, covered: pd.Series, key: pd.Series) -> pd.DataFrame:
    """A row a value of `key` in the order of first being met in time, then one of all rows.

    What every split has, the coverage of the intervals and the number of rows.
    """
    names = test["close_time"].groupby(key).min().sort_values(kind="stable").index
    groups = {name: key == name for name in names} | {ALL: key.notna()}
    figures = [
        role_block(test[group], losses[group])
        | {"coverage_90_pct": float(100 * covered[group].mean()), "rows": int(group.sum())}
        for group in groups.values()
    ]
    table = pd.DataFrame(figures)
    table.insert(0, str(key.name), list(groups))
    return table


def forecasts(losses: pd.DataFrame, mcs_p: dict[str, float], sample: Sample) -> pd.DataFrame:
    """The network and every baseline on the test rows, least loss first.

    `losses`: columns network, the opponents and best, which is left out. `loss` is the mean in thousandths,
    `skill_pct` over the benchmark, and `gain_pct` what the network saves of this one's loss, each with
    its 90 % interval. `mcs_p`: as given; from .1 on it can't be told from the best.
    """
    columns: dict[str, Floats] = {name: losses[name].to_numpy() for name in losses.columns.drop("best")}
    table = [
        {"forecast": name, "loss": 1000 * loss.mean()}
        | compare(loss, columns["benchmark"], sample).gain("skill")
        | compare(columns["network"], loss, sample).gain("gain")
        | {"mcs_p": mcs_p[name]}
        for name, loss in columns.items()
    ]
    return pd.DataFrame(table).sort_values("loss", kind="stable", ignore_index=True)

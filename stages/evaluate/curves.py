"""The tables behind the plots: small, the same columns for both tasks."""

import pandas as pd

CALIBRATION_BINS = 10
SCATTER_SHOWN = 2000


def make_tables(
    test: pd.DataFrame, curves: dict[str, pd.DataFrame], calls_of_test: pd.DataFrame, scale: float
) -> dict[str, pd.DataFrame]:
    """Every table by its name in results/plots; forecasts and outcomes times `scale`."""
    return {
        "training": training(curves),
        "forecast": forecast(test, scale),
        "calibration": calibration(test, scale),
        "calls": calls(calls_of_test),
    }


def units(task: str, words: dict[str, str]) -> dict[str, str]:
    """By each table's name what its figures are of and in: revisions that share it may share an axis."""
    saved = f"% of {words['loss']} saved"
    shown = {
        "training": words["loss"],
        "forecast": words["unit"],
        "calibration": words["unit"],
        "calls": words["calls"].lower(),
        **dict.fromkeys(["forecasts", "folds", "symbols", "months"], saved),
    }
    return {name: f"{task}: {unit}" for name, unit in shown.items()}


def training(curves: dict[str, pd.DataFrame]) -> pd.DataFrame:
    """Each fold's epoch, train_loss and val_loss; epoch 0 is the network untrained."""
    table = pd.concat([curve.assign(fold=fold) for fold, curve in curves.items()], ignore_index=True)
    return table[["fold", "epoch", "train_loss", "val_loss"]]


def forecast(test: pd.DataFrame, scale: float) -> pd.DataFrame:
    """Means of forecast, naive forecast and outcome on each `date`, times `scale`.

    A date is that of close_time, in UTC; dates without a row are absent.
    """
    date = test["close_time"].dt.strftime("%Y-%m-%d").rename("date")
    columns = {"forecast": "forecast", "naive_forecast": "naive", "y": "outcome"}
    means = scale * test[list(columns)].rename(columns=columns).groupby(date).mean()
    return means.reset_index()


def calibration(test: pd.DataFrame, scale: float) -> pd.DataFrame:
    """Mean forecast, mean outcome and number of rows of each tenth of the rows, by forecast.

    Equal forecasts share a tenth, so that there may be fewer.
    """
    share_below = (test["score"].rank() - 0.5) / len(test)
    tenth = (share_below * CALIBRATION_BINS).astype(int).rename("tenth")
    groups = test.groupby(tenth)
    means = scale * groups[["forecast", "y"]].mean().rename(columns={"y": "outcome"})
    return means.assign(rows=groups.size()).reset_index(drop=True)


def calls(each: pd.DataFrame) -> pd.DataFrame:
    """Percent of all rows for each pair of `actual` and `predicted`, those that never occur too."""
    kinds = sorted(set(each["actual"]) | set(each["predicted"]))
    pairs = pd.MultiIndex.from_product([kinds, kinds], names=["actual", "predicted"])
    counts = each.groupby(["actual", "predicted"]).size().reindex(pairs, fill_value=0)
    return (100 * counts / len(each)).rename("percent").reset_index()


def scatter(test: pd.DataFrame) -> pd.DataFrame:
    """Delta and target of every k-th test row, two thousand at most."""
    step = -(-len(test) // SCATTER_SHOWN)
    return test[["delta", "target"]].iloc[::step]

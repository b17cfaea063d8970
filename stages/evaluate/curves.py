"""The tables behind the plots: small, the same columns whatever the task."""

import pandas as pd

from stages.evaluate.conformal import MONTH
from stages.evaluate.question import Question
from stages.evaluate.trading import STRATEGIES

CALIBRATION_BINS = 10
SCATTER_SHOWN = 600


def make_tables(test: pd.DataFrame, question: Question) -> dict[str, pd.DataFrame]:
    """Tables by their names in results/plots; forecasts and outcomes times the question's scale."""
    return {
        "forecast": forecast(test, question.scale),
        "calibration": calibration(test, question.scale),
        "calls": calls(question.calls(test)),
    }


def units(task: str, loss_name: str, question: Question) -> dict[str, str]:
    """By each table's name what its figures are of and in: revisions that share it may share an axis."""
    shown = {
        "forecast": question.words.unit,
        "calibration": question.words.unit,
        "calls": question.words.calls.lower(),
        **dict.fromkeys(["forecasts", "folds", "symbols", "months"], f"% of {loss_name} saved"),
    }
    return {name: f"{task}: {unit}" for name, unit in shown.items()}


def forecast(test: pd.DataFrame, scale: float) -> pd.DataFrame:
    """Means of forecast, benchmark and outcome on each `date`, times `scale`.

    A date is that of close_time, in UTC; dates without a row are absent.
    """
    date = test["close_time"].dt.strftime("%Y-%m-%d").rename("date")
    columns = {"forecast": "forecast", "benchmark_forecast": "benchmark", "y": "outcome"}
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


def pictured(
    test: pd.DataFrame, sets: pd.DataFrame, returns: pd.DataFrame, question: Question
) -> dict[str, pd.DataFrame]:
    """What pictures show besides, by name: no table of these is written.

    `test`, `sets`: rows of the test, and the set of each, of `conformal.intervals`. `returns`: of
    `trading.returns_by_time`.
    """
    known = test.join(sets)
    return {
        "band": band(known, question.scale),
        "recent": recent(known, question.scale),
        "coverage": coverage(known),
        "wealth": wealth(returns),
        "scatter": scatter(test),
    }


def band(known: pd.DataFrame, scale: float) -> pd.DataFrame:
    """Means of the ends of the sets on each `date`, as `forecast` has them: `least`, `greatest`."""
    date = known["close_time"].dt.strftime("%Y-%m-%d").rename("date")
    return (scale * known[["least", "greatest"]].groupby(date).mean()).reset_index()


def recent(known: pd.DataFrame, scale: float) -> pd.DataFrame:
    """Forecast, outcome and ends of the set of each row of the first symbol's last 30 days of the test."""
    first = known[known["symbol"] == known["symbol"].min()].sort_values("close_time")
    shown = first[first["close_time"] > first["close_time"].iloc[-1] - MONTH]
    numbers = scale * shown[["forecast", "y", "least", "greatest"]].rename(columns={"y": "outcome"})
    return numbers.assign(close_time=shown["close_time"]).reset_index(drop=True)


def coverage(known: pd.DataFrame) -> pd.DataFrame:
    """Percent of each `date`'s outcomes that lay in their sets, and the mean of the last 30 dates."""
    date = known["close_time"].dt.strftime("%Y-%m-%d").rename("date")
    daily = 100 * known["covered"].groupby(date).mean().rename("percent")
    return daily.reset_index().assign(month=daily.rolling(min(30, len(daily))).mean().to_numpy())


def wealth(returns: pd.DataFrame) -> pd.DataFrame:
    """Wealth of each strategy at the end of each `date`, of 1 at the start of the test.

    Compounded; 0 once all was lost.
    """
    growth = (1 + returns[[*STRATEGIES]]).clip(lower=0.0).cumprod()
    date = pd.DatetimeIndex(returns.index).strftime("%Y-%m-%d")
    return growth.groupby(date).last().rename_axis("date").reset_index()


def scatter(test: pd.DataFrame) -> pd.DataFrame:
    """Delta and surprise of every k-th test row, six hundred at most."""
    step = -(-len(test) // SCATTER_SHOWN)
    return test[["delta", "surprise"]].iloc[::step]

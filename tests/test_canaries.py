"""Leaks planted on purpose: each must be caught by the ordinary tests of the part that it is planted in."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parents[1]


class Canary(NamedTuple):
    """A leak: in `file`, `sound` becomes `leaky`, and `tests` must fail."""

    file: str
    sound: str
    leaky: str
    tests: str


CANARIES = {
    # What a candle is, and which are there
    "the candle still forming is fetched": Canary(
        file="stages/fetch/exchange/transfer.py",
        sound="if row[0] < end_ms]",
        leaky="]",
        tests="tests/fetch/exchange/test_transfer.py",
    ),
    "a window that isn't over is accepted": Canary(
        file="stages/fetch/grid.py",
        sound="open_time.max() + params.bar",
        leaky="open_time.max()",
        tests="tests/fetch/exchange/test_candles.py",
    ),
    "the candle that opens at the end is kept": Canary(
        file="stages/fetch/clean.py",
        sound='(whole["open_time"] < params.end_time)',
        leaky='(whole["open_time"] <= params.end_time)',
        tests="tests/fetch/test_clean.py",
    ),
    "true range against tomorrow's close": Canary(
        file="stages/common/bars.py",
        sound='candles["close"].groupby(stretch).shift()',
        leaky='candles["close"].groupby(stretch).shift(-1)',
        tests="tests/common/test_bars.py",
    ),
    # Features
    "a feature shifted by -1": Canary(
        file="stages/featurize/returns.py",
        sound="close.groupby(start).shift(bars)",
        leaky="close.groupby(start).shift(-bars)",
        tests="tests/featurize/test_groups.py",
    ),
    "a window that ends a bar late": Canary(
        file="stages/featurize/ranges.py",
        sound="span(high, low, start, w) / close",
        leaky="span(high, low, start, w).shift(-1) / close",
        tests="tests/featurize/test_groups.py",
    ),
    "a mean over all rows": Canary(
        file="stages/featurize/ratios.py",
        sound="usual = rolling(values, start, longest).mean()",
        leaky="usual = rolling(values, start, longest).mean() * 0 + values.mean()",
        tests="tests/featurize/test_groups.py",
    ),
    "a backward fill over the look-back": Canary(
        file="stages/featurize/groups.py",
        sound="return pd.DataFrame(table, copy=False)",
        leaky="return pd.DataFrame(table, copy=False).bfill()",
        tests="tests/featurize/test_groups.py",
    ),
    "a backward fill over hours without a trade": Canary(
        file="stages/featurize/volume.py",
        sound="vwap.fillna(close)",
        leaky="vwap.bfill().fillna(close)",
        tests="tests/featurize/test_groups.py",
    ),
    "a feature scaled by its stretch's last close": Canary(
        file="stages/featurize/groups.py",
        sound='candles["close"].to_numpy()[start]',
        leaky='candles["close"].groupby(stretch).transform("last").to_numpy()',
        tests="tests/featurize/test_groups.py",
    ),
    "features dated by their candle's open": Canary(
        file="stages/featurize/groups.py",
        sound='close_time = candles["open_time"] + bar',
        leaky='close_time = candles["open_time"]',
        tests="tests/featurize/test_groups.py",
    ),
    "a release counts before it is on a schedule": Canary(
        file="stages/featurize/events.py",
        sound="np.where(away <= np.timedelta64(NOTICE), 1 / (1 + away // unit), 0.0)",
        leaky="np.where(away // unit <= NOTICE // bar, 1 / (1 + away // unit), 0.0)",
        tests="tests/featurize/test_events.py",
    ),
    "ranges freed by the factors of the end": Canary(
        file="stages/featurize/freed.py",
        sound="freed = np.log(floored) - np.log(own)",
        leaky='freed = np.log(floored / floored.groupby(candles["close_time"].dt.hour).transform("mean"))',
        tests="tests/featurize/test_freed.py",
    ),
    "a distance from an average of both sides": Canary(
        file="stages/featurize/distance.py",
        sound="distances(candles, start, [w for w in windows if w > 1]).abs()",
        leaky="distances(candles[::-1], start[::-1], [w for w in windows if w > 1]).abs()[::-1]",
        tests="tests/featurize/test_groups.py",
    ),
    # Labels and folds
    "a split without a purge before val": Canary(
        file="stages/label/folds.py",
        sound="ended_before(times[:val], times[val:], horizon * bar)",
        leaky="times[:val]",
        tests="tests/label/test_folds.py",
    ),
    "a split without a purge before test": Canary(
        file="stages/label/folds.py",
        sound="ended_before(times[val:test], times[test:end], horizon * bar)",
        leaky="times[val:test]",
        tests="tests/label/test_folds.py",
    ),
    "a purge that is a bar short": Canary(
        file="stages/label/folds.py",
        sound="part[part + reach < following[0]]",
        leaky="part[part + reach <= following[0]]",
        tests="tests/label/test_folds.py",
    ),
    "val rows in train": Canary(
        file="stages/label/folds.py",
        sound="ended_before(times[:val], times[val:], horizon * bar)",
        leaky="ended_before(times[:test], times[test:], horizon * bar)",
        tests="tests/label/test_folds.py",
    ),
    "a direction's label end a bar early": Canary(
        file="stages/label/direction.py",
        sound='"end": end})',
        leaky='"end": end - 1})',
        tests="tests/label/test_direction.py",
    ),
    "a volatility's label end a bar early": Canary(
        file="stages/label/volatility.py",
        sound='"end": end})',
        leaky='"end": end - 1})',
        tests="tests/label/test_volatility.py",
    ),
    "label ends dated by their candle's open": Canary(
        file="stages/label/rows.py",
        sound='"label_end": close_time[end],',
        leaky='"label_end": bars["open_time"].astype("datetime64[ms, UTC]").array[end],',
        tests="tests/label/test_rows.py",
    ),
    "ATR scaled by tomorrow's close": Canary(
        file="stages/label/rows.py",
        sound="average[rows] / close[rows],",
        leaky="average[rows] / close[rows + 1],",
        tests="tests/label/test_rows.py",
    ),
    "a week of ranges that counts before it is over": Canary(
        file="stages/common/periodicity.py",
        sound="(known < moment)",
        leaky="(place + half_week < moment)",
        tests="tests/common/test_periodicity.py",
    ),
    # Baselines
    "a baseline fitted on labels that are still running": Canary(
        file="stages/baseline/refit.py",
        sound='min(np.searchsorted(all_known, now[row], side="right"), n_before)',
        leaky="n_before",
        tests="tests/baseline/test_refit.py",
    ),
    "a baseline fitted on labels that run longer than those after them": Canary(
        file="stages/baseline/refit.py",
        sound="[known[n_known:n_before] <= now[row]]",
        leaky="",
        tests="tests/baseline/test_refit.py",
    ),
    "a baseline's level from all rows": Canary(
        file="stages/baseline/refit.py",
        sound="ratio = y[past] / np.exp(line.at(X[past], hour[past]))",
        leaky="ratio = pd.Series(y / np.exp(line.at(X, hour))).dropna()",
        tests="tests/baseline/test_refit.py",
    ),
    "a baseline that looks at centred ranges": Canary(
        file="stages/baseline/rows.py",
        sound="ranges.rolling(span).mean()",
        leaky="ranges.rolling(span, center=True).mean()",
        tests="tests/baseline/test_rows.py",
    ),
    "past returns that are yet to come": Canary(
        file="stages/baseline/rows.py",
        sound="(close - closes.shift(n))",
        leaky="(closes.shift(-n) - close)",
        tests="tests/baseline/test_rows.py",
    ),
    "hours fitted to weeks that are still going on": Canary(
        file="stages/common/periodicity.py",
        sound="(known < moment)",
        leaky="(place < moment)",
        tests="tests/common/test_periodicity.py",
    ),
    "a release that is known too early": Canary(
        file="stages/common/periodicity.py",
        sound="NOTICE // bar, horizon_bars",
        leaky="horizon_bars, horizon_bars",
        tests="tests/common/test_periodicity.py",
    ),
    "a release that nobody had announced": Canary(
        file="stages/common/calendar.py",
        sound='[scheduled == "true"]',
        leaky="",
        tests="tests/common/test_calendar.py",
    ),
    "a distance from tomorrow's average": Canary(
        file="stages/common/distance.py",
        sound="adjust=False).mean()",
        leaky="adjust=False).mean().shift(-1)",
        tests="tests/common/test_distance.py",
    ),
    "GARCH fitted up to its next refit": Canary(
        file="stages/baseline/volatility.py",
        sound="model = fit_garch(percent_return[first : now + 1], model)",
        leaky="model = fit_garch(percent_return[first : ahead.stop], model)",
        tests="tests/baseline/test_garch.py",
    ),
    "sizing that learns from ATRs as if a label's end told them": Canary(
        file="stages/baseline/sizing.py",
        sound='target="atr_ahead", ended="ahead_end"',
        leaky='target="atr_ahead", ended="label_end"',
        tests="tests/baseline/test_sizing.py",
    ),
    # Training
    "a scaler fitted on all rows of the table": Canary(
        file="stages/train/windows.py",
        sound="rows = table[held(len(table), ends, window)].astype(np.float64)",
        leaky="rows = table.astype(np.float64)",
        tests="tests/train/test_windows.py",
    ),
    "a window that ends with the next row": Canary(
        file="stages/train/windows.py",
        sound="row = pd.Index(known).get_indexer(pd.Index(moments))",
        leaky="row = pd.Index(known).get_indexer(pd.Index(moments) + bar)",
        tests="tests/train/test_windows.py",
    ),
    "a row that is missing taken from later": Canary(
        file="stages/train/windows.py",
        sound=".get_indexer(pd.Index(moments))",
        leaky='.get_indexer(pd.Index(moments), method="bfill")',
        tests="tests/train/test_windows.py",
    ),
    "a backward fill before the baseline's first fit": Canary(
        file="stages/train/rows.py",
        sound="forecast[task.offset].to_numpy(np.float64)",
        leaky="forecast[task.offset].bfill().to_numpy(np.float64)",
        tests="tests/train/test_rows.py",
    ),
    "a start and class weights from all rows": Canary(
        file="stages/train/rows.py",
        sound='train = chosen[chosen["role"] == "train"]',
        leaky="train = chosen",
        tests="tests/train/test_rows.py",
    ),
    "a scaler fitted on all rows of a fold": Canary(
        file="stages/train/fitting.py",
        sound='feature_moments(table, train["end"].to_numpy(), params.window)',
        leaky='feature_moments(table, fold.rows["end"].to_numpy(), params.window)',
        tests="tests/train/test_fitting.py",
    ),
    "a value at risk by losses yet to come": Canary(
        file="stages/evaluate/risk.py",
        sound='np.searchsorted(end[order], close, side="right")',
        leaky='np.searchsorted(end[order], close + np.timedelta64(1, "h"), side="right")',
        tests="tests/evaluate/test_risk.py",
    ),
    "a forecast's tail by losses yet to come": Canary(
        file="tools/forecast/answer.py",
        sound='history[history["label_end"] <= last["close_time"]]',
        leaky="history",
        tests="tests/tools/forecast/test_answer.py",
    ),
    "an epoch chosen on test": Canary(
        file="stages/train/fitting.py",
        sound='train, val = fold.of("train"), fold.of("val")',
        leaky='train, val = fold.of("train"), fold.of("test").assign(role="val")',
        tests="tests/train/test_fitting.py",
    ),
    "trees fitted on val too": Canary(
        file="stages/train/trees.py",
        sound='train = fold.of("train")',
        leaky='train = fold.rows[fold.rows["role"] != "test"]',
        tests="tests/train/test_trees.py",
    ),
    "a correction that test wants": Canary(
        file="stages/train/rows.py",
        sound="or [by_time[val].sum()]",
        leaky="or [by_time[test].sum()]",
        tests="tests/train/test_rows.py",
    ),
    "a record of answers that nobody has yet": Canary(
        file="stages/train/rows.py",
        sound="[before[before.index <= end].sum() for",
        leaky="[before.sum() for",
        tests="tests/train/test_rows.py",
    ),
    "errors known before their horizon is over": Canary(
        file="stages/train/errors.py",
        sound='np.searchsorted(told["close_time"], known - horizon, side="right")',
        leaky='np.searchsorted(told["close_time"], known, side="right")',
        tests="tests/train/test_errors.py",
    ),
    "a refit that learns the test": Canary(
        file="stages/train/fitting.py",
        sound="learn(pd.concat([train, val]))",
        leaky="learn(fold.rows)",
        tests="tests/train/test_fitting.py",
    ),
    # Evaluation
    "a best baseline chosen on test": Canary(
        file="stages/evaluate/losses.py",
        sound='val = rows["role"] == "val"',
        leaky='val = rows["role"] == "test"',
        tests="tests/evaluate/test_losses.py",
    ),
    "one best baseline for all folds": Canary(
        file="stages/evaluate/losses.py",
        sound="in_fold = (fold == one).to_numpy()",
        leaky="in_fold = np.full(len(fold), fill_value=True)",
        tests="tests/evaluate/test_losses.py",
    ),
    "ic pooled over folds": Canary(
        file="stages/evaluate/shared.py",
        sound='"ic": averaged(spearman, rows, "delta", "surprise")',
        leaky='"ic": spearman(rows["delta"].to_numpy(), rows["surprise"].to_numpy())',
        tests="tests/evaluate/test_shared.py",
    ),
    "auc pooled over folds": Canary(
        file="stages/evaluate/shared.py",
        sound='"auc": averaged(auc, rows, "delta", "event"),\n        "auc_ref"',
        leaky='"auc": auc(rows["delta"].to_numpy(), rows["event"].to_numpy()),\n        "auc_ref"',
        tests="tests/evaluate/test_shared.py",
    ),
    "auc of train and val pooled over folds": Canary(
        file="stages/evaluate/shared.py",
        sound='"auc": averaged(auc, rows, "delta", "event"),\n        "hit_rate"',
        leaky='"auc": auc(rows["delta"].to_numpy(), rows["event"].to_numpy()),\n        "hit_rate"',
        tests="tests/evaluate/test_shared.py",
    ),
    "every figure pooled over symbols": Canary(
        file="stages/evaluate/shared.py",
        sound='in rows.groupby(["fold", "symbol"])] or [rows]',
        leaky='in rows.groupby("fold")] or [rows]',
        tests="tests/evaluate/test_shared.py",
    ),
    "sets that rank outcomes before they are known": Canary(
        file="stages/evaluate/conformal.py",
        sound="memory, horizon.to_timedelta64())",
        leaky="memory, horizon.to_timedelta64() // 14)",
        tests="tests/evaluate/test_conformal.py",
    ),
    "spreads of errors fitted on test": Canary(
        file="stages/evaluate/amount.py",
        sound='val = error.where(rows["role"] == "val")',
        leaky="val = error",
        tests="tests/evaluate/test_information.py",
    ),
    "an exposure sized on test": Canary(
        file="stages/evaluate/trading.py",
        sound='val = rows[rows["role"] == "val"]',
        leaky='val = rows[rows["role"] == "test"]',
        tests="tests/evaluate/test_trading.py",
    ),
}


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A copy of the code, its tests and its settings."""
    for folder in ("stages", "tests", "tools"):
        shutil.copytree(ROOT / folder, tmp_path / folder, ignore=shutil.ignore_patterns("__pycache__"))
    for file in ("pyproject.toml", "params.yaml", "dvc.yaml"):
        shutil.copy(ROOT / file, tmp_path)
    return tmp_path


def run_tests(project: Path, *tests: str) -> subprocess.CompletedProcess[str]:
    """Run files of ordinary tests until the first test that fails; always with the same examples."""
    options = ["-q", "-x", "-n", "0", "-p", "no:randomly", "--hypothesis-profile=any_failure"]
    return subprocess.run(
        [sys.executable, "-m", "pytest", *options, *tests],
        cwd=project,
        env=os.environ | {"COLUMNS": "200"},  # or else the reason of a failure is cut off
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("canary", CANARIES.values(), ids=list(CANARIES))
def test_a_leak_can_still_be_planted(canary):
    """Each sound line stands once in the code: whoever edits it learns at once that it has a canary."""
    assert (ROOT / canary.file).read_text(encoding="utf-8").count(canary.sound) == 1


@pytest.mark.slow
@pytest.mark.parametrize("canary", CANARIES.values(), ids=list(CANARIES))
def test_a_planted_leak_is_caught(project, canary):
    """An ordinary test fails by what it asserts: a copy that only crashes would prove nothing."""
    source = project / canary.file
    text = source.read_text(encoding="utf-8")
    source.write_text(text.replace(canary.sound, canary.leaky), encoding="utf-8")

    result = run_tests(project, canary.tests)

    assert result.returncode == 1, result.stdout + result.stderr
    failed = rf"^FAILED {re.escape(canary.tests)}::test_.+ - (AssertionError|assert |Failed: DID NOT RAISE)"
    assert re.search(failed, result.stdout, re.MULTILINE), result.stdout


@pytest.mark.slow
def test_without_a_leak_the_same_tests_pass(project):
    """A copy as it is has nothing to catch, so what catches the leaks is not the copying."""
    result = run_tests(project, *dict.fromkeys(canary.tests for canary in CANARIES.values()))

    assert result.returncode == 0, result.stdout

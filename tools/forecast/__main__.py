"""The forecast at the newest closed candle: `python -m tools.forecast`, or `make forecast`.

By the model in models/, from the newest candles of fetch.source; nothing under data/, models/ and results/
is touched. --model takes another folder, and its own settings in place of those of params.yaml.
"""

import argparse
import shutil
import sys
import time
from pathlib import Path

import pandas as pd

from stages.common.calendar import known_until, releases_of
from stages.common.errors import InputError, run
from stages.common.tables import file_name
from stages.fetch.stage import fetch
from stages.params import load_params
from tools.commands import finished
from tools.forecast import forms
from tools.forecast.answer import answer
from tools.forecast.model import FOLDER, Model, check_same, dvc_hash, read_model
from tools.forecast.newest import newest_candles
from tools.forecast.record import asked, record
from tools.forecast.replay import replay
from tools.forecast.report import Report, Wanted, report
from tools.forecast.watch import watch

MOST = {"capital": 1e15, "risk": 100, "stop": 1e6, "replay": 1e9}
ENOUGH = 1e-6  # that a forecast from candles alone may differ from the one that was scored


def main() -> None:
    """Print the forecast in the form that is asked for; or watch, or replay."""
    given = options()
    model = load_model(given.model)
    if given.replay is not None:
        print(replayed(model, given.replay))
    elif given.watch:
        watch(lambda moment: tell(model, given, moment), model.params.fetch.bar, now, pause)
    else:
        tell(model, given, now())


def options() -> argparse.Namespace:
    """The command line. Raises InputError where a number is none that it can be."""
    parser = argparse.ArgumentParser(prog="python -m tools.forecast", description=__doc__)
    form, what = parser.add_mutually_exclusive_group(), parser.add_mutually_exclusive_group()
    form.add_argument("--one-line", action="store_true", help="a line for a status bar")
    form.add_argument("--json", action="store_true", help="JSON, as docs/forecast.schema.json has it")
    form.add_argument("--prometheus", action="store_true", help="text for Prometheus' textfile collector")
    parser.add_argument("--model", type=Path, help="the folder of a model; models/ by default")
    parser.add_argument("--capital", type=float, default=10_000.0, help="in quote currency; 10,000")
    parser.add_argument("--risk", type=float, default=1.0, help="percent of it that a stop may lose; 1")
    parser.add_argument("--stop", type=float, default=2.0, help="distance of the stop, in forecast ATR; 2")
    parser.add_argument("--stale-ok", action="store_true", help="candles may end more than a bar ago")
    parser.add_argument("--record", action="store_true", help="add it to forecasts/, for tools.track")
    what.add_argument("--watch", action="store_true", help="print anew at each close, until Ctrl-C")
    what.add_argument("--replay", type=int, metavar="N", help="forecast N test rows anew, and compare")
    given = parser.parse_args()
    for name, most in MOST.items():
        value = getattr(given, name)
        if value is not None and not 1e-6 <= value <= most:
            raise InputError(f"--{name} must be a number from 1e-6 to {most:g}; received {value:g}.")
    if given.replay is not None and (given.record or given.json or given.prometheus or given.one_line):
        raise InputError("--replay must stand without --record and without a form; received both.")
    return given


def load_model(folder: Path | None) -> Model:
    """The model of a folder. Raises InputError where that of the pipeline isn't of params.yaml."""
    if folder is not None:
        return read_model(folder)
    params, model = load_params(), read_model(FOLDER)
    check_same(model, params)
    return model._replace(params=params, commit=commit_of_lock())


def now() -> pd.Timestamp:
    """The clock's time."""
    return pd.Timestamp.now("UTC")


def pause(seconds: float) -> None:
    """Wait."""
    time.sleep(seconds)


def tell(model: Model, given: argparse.Namespace, moment: pd.Timestamp) -> pd.Timestamp:
    """Print the forecast of a moment, and record it if that is asked for; when the newest candle closed."""
    newest = newest_candles(model.params.fetch, moment, stale_ok=given.stale_ok)
    releases = releases_of(model.params.featurize.events)
    if releases is not None and (last := known_until(releases)) < newest.end:
        print(f"note: releases are known up to {last:%Y-%m-%d}; no later one counts.", file=sys.stderr)
    answers = answer(model, newest.candles, releases)
    wanted = Wanted(capital=given.capital, risk_pct=given.risk, stop_atr=given.stop)
    found = report(model, newest, answers, wanted)
    said = record(found, asked(model.facts.settings), now()) if given.record else []
    print(shown(found, given), flush=True)  # what can't be recorded isn't given
    for line in said:
        print(line, file=sys.stderr)
    return newest.end


def shown(found: Report, given: argparse.Namespace) -> str:
    """The report in the form that is asked for."""
    if given.json:
        return found.model_dump_json(indent=None if given.watch else 2)  # one a line, for who reads on
    if given.prometheus:
        return forms.prometheus(found)
    return forms.one_line(found) if given.one_line else forms.table(found)


def commit_of_lock() -> str | None:
    """The commit that gave HEAD its dvc.lock, if that is of the pipeline's model."""
    if shutil.which("git") is None:
        return None
    lock = finished("git", "show", "HEAD:./dvc.lock").stdout
    parts = [dvc_hash(FOLDER / part) for part in ("networks", "evidence")]
    if not all(f"md5: {part}" in lock for part in parts):
        return None
    return finished("git", "log", "-1", "--format=%H", "--", "dvc.lock").stdout.strip() or None


def replayed(model: Model, n_rows: int) -> str:
    """What a replay has found. Raises InputError where it isn't what was scored."""
    fetched = fetch(model.params.fetch).candles
    candles = {file_name(symbol): table for symbol, table in fetched.items()}
    found = replay(model, candles, releases_of(model.params.featurize.events), n_rows)
    line = (
        f"{found.n_rows:,} test rows from the candles of their time: forecasts differ by "
        f"{found.forecast:.1e} at most, relative; ends of their sets by {found.interval:.1e}, "
        f"spreads of returns by {found.spread:.1e}"
    )
    if max(found.forecast, found.interval, found.spread) > ENOUGH:
        raise InputError(f"a forecast must be the one that was scored, to {ENOUGH:g}; received: {line}.")
    return f"{line}."


if __name__ == "__main__":
    run(main)

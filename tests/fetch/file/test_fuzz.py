"""Whatever has happened to a file: its candles, or a line that says why not; nothing wrong in silence."""

from collections import Counter
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
import pandas as pd
import pytest

from stages.common.errors import InputError
from stages.fetch.clean import COLUMNS, PRICES, clean
from stages.fetch.file.candles import fetch_candles
from stages.fetch.params import JUMP, FetchParams
from stages.fetch.receipt import receipt
from tests.fetch.conftest import fetch_settings
from tests.fetch.file.dirt import N_ROWS, SYMBOL, WEEK
from tests.fetch.file.mutants import BYTES, ROWS, SUFFIXES, TIMES, Mutant, mutant

PARAMS = FetchParams.model_validate(fetch_settings(source="file", max_gap_bars=N_ROWS))
TRUE = WEEK.set_index("open_time")
LONGEST_LINE = 700
MOST_SECONDS = 10.0
N_SHORT, N_LONG = 200, 4000


def outcome(made: Mutant, folder: Path) -> str:
    """What fetch makes of a mutant: refused, true, less (some candles missing), told or plausible.

    Told: not the true candles, and the receipt says of which, or of a jump. Plausible: what the file says,
    and no more than JUMP times off, which no reader could notice. Fails where it is none of these.
    """
    for path in folder.glob("BTC-USDT.*"):
        path.unlink()
    (folder / f"BTC-USDT.{made.suffix}").write_bytes(made.content)
    try:
        cleaned = clean(fetch_candles(PARAMS)[SYMBOL], SYMBOL, PARAMS)
    except InputError as error:
        assert_a_line(str(error))
        return "refused"
    facts = receipt({SYMBOL: cleaned}, PARAMS, has_order=True)["symbols"][SYMBOL]
    found = cleaned.candles.set_index("open_time")
    phase = pd.Timedelta(facts["phase"])
    assert_all_there(found.index, facts, phase)
    if phase != pd.Timedelta(0):
        return "told"
    wrong = found.index[(found != TRUE.loc[found.index]).any(axis=1)]
    if not len(wrong):
        return "true" if len(found) == N_ROWS else "less"
    if made.said is not None:
        assert set(found.loc[wrong].to_numpy().ravel()) <= made.said
    ratio = np.abs(np.log(found.loc[wrong, PRICES] / TRUE.loc[wrong, PRICES])).max(axis=1)
    far = {time.isoformat() for time in wrong[ratio > np.log(JUMP)]}
    suspect = {row["open_time"] for row in facts["suspect_rows_kept"]}
    assert facts["jumps"] or far <= suspect, far - suspect
    return "told" if far else "plausible"


def assert_a_line(message: str) -> None:
    """A refusal names the setting, in one line that isn't long."""
    assert message.isprintable()
    assert message.startswith("fetch.")
    assert len(message) < LONGEST_LINE


def assert_all_there(times: Any, facts: dict[str, Any], phase: pd.Timedelta) -> None:
    """Every hour of the window has a candle or is in a gap, and none has both."""
    hour = pd.Timedelta("1h")
    missing = [
        pd.Timestamp(gap["start"]) + hour * k for gap in facts["gaps"] for k in range(gap["missing_bars"])
    ]
    window = pd.date_range(PARAMS.start_time + phase, PARAMS.end_time, freq=hour, inclusive="left")
    assert sorted([*times, *missing]) == [*window]


def fuzz(seeds: range, folder: Path) -> Counter[str]:
    """How often each outcome came; the slowest mutant must be quick as well."""
    counts: Counter[str] = Counter()
    for seed in seeds:
        made = mutant(seed)
        begin = perf_counter()
        try:
            counts[f"{made.suffix}: {outcome(made, folder)}"] += 1
        except (Exception, AssertionError) as error:
            error.add_note(f"mutant {seed}: {made.suffix}, {', '.join(made.done)}")
            raise
        assert perf_counter() - begin < MOST_SECONDS, seed
    print(
        f"{len(seeds):,} mutants:", ", ".join(f"{count:,} {kind}" for kind, count in sorted(counts.items()))
    )
    return counts


def test_nothing_is_wrong_in_silence(folder: Path):
    """A few hundred mutants: no traceback, no wrong candle untold, nothing that takes long."""
    counts = fuzz(range(N_SHORT), folder)

    assert counts.total() == N_SHORT
    for suffix in SUFFIXES:
        assert counts[f"{suffix}: refused"] > 0
        assert counts[f"{suffix}: true"] > 0


@pytest.mark.slow
@pytest.mark.parametrize("part", range(8))
def test_nothing_is_wrong_in_silence_at_length(folder: Path, part: int):
    """Thousands of them."""
    counts = fuzz(range(N_SHORT + part * N_LONG // 8, N_SHORT + (part + 1) * N_LONG // 8), folder)

    assert counts.total() == N_LONG // 8
    assert len(counts) > 10


def test_mutants_are_of_every_kind():
    """Each change to rows, times and bytes comes often among the few hundred, and the same each time."""
    made = [mutant(seed) for seed in range(N_SHORT)]

    done = Counter(kind for each in made for kind in each.done)
    assert {*done} == {*ROWS, *TIMES, *BYTES}
    assert made[:20] == [mutant(seed) for seed in range(20)]


def test_a_wrong_candle_is_noticed(folder: Path, monkeypatch: pytest.MonkeyPatch):
    """The judge itself: with spikes and jumps untold, or rows lost, it fails."""
    table = WEEK.assign(high=WEEK["high"].where(WEEK.index != 50, 1e6))
    content = table.to_csv(index=False).encode()
    spiked = Mutant("csv", content, [], {*table[COLUMNS[1:]].to_numpy().ravel()})
    assert outcome(spiked, folder) == "told"

    monkeypatch.setattr(
        "stages.fetch.clean.suspect_rules", lambda candles: pd.DataFrame({"": False}, candles.index)
    )
    with pytest.raises(AssertionError):
        outcome(spiked, folder)
    with pytest.raises(AssertionError):
        outcome(spiked._replace(said=set()), folder)

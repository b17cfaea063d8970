from pathlib import Path

import pytest

from stages.common.errors import InputError
from tools import verify
from tools.verify import Hashes, differing, first_difference, hashes_of, table

REFERENCE: Hashes = {
    "direction fetch": {"data/candles/BTC-USDT.parquet": "a", "data/candles/receipt.json": "b"},
    "direction train": {"models/spec.json": "c"},
}


def other(stage: str, path: str, digest: str) -> Hashes:
    """The reference with another hash of one file."""
    return REFERENCE | {stage: REFERENCE[stage] | {path: digest}}


def test_equal_hashes_differ_nowhere():
    """Then there is nothing to name."""
    found = {"as it is": REFERENCE, "another place": dict(REFERENCE)}

    assert first_difference(found) is None
    assert "DIFFER" not in table(found)


def test_the_first_difference_is_the_earliest_stages():
    """A later stage's may follow from it, whichever setting comes first."""
    found = {
        "as it is": REFERENCE,
        "one": other("direction train", "models/spec.json", "x"),
        "two": other("direction fetch", "data/candles/receipt.json", "x"),
    }

    assert first_difference(found) == "data/candles/receipt.json, of direction fetch, under two"
    assert "| one | 2 same | 1 of 1 DIFFER |" in table(found)
    assert "| two | 1 of 2 DIFFER | 1 same |" in table(found)


@pytest.mark.parametrize("path", ["models/spec.json", "models/more.json"])
def test_a_file_of_one_side_alone_differs(path):
    """Missing or too many, either way round."""
    one, two = other("direction train", path, "x"), REFERENCE

    assert differing(one, two, "direction train") == differing(two, one, "direction train") == [path]


def test_every_file_counts(tmp_path: Path):
    """A file by itself, and those in a folder and below."""
    for name in ("data/predictions.parquet", "models/spec.json", "models/deep/er.json", "elsewhere.json"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(name, encoding="utf-8")

    found = hashes_of(tmp_path, ["data/predictions.parquet", "models"])

    assert list(found) == ["data/predictions.parquet", "models/deep/er.json", "models/spec.json"]
    assert len(set(found.values())) == 3


def test_a_difference_ends_it_in_a_line(monkeypatch, capsys):
    """After the table, which says where else."""
    monkeypatch.setattr(verify, "SETTINGS", {"as it is": {}, "two": {}})
    made = {"as it is": REFERENCE, "two": other("direction train", "models/spec.json", "x")}
    monkeypatch.setattr(verify, "reproduce_in", lambda _folder, setting: made[setting])

    with pytest.raises(InputError, match=r"models/spec\.json, of direction train, under two\.$"):
        verify.main()
    assert "1 of 1 DIFFER" in capsys.readouterr().out

import json
from importlib.metadata import version
from typing import Any

import pytest

import stages
from stages.common.environment import ENVIRONMENT_FILE, record


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch) -> None:
    """An empty folder to run in."""
    monkeypatch.chdir(tmp_path)


def written() -> dict[str, Any]:
    """What results/environment.json holds."""
    found: dict[str, Any] = json.loads(ENVIRONMENT_FILE.read_text(encoding="utf-8"))
    return found


def test_it_says_what_made_the_results():
    """Versions, the processor, and the settings in force."""
    record("label")

    found = written()["label"]
    assert found["packages"]["numpy"] == version("numpy")
    assert found["settings"] == stages.in_force()
    assert found["processor"]
    assert found["cores"] >= 1


def test_each_stage_has_its_own():
    """A stage that runs elsewhere later leaves what is known of the others."""
    record("fetch")
    before = written()["fetch"]
    record("label")

    assert written() == {"fetch": before, "label": before}


@pytest.mark.parametrize("text", ["", "[1]", "{", "\x00"])
def test_what_cant_be_read_is_begun_anew(text):
    """It is for people, and must stop no stage."""
    ENVIRONMENT_FILE.parent.mkdir()
    ENVIRONMENT_FILE.write_text(text, encoding="utf-8")
    record("label")

    assert set(written()) == {"label"}

"""The folder that a user's files are dropped into."""

from pathlib import Path

import pytest


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """data/import/file/ of an empty checkout, which the test runs in."""
    monkeypatch.chdir(tmp_path)
    made = tmp_path / "data/import/file"
    made.mkdir(parents=True)
    return made

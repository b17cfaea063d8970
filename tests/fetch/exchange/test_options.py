from pathlib import Path

import pytest

from stages.fetch.exchange.options import read_options
from tests.fetch.exchange.conftest import refusal


@pytest.mark.parametrize("content", [None, b"", b"{", b"[]", b"\xff"])
def test_config_must_be_a_json_object(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes | None
):
    """A CCXT_CONFIG without a file, or with another one, is named."""
    path = tmp_path / "ccxt.json"
    if content is not None:
        path.write_bytes(content)
    monkeypatch.setenv("CCXT_CONFIG", str(path))

    message = refusal(lambda: read_options("binance"))

    assert message.startswith("CCXT_CONFIG must name a ")
    assert str(path) in message

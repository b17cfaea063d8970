import re
from html.parser import HTMLParser

import pandas as pd
import pytest

from stages.evaluate.report import HEADINGS, page

VOID = {"meta", "img", "!doctype"}


class Checker(HTMLParser):
    """Notes what is open, and each address that a browser would follow."""

    def __init__(self) -> None:
        """Nothing is open yet."""
        super().__init__()
        self.open: list[str] = []
        self.addresses: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note a tag, and where it points to."""
        self.addresses += [str(value) for name, value in attrs if name in {"src", "href"}]
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        """A tag must end what was opened last."""
        assert self.open.pop() == tag


@pytest.fixture
def html():
    """A small page."""
    table = pd.DataFrame({"fold": ["1", "all"], "skill_pct": [1.23456789, float("nan")]})
    metrics = {"test": {"skill_pct": 12.3456789, "n_rows": 12345678}, "overfit_gap_pct": 3.5}
    tables = dict.fromkeys(HEADINGS, table)
    return page({"symbols": "BTC & ETH"}, "Direction: p < 0.001", metrics, tables, {"folds": b"\x89PNG"})


def test_page_needs_no_network(html):
    """All that it shows is in it."""
    checker = Checker()
    checker.feed(html)

    assert checker.open == []
    assert [address[:22] for address in checker.addresses] == ["data:image/png;base64,"]
    assert not re.search(r"https?://|@import|url\(", html)


def test_page_says_it_all(html):
    """Verdict, subject, tables and figures, with what HTML would swallow escaped."""
    assert "<dt>symbols</dt><dd>BTC &amp; ETH</dd>" in html
    assert "Direction: p &lt; 0.001" in html
    assert "1.235" in html
    for heading in HEADINGS.values():
        assert heading in html


def test_page_has_every_figure(html):
    """Those in a block and those in none, which come first; a count isn't rounded."""
    cells = re.findall(r"<h2>(.*)</h2>|<td>(.*)</td>", html.split("docs/metrics.md")[1])

    assert [heading or cell for heading, cell in cells] == [
        "top level", "overfit_gap_pct", "3.5", "test", "skill_pct", "12.3457", "n_rows", "12345678",
    ]  # fmt: skip

"""results/report.html as text: what is on it, in which order, and that it needs nothing else."""

import re
from html.parser import HTMLParser
from typing import Any

import numpy as np
import pandas as pd
import pytest

from stages.common.task import TASKS
from stages.evaluate import plots
from stages.evaluate.figures import TEST
from stages.evaluate.question import question_of
from stages.evaluate.report import HEADINGS, Candles, Found, Receipt, mark, page, told
from stages.evaluate.stage import own_figures

VOID = {"meta", "!doctype"}
HOSTILE = "<script>alert('BTC & \"ETH\"')</script>"


class Checker(HTMLParser):
    """Notes what is open, and each address that a browser would follow."""

    def __init__(self) -> None:
        """Nothing is open yet."""
        super().__init__()
        self.open: list[str] = []
        self.addresses: list[str] = []
        self.labels: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note a tag, where it points to, and what a picture is said to show."""
        given = dict(attrs)
        self.addresses += [str(given[name]) for name in ("src", "href", "xlink:href") if name in given]
        if tag == "svg":
            self.labels.append(str(given["aria-label"]))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """A tag that ends itself."""
        self.handle_starttag(tag, attrs)
        self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        """A tag must end what was opened last."""
        assert self.open.pop() == tag


def made_up(n_days: int = 60, n_folds: int = 2, task: str = "direction") -> Found:
    """A page's parts, of a test as long as this."""
    rng = np.random.default_rng(1)
    days = pd.date_range("2023-01-01", periods=n_days).strftime("%Y-%m-%d")
    walk = 1 + 0.1 * rng.standard_normal(n_days).cumsum() / np.sqrt(n_days)
    hours = pd.date_range("2023-01-01", periods=720, freq="h", tz="UTC")
    wave = rng.standard_normal(720)
    names = [str(k + 1) for k in range(n_folds)]
    months = sorted({day[:7] for day in days})
    kinds = ["1", "2"]
    tables = {
        "forecast": pd.DataFrame({"date": days, "forecast": walk, "benchmark": 1.0, "outcome": walk + 0.1}),
        "band": pd.DataFrame({"date": days, "least": walk - 1, "greatest": walk + 1}),
        "recent": pd.DataFrame(
            {
                "close_time": hours,
                "forecast": wave,
                "outcome": wave,
                "least": wave - 1,
                "greatest": wave + 1,
            }
        ),
        "calibration": pd.DataFrame({"forecast": [0.4, 0.6], "outcome": [0.45, 0.5], "rows": 50}),
        "coverage": pd.DataFrame({"date": days, "percent": 90.0, "month": 90 + walk}),
        "wealth": pd.DataFrame({"date": days, "network": walk, "reference": walk, "constant": 1.0}),
        "scatter": pd.DataFrame({"delta": rng.standard_normal(600), "surprise": rng.standard_normal(600)}),
        "training": pd.DataFrame(
            {
                "fold": np.repeat(names, 10),
                "epoch": [*range(10)] * n_folds,
                "train_loss": 1.0,
                "val_loss": 2.0,
            }
        ),
        "folds": pd.DataFrame(
            {"fold": [*names, "all"], "skill_pct": 1.23456789, "edge_pct": -1.0, "best_baseline": "har_x"}
        ),
        "months": pd.DataFrame({"month": [*months, "all"], "skill_pct": 3.0, "edge_pct": np.nan}),
        "symbols": pd.DataFrame({"symbol": ["BTC-USDT", "all"], "skill_pct": 3.0}),
        "forecasts": pd.DataFrame(
            {"forecast": ["network", "har_x"], "skill_pct": [3.0, 0.0], "skill_lo": 0.0, "skill_hi": 5.0}
        ),
        "calls": pd.DataFrame(
            [{"actual": a, "predicted": b, "percent": 25.0} for a in kinds for b in kinds]
        ),
    }
    test: dict[str, Any] = dict.fromkeys(TEST, 0.5) | {"signal": 1, "edge": 0, "too_short": 0}
    test |= {
        "skill_pct": 12.3456789,
        "skill_lo": 11.0,
        "skill_hi": 13.0,
        "n_rows": 12345678,
        "is_baseline": 0,
    }
    pictures = plots.draw(tables, question_of(task).words, test, banded=not TASKS[task].classes)
    return Found(
        task=task,
        verdict="Direction: p < 0.001",
        subject={"question": "direction", "symbols": HOSTILE},
        settings={"task": task, "fetch.symbols": [HOSTILE]},
        metrics={
            "test": test,
            "val": {"skill_pct": 1.0},
            "overfit_gap_pct": 3.5,
            task: dict.fromkeys(own_figures(task), 1.0),
            "baselines": {"har_x": 31.9},
        },
        own=own_figures(task),
        margins={"info_gain_mnats": (1, 2), "coverage_90_pct": (89, 91), "utility_bps": (-5, 7)},
        tables=tables,
        pictures={name: plots.as_svg(picture) for name, picture in pictures.items()},
        receipt=Receipt(
            symbols={
                HOSTILE: Candles(
                    first="2022-01-01T00:00:00+00:00",
                    last="2024-12-31T23:00:00+00:00",
                    rows=26304,
                    gaps=[{}, {}],
                    jumps=[],
                    broken_rows_left_out=[],
                    sha256="0123456789abcdef",
                )
            }
        ),
        hashes={"data/predictions.parquet": "fedcba"},
    )


@pytest.fixture(scope="module")
def html() -> str:
    """A small page."""
    return page(made_up())


def test_page_needs_no_network_and_no_script(html):
    """All that it shows is in it."""
    checker = Checker()
    checker.feed(html)

    assert checker.open == []
    assert all(address.startswith("#") for address in checker.addresses)
    assert not re.search(r"https?://(?!www\.w3\.org/)|@import|url\((?!#)|<script", html)


def test_text_that_comes_from_outside_is_escaped(html):
    """A symbol may be called whatever an exchange likes."""
    assert HOSTILE not in html
    assert "&lt;script&gt;" in html
    assert "Direction: p &lt; 0.001" in html


def test_the_answer_comes_first_then_what_it_rests_on(html):
    """Verdict, eight figures, pictures, all figures, and last what it was made of."""
    headings = re.findall(r"<h2[^>]*>(.*?)</h2>", html)

    assert headings[0] == "Eight figures"
    assert headings[-2:] == ["All figures", "Candles, parameters, versions"]
    assert html.index("Direction: p") < html.index("Eight figures") < html.index("<svg")


def test_every_picture_says_what_is_to_be_seen(html):
    """To whoever can't see it, too; and no two the same."""
    checker = Checker()
    checker.feed(html)

    assert len(checker.labels) == len(set(checker.labels)) == 10
    assert all(len(label) > 30 for label in checker.labels)
    assert all(label.endswith(".") for label in checker.labels)
    assert any("The best on this test was the network." in label for label in checker.labels)


def test_text_in_pictures_is_text(html):
    """So that a browser's search finds it."""
    texts = re.findall(r"<text[^>]*>([^<]*)</text>", html)

    assert {"Wealth after costs", "Calibration", "Skill month by month"} <= set(texts)


def test_colours_of_pictures_follow_the_reader(html):
    """Each is a name of the page's style, where light and dark have their own."""
    pictures = html[html.index("<svg") :]

    assert not re.search(r"(fill|stroke): #", pictures)
    named = set(re.findall(r"var\(--(\w+)\)", pictures))
    light, dark = html.split("prefers-color-scheme: dark")[:2]
    assert all(f"--{name}:" in light and f"--{name}:" in dark for name in named - {"width"})


def test_the_eight_figures_have_interval_reference_and_meaning(html):
    """In words; those without an interval leave it out."""
    cards = re.findall(r"<li>(.*?)</li>", html, re.DOTALL)

    assert len(cards) == 8
    first = re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", cards[0]))
    assert first == (
        "Skill over the benchmark 12.35 % [11.00, 13.00]. The benchmark has 0. It is better than the "
        "benchmark. skill_pct "
    )
    assert sum("[" in card for card in cards) == 6


@pytest.mark.parametrize("task", TASKS)
def test_every_figure_has_a_name_in_words_and_its_key(task):
    """Those of all blocks and those in none; a count isn't rounded."""
    found = made_up(task=task)
    lines = re.findall(r"<tr><td>(.*?)</td><td><code>(.*?)</code></td><td>(.*?)</td>", page(found))

    keys = [key for _, key, _ in lines]
    blocks = [block for block in found.metrics.values() if isinstance(block, dict)]
    assert sorted(keys) == sorted([*(key for block in blocks for key in block), "overfit_gap_pct"])
    assert all(name and "_" not in name for name, *_ in lines)
    values = dict(zip(keys, (value for *_, value in lines), strict=True))
    assert values["n_rows"] == "12345678"
    assert ("skill over the benchmark", "skill_pct", "12.3457") in lines
    assert ("loss of har x", "har_x", "31.9") in lines


def test_tables_are_had_below_their_pictures(html):
    """Four digits, and what is missing as a line."""
    for heading in HEADINGS.values():
        assert f"{heading}: the figures" in html
    assert "<td>1.235</td>" in html
    assert "<td>-</td>" in html


def test_it_says_what_it_was_made_of(html):
    """Candles with their checksum, parameters, versions and hashes."""
    for text in ("26,304", "0123456789ab", "fetch.symbols", "numpy", "tensorflow", "fedcba"):
        assert text in html


def test_the_same_parts_make_the_same_page(html):
    """No date, nothing random."""
    assert page(made_up()) == html


def test_a_long_test_stays_under_half_a_megabyte():
    """Four years of days in sixteen folds."""
    assert len(page(made_up(n_days=1460, n_folds=16, task="volatility")).encode()) < 500_000


@pytest.mark.parametrize(
    ("signal", "edge", "too_short", "colour"),
    [
        (1, 1, 0, "good"),
        (1, 0, 0, "good"),
        (1, -1, 0, "bad"),
        (0, 0, 0, "none"),
        (-1, 0, 0, "bad"),
        (0, 0, 1, "none"),
    ],
)
def test_the_mark_is_of_the_verdict(signal, edge, too_short, colour):
    """Green only where there is a signal, and the network doesn't lose it."""
    assert mark({"signal": signal, "edge": edge, "too_short": too_short}) == colour


@pytest.mark.parametrize(
    ("signal", "too_short", "ends", "words"),
    [
        (1, 0, (1.0, 2.0), "It is better than"),
        (-1, 0, (-2.0, -1.0), "It is worse than"),
        (0, 0, (0.1, 2.0), "It can't be told from"),
        (0, 0, (0.0, 0.0), "It is the same as"),
        (0, 1, (11.0, 13.0), "The test is too short to tell it from"),
    ],
)
def test_a_card_says_what_the_verdict_says(signal, too_short, ends, words):
    """An interval above nil is no signal where folds don't agree, or the test is short."""
    assert told({"signal": signal, "edge": 0, "too_short": too_short}, "skill", *ends) == words

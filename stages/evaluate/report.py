"""results/report.html: verdict, figures, pictures and tables on one page that needs no network."""

from base64 import b64encode
from html import escape
from typing import Any

import pandas as pd

STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; color: #222; max-width: 62rem; margin: 2rem auto;
  padding: 0 1rem }
h1 { font-size: 1.6rem } h2 { font-size: 1.2rem; margin-top: 2.5rem } img { max-width: 100% }
table { border-collapse: collapse; font-size: .85rem; font-variant-numeric: tabular-nums }
th, td { padding: .15rem .7rem; text-align: right; border-bottom: 1px solid #ddd }
th:first-child, td:first-child { text-align: left }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .15rem 1rem; font-size: .9rem }
dt { color: #666 } dd { margin: 0; overflow-wrap: anywhere }
.verdict { font-size: 1.15rem; border-left: .3rem solid #0072B2; padding-left: 1rem }
"""

PAGE = """\
<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Barometer</title>
<style>{style}</style>
<h1>Barometer</h1>
<p class="verdict">{verdict}</p>
{parts}
</html>
"""
ABOUT_FIGURES = "<p>What each figure means, and what it can't tell: docs/metrics.md.</p>"

HEADINGS = {
    "forecasts": "The network and every baseline, on the test rows",
    "folds": "By fold",
    "symbols": "By symbol",
    "months": "By month",
}


def page(
    subject: dict[str, str],
    verdict: str,
    metrics: dict[str, Any],
    tables: dict[str, pd.DataFrame],
    pictures: dict[str, bytes],
) -> str:
    """The page as HTML; `subject` as `subject.facts` has it, `pictures` are PNG files by name.

    `tables` may hold more than are shown.
    """
    shown = [section(heading, table_html(tables[name])) for name, heading in HEADINGS.items()]
    blocks = [section(name, block_html(block)) for name, block in blocks_of(metrics).items()]
    images = [image_html(name, png) for name, png in pictures.items()]
    parts = [subject_html(subject), *images, *shown, ABOUT_FIGURES, *blocks]
    return PAGE.format(style=STYLE, verdict=escape(verdict), parts="\n".join(parts))


def blocks_of(metrics: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Each block of metrics.json by its heading; the first has the figures that stand in none."""
    figures = {key: value for key, value in metrics.items() if not isinstance(value, dict)}
    return {"top level": figures} | {key: metrics[key] for key in metrics if key not in figures}


def subject_html(subject: dict[str, str]) -> str:
    """What the page is of, a line a fact."""
    lines = [f"<dt>{escape(name)}</dt><dd>{escape(text)}</dd>" for name, text in subject.items()]
    return "\n".join(["<dl>", *lines, "</dl>"])


def section(heading: str, body: str) -> str:
    """A heading and what belongs to it."""
    return f"<h2>{escape(heading)}</h2>\n{body}"


def image_html(name: str, png: bytes) -> str:
    """A picture as part of the page itself."""
    return f'<p><img alt="{escape(name)}" src="data:image/png;base64,{b64encode(png).decode()}"></p>'


def table_html(table: pd.DataFrame) -> str:
    """A table with four significant digits."""
    return table.to_html(index=False, border=0, float_format=lambda value: f"{value:.4g}", na_rep="-")


def block_html(block: dict[str, Any]) -> str:
    """A block of metrics.json, a row a key; counts to the last digit, the rest with six."""
    values = [str(value) if isinstance(value, int) else f"{value:.6g}" for value in block.values()]
    return pd.DataFrame({"key": list(block), "value": values}).to_html(index=False, border=0)

"""results/report.html: verdict, eight figures, pictures and tables, without network or script."""

import re
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd
from jinja2 import Environment, StrictUndefined
from markupsafe import Markup
from pydantic import BaseModel

from stages.common.task import TASKS
from stages.evaluate.figures import ROLES, TEST, TOP, Figure
from stages.evaluate.margins import Margins
from stages.evaluate.plots import BLACK, BLUE, GREY, LIGHT, ORANGE, WHITE
from stages.evaluate.subject import Settings, shown

TEMPLATE = Path(__file__).with_name("report.html")
# What the page's style calls a picture's colours, so that they follow the reader's light or dark.
COLOURS = {BLUE: "blue", ORANGE: "orange", LIGHT: "light", GREY: "grey", BLACK: "ink", WHITE: "paper"}
HEADINGS = {
    "forecasts": "Every forecast",
    "folds": "By fold",
    "symbols": "By symbol",
    "months": "By month",
}
NEEDLESS = [  # in a picture that is part of the page
    re.compile(r"<metadata>.*?</metadata>|<style.*?</style>", re.DOTALL),
    re.compile(
        r' id="(?![mp][0-9a-f]{8,}")[^"]*"'
    ),  # each has the same; what refers to a part names its hash
    re.compile(r"font-family: [^;]*; |; fill: var\(--ink\)(?=\" [xy]=)"),
    re.compile(r"^\s+", re.MULTILINE),
]
PACKAGES = ("numpy", "pandas", "scipy", "scikit-learn", "arch", "TA-Lib", "keras", "tensorflow")
UNITS = {"%": " %", "milli-nats a forecast": " milli-nats", "basis points a year": " basis points"}
BLOCKS = {"test": TEST, "val": ROLES, "train": ROLES}


class Candles(BaseModel):
    """What the receipt says of a symbol's candles, of which the page shows this."""

    rows: int
    first: str
    last: str
    gaps: list[Any]
    jumps: list[Any]
    broken_rows_left_out: list[Any]
    sha256: str


class Receipt(BaseModel):
    """What fetch wrote of the candles."""

    symbols: dict[str, Candles]


class Card(NamedTuple):
    """One of the eight figures, in words."""

    key: str
    name: str
    value: str
    interval: str
    reference: str
    meaning: str


class Line(NamedTuple):
    """A figure of metrics.json."""

    key: str
    name: str
    value: str
    unit: str


class Found(NamedTuple):
    """What the page is made of.

    `task`: the question. `verdict`: a sentence. `subject`: as `subject.facts` has it. `settings`: by dotted
    key. `metrics`: of metrics.json; `own`: what the task's own figures are. `margins`: of `margins`.
    `tables`: by name; there may be more than are shown. `pictures`: SVG files by name. `receipt`: of the
    candles. `hashes`: by what they are of.
    """

    task: str
    verdict: str
    subject: dict[str, str]
    settings: Settings
    metrics: dict[str, Any]
    own: dict[str, Figure]
    margins: Margins
    tables: dict[str, pd.DataFrame]
    pictures: dict[str, str]
    receipt: Receipt
    hashes: dict[str, str]


def page(found: Found) -> str:
    """The page as HTML."""
    environment = Environment(
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    test = found.metrics["test"]
    captions = captions_of(test, found.tables, classes=TASKS[found.task].classes)
    return environment.from_string(TEMPLATE.read_text(encoding="utf-8")).render(
        subject=found.subject,
        mark=mark(test),
        verdict=found.verdict,
        cards=cards(test, found.margins),
        captions=captions,
        pictures={name: inline(svg, captions[name]) for name, svg in found.pictures.items()},
        headings=HEADINGS,
        tables={name: table_html(found.tables[name]) for name in HEADINGS},
        blocks=blocks(found.metrics, found.task, found.own),
        receipt=found.receipt,
        settings={key: shown(value) for key, value in found.settings.items()},
        made_by={name: version(name) for name in PACKAGES} | found.hashes,
    )


def mark(test: dict[str, Any]) -> str:
    """What the verdict's colour says: good, bad or none."""
    if test["too_short"] or not test["signal"]:
        return "none"
    return "good" if test["signal"] > 0 and test["edge"] >= 0 else "bad"


def cards(test: dict[str, Any], margins: Margins) -> list[Card]:
    """The eight figures that matter, each with its interval, a reference and what it means."""
    ends = margins | {
        "skill_pct": (test["skill_lo"], test["skill_hi"]),
        "edge_pct": (test["edge_lo"], test["edge_hi"]),
        "delta_sharpe": (test["delta_sharpe_lo"], test["delta_sharpe_hi"]),
    }
    skill, edge = (told(test, name, test[f"{name}_lo"], test[f"{name}_hi"]) for name in ("skill", "edge"))
    traded = "It never traded" if test["turnover"] == 0 else "What trading by it added"
    texts = {
        "skill_pct": ("The benchmark has 0", f"{skill} the benchmark"),
        "edge_pct": ("The best baseline has 0", f"{edge} the best baseline"),
        "info_gain_mnats": ("The benchmark has 0", "The one unit that all questions share"),
        "auc": (f"Who knows nothing has {test['auc_ref']:.2f}", "Whether it ranks what comes"),
        "coverage_90_pct": ("90 is promised", "Sets that held what came"),
        "worst_30d_pct": ("90 is promised", "The same when it held least"),
        "delta_sharpe": (
            f"The reference has {test['ref_sharpe']:z.2f}",
            traded,
        ),
        "utility_bps": (
            f"A constant exposure has {test['constant_utility_bps']:.0f}",
            "What sizing by it is worth to an investor",
        ),
    }
    return [
        Card(
            key=key,
            name=TEST[key].name,
            value=f"{test[key]:z.2f}{UNITS.get(TEST[key].unit, '')}",
            interval=interval(*ends[key]) if key in ends else "",
            reference=reference,
            meaning=meaning,
        )
        for key, (reference, meaning) in texts.items()
    ]


def interval(lo: float, hi: float) -> str:
    """As it stands behind a figure."""
    return f"[{lo:z.2f}, {hi:z.2f}]."


def told(test: dict[str, Any], name: str, lo: float, hi: float) -> str:
    """How the forecast stands to another, by the verdict; `lo`, `hi`: of what it gains."""
    verdict = test["signal" if name == "skill" else name]
    if test["too_short"]:
        return "The test is too short to tell it from"
    if lo == hi == 0:
        return "It is the same as"
    return {1: "It is better than", -1: "It is worse than"}.get(verdict, "It can't be told from")


def captions_of(test: dict[str, Any], tables: dict[str, pd.DataFrame], *, classes: bool) -> dict[str, str]:
    """What is to be seen on each picture."""
    best = tables["forecasts"]["forecast"].iloc[0]
    best = "the network" if best == "network" else best.replace("_", " ")
    if test["is_baseline"]:
        best += "; the network's forecast is a baseline's, row for row"
    folds, months = tables["folds"][:-1], tables["months"][:-1]
    of_folds, of_months = ((table[["skill_pct", "edge_pct"]] > 0).sum() for table in (folds, months))
    sharpes = [f"{test[f'{name}_sharpe']:z.2f}" for name in ("net", "ref", "constant")]
    sides = "A row is called where its forecast lies above the benchmark. "
    return {
        "forecast": "Above: forecast and outcome, day by day. Below: their level, and the benchmark's. "
        "The nearer to the outcome, the better.",
        "recent": "The same, bar by bar; of several symbols, the first.",
        "forecasts": "Skill of each forecast over the benchmark, with its interval, the network's in "
        f"orange. The best on this test was {best}.",
        "calibration": "A dot is a tenth of the rows. On the dashed line forecasts are as high as what "
        "came.",
        "coverage": f"{test['coverage_90_pct']:.1f} % of all outcomes lay in their sets, in the worst "
        f"30 days {test['worst_30d_pct']:.1f} %.",
        "folds": f"Skill was above 0 in {of_folds['skill_pct']} of {len(folds)} folds, edge in "
        f"{of_folds['edge_pct']}. Below each fold stands its best baseline.",
        "months": f"Skill was above 0 in {of_months['skill_pct']} of {len(months)} months.",
        "wealth": f"Sharpe ratios after costs: {sharpes[0]}, of the reference {sharpes[1]}, of a constant "
        f"exposure {sharpes[2]}. The deepest fall from a peak was {test['max_drawdown_pct']:.0f} %.",
        "training": "Loss by epoch; at epoch 0 nothing has been learnt yet. The shade is the gap between "
        "what was learnt from and what wasn't.",
        "calls": "Left: what was called against what came, in percent of the rows; the diagonal is right. "
        f"{sides if classes else ''}Right: departures from the benchmark against what came.",
    }


def inline(svg: str, caption: str) -> Markup:
    """A picture as a part of the page, its colours by their names there; `caption`: what it shows."""
    body = svg[svg.index("<svg") :]
    for colour, name in COLOURS.items():
        body = body.replace(colour, f"var(--{name})")
    for needless in NEEDLESS:
        body = needless.sub("", body)
    head, rest = body.split(">", 1)
    box = re.search(r'viewBox="0 0 ([0-9.]+) [0-9.]+"', head)
    assert box is not None
    label = Markup.escape(caption)
    # Markup: matplotlib escapes the text in its pictures.
    return Markup(f'<svg role="img" aria-label="{label}" {box[0]} style="--width: {box[1]}pt">{rest}')  # noqa: S704


def table_html(table: pd.DataFrame) -> Markup:
    """A table with four significant digits."""
    text = table.to_html(index=False, border=0, float_format=lambda value: f"{value:.4g}", na_rep="-")
    return Markup(text)  # noqa: S704


def blocks(metrics: dict[str, Any], task: str, own: dict[str, Figure]) -> dict[str, list[Line]]:
    """Each block of metrics.json; figures that stand in none are in `top level`."""
    known = BLOCKS | {task: own}
    top = {key: value for key, value in metrics.items() if not isinstance(value, dict)}
    found = {name: metrics[name] for name in metrics if name not in top} | {"top level": top}
    return {
        name: [line(key, value, known.get(name, TOP).get(key)) for key, value in block.items()]
        for name, block in found.items()
    }


def line(key: str, value: float, figure: Figure | None) -> Line:
    """A figure; a baseline's loss, which has no name but its own, if it is none of those that are known."""
    text = str(value) if isinstance(value, int) else f"{value:.6g}"
    if figure is None:
        return Line(key, f"loss of {key.replace('_', ' ')}", text, "thousandths, lower")
    return Line(key, figure.name, text, figure.unit_better)

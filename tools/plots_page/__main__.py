"""The page on which `dvc plots` draws, with its scripts inside: `python -m tools.plots_page`.

DVC's own page loads them from a network. Which versions of which packages says package-lock.json, beside
this file; npm checks their hashes.
"""

import json
import shutil
import tempfile
from pathlib import Path

from stages.common.errors import InputError, run
from stages.common.outputs import write_text
from tools.commands import output_of, without_options

HERE = Path(__file__).parent
PAGE = ".dvc/plots/page.html"
SCRIPTS = ("vega", "vega-lite", "vega-embed")  # in the order in which they need each other

STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; color: #222; margin: 2rem }
body > div { margin-bottom: 2.5rem; overflow-x: auto }
body > .vega-embed { display: block; width: fit-content; max-width: 100% }
/* Pictures: revisions side by side, without DVC's frames. */
body > div[style] { border: 0 !important; text-align: left !important; white-space: normal !important }
body > div[style] > div { border: 0 !important; margin: 0 1rem 0 0 !important }
body > div[style] > div { max-width: 47%; vertical-align: top }
p { margin: 0 0 .3rem } img { max-width: 100% }
"""
# Its menu keeps what needs no network: a picture to save.
EMBED = """
const embed = vegaEmbed;
window.vegaEmbed = (place, plot) => embed(place, plot, {
  renderer: "svg",
  actions: { export: true, source: false, compiled: false, editor: false },
});
"""


def main() -> None:
    """Install the packages in a scratch folder, and write the page from them."""
    with tempfile.TemporaryDirectory() as scratch:
        install(Path(scratch))
        packages = Path(scratch) / "node_modules"
        text = page(
            # Those for browsers, with what they need inside.
            {name: (packages / name / f"build/{name}.min.js").read_text("utf-8") for name in SCRIPTS},
            licences([path.parent for path in packages.rglob("package.json")]),
        )
    write_text(PAGE, text)
    print(f"{PAGE}: {len(text.encode()) / 1e3:.0f} kB")


def install(folder: Path) -> None:
    """Fill `folder`/node_modules. Raises InputError if npm is missing or fails, with its reason."""
    npm = shutil.which("npm")
    if npm is None:
        raise InputError("npm must be installed, or the scripts can't be had; received none.")
    for name in ("package.json", "package-lock.json"):
        shutil.copy(HERE / name, folder)
    output_of(npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", cwd=folder)


def licences(packages: list[Path]) -> str:
    """The text of each licence once, below the names and versions of its packages."""
    owners: dict[str, list[str]] = {}
    for package in sorted(packages):
        about = json.loads((package / "package.json").read_text(encoding="utf-8"))
        for file in sorted(package.glob("LICEN[SC]E*")):
            text = file.read_text(encoding="utf-8").strip()
            owners.setdefault(text, []).append(f"{about['name']} {about['version']}")
    return "\n\n".join(f"{', '.join(names)}\n\n{text}" for text, names in owners.items())


def page(scripts: dict[str, str], notice: str) -> str:
    """The page as HTML, with a place for DVC's plots; `notice` holds the scripts' licences.

    Raises InputError where a text would end its place in the page early, or be taken for DVC's.
    """
    for text, ends in [(notice, "-->"), *((script, "</script") for script in scripts.values())]:
        for mark in (ends, "{plot_divs}", "{scripts}", "{refresh_tag}"):
            if mark in text:
                raise InputError(f"no script or licence may hold {mark}; received one that does.")
    return "\n".join(
        [
            "<!doctype html>",
            "<!-- Written by `make plots-page`. Licences of the scripts below, and of what is in them:\n",
            notice,
            "\n-->",
            '<html lang="en">',
            "{refresh_tag}",
            '<meta charset="utf-8">',
            "<title>Barometer: plots</title>",
            f"<style>{STYLE}</style>",
            *(f"<script>{text.strip()}</script>" for text in [*scripts.values(), EMBED]),
            "{plot_divs}",
            "</html>",
            "",
        ]
    )


if __name__ == "__main__":
    run(without_options(main, __doc__))

"""results/report.html as a browser shows it: on a phone and on a screen, light and dark, without a network.

It needs Chromium, as Debian's package `chromium` has it; where there is none, these tests are skipped.
"""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from stages.common.task import TASKS
from stages.evaluate.report import page
from tests.evaluate.test_report import made_up

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
# As root, as in a container, it has no sandbox; it mustn't look for updates where there is no network.
OPTIONS = [
    "--no-sandbox",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]

pytestmark = [
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium here: apt-get install chromium"),
    pytest.mark.enable_socket,  # Playwright speaks to the browser by a pipe, and to itself by sockets
]

# The contrast of each text with what is behind it, as WCAG 2.1 has it (1.4.3).
CONTRASTS = """() => {
  const parse = (text) => (text.match(/[\\d.]+/g) || []).map(Number);
  const light = ([r, g, b]) => [r, g, b].map((v) => v / 255)
    .map((v) => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
    .reduce((sum, v, k) => sum + v * [0.2126, 0.7152, 0.0722][k], 0);
  const behind = (element) => {
    for (let e = element; e; e = e.parentElement) {
      const color = parse(getComputedStyle(e).backgroundColor);
      if (color.length === 3 || color[3] > 0) return color;
    }
    return [255, 255, 255];
  };
  const found = [];
  for (const element of document.querySelectorAll('body *')) {
    const own = [...element.childNodes].some((n) => n.nodeType === 3 && n.textContent.trim());
    if (!own || element.tagName === 'STYLE' || !element.getClientRects().length) continue;
    const style = getComputedStyle(element);
    const ink = parse(element.closest('svg') ? style.fill : style.color);
    const [one, other] = [light(ink), light(behind(element))].sort((a, b) => b - a);
    found.push([(one + 0.05) / (other + 0.05), element.textContent.trim().slice(0, 40)]);
  }
  return found;
}"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Chromium, without a window."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=OPTIONS)
        yield browser
        browser.close()


@pytest.fixture(scope="module", params=TASKS)
def report(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A page of each question, with all that is folded away open."""
    path: Path = tmp_path_factory.mktemp("report") / "report.html"
    path.write_text(page(made_up(task=request.param)).replace("<details>", "<details open>"), "utf-8")
    return path


@pytest.fixture(params=[375, 1280])
def shown(
    request: pytest.FixtureRequest, browser: Browser, report: Path
) -> Iterator[tuple[Page, list[str]]]:
    """The page at a width, and what it asked for or complained of."""
    context = browser.new_context(viewport={"width": request.param, "height": 800}, offline=True)
    opened, said = context.new_page(), list[str]()
    opened.on("console", lambda message: said.append(f"console: {message.text}"))
    opened.on("pageerror", lambda error: said.append(f"error: {error}"))
    opened.on("request", lambda asked: said.append(f"request: {asked.url}"))
    opened.goto(report.as_uri())
    yield opened, said
    context.close()


def test_it_asks_for_nothing_and_complains_of_nothing(shown, report):
    """One request, for itself; no message in the console."""
    _, said = shown

    assert said == [f"request: {report.as_uri()}"]


def test_nothing_is_wider_than_the_screen(shown):
    """What is, as a table, scrolls on its own."""
    opened, _ = shown

    assert opened.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    outside = opened.evaluate(
        """() => [...document.querySelectorAll('body *')]
          .filter((e) => !e.closest('.scroll') && e.getBoundingClientRect().right > window.innerWidth + 0.5)
          .map((e) => e.tagName)"""
    )
    assert outside == []


def test_tables_and_pictures_scroll_where_they_must(shown):
    """On a phone each wide one has more than it shows, and a keyboard reaches it."""
    opened, _ = shown
    wide = opened.evaluate(
        "[...document.querySelectorAll('.scroll')].map((e) => [e.scrollWidth > e.clientWidth, e.tabIndex])"
    )

    assert len(wide) >= 10
    assert all(index == 0 for _, index in wide)
    if opened.viewport_size["width"] == 375:
        assert sum(scrolls for scrolls, _ in wide) >= 8
    else:
        assert not any(scrolls for scrolls, _ in wide[:10])


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_text_can_be_read(shown, scheme):
    """A contrast of 4.5 at least; in pictures against the page, for marks behind their text are faint."""
    opened, _ = shown
    opened.emulate_media(color_scheme=scheme)

    contrasts = opened.evaluate(CONTRASTS)

    assert len(contrasts) > 150
    assert [each for each in contrasts if each[0] < 4.5] == []


@pytest.mark.parametrize(("scheme", "bright"), [("light", True), ("dark", False)])
def test_it_follows_the_readers_light_or_dark(shown, scheme, bright):
    """The page and its pictures alike."""
    opened, _ = shown
    opened.emulate_media(color_scheme=scheme)

    colours: list[Any] = opened.evaluate(
        """() => [
          getComputedStyle(document.body).backgroundColor,
          getComputedStyle(document.querySelector('svg path')).fill,
        ].map((colour) => Number(colour.match(/\\d+/)[0]))"""
    )

    assert all((colour > 128) == bright for colour in colours)


def test_a_picture_is_no_smaller_than_its_text_can_be_read(shown):
    """Nine points in print; seven pixels on a phone would be too little."""
    opened, _ = shown

    smallest = opened.evaluate(
        """() => Math.min(...[...document.querySelectorAll('svg text')]
          .map((text) => text.getBoundingClientRect().height))"""
    )

    assert smallest >= 8

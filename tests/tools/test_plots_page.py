import json
import sys

import pytest

from stages.common.errors import InputError
from tests.project import ROOT
from tools.plots_page import __main__ as plots_page


@pytest.fixture(scope="module")
def locked():
    """What npm installs, by its place: versions and hashes."""
    return json.loads((plots_page.HERE / "package-lock.json").read_text(encoding="utf-8"))["packages"]


def test_the_page_in_git_has_the_locked_versions(locked):
    """Of the three scripts, with their licences; a version that changes wants `make plots-page`."""
    page = (ROOT / plots_page.PAGE).read_text(encoding="utf-8")
    wanted = json.loads((plots_page.HERE / "package.json").read_text(encoding="utf-8"))["dependencies"]

    assert wanted.keys() == set(plots_page.SCRIPTS)
    notice, _, rest = page.partition("\n-->")
    for name, version in wanted.items():
        assert locked[f"node_modules/{name}"]["version"] == version
        assert f"{name} {version}" in notice
    assert "{plot_divs}" in rest
    assert rest.count("<script>") == len(wanted) + 1
    assert len(page.encode()) < 1e6


def test_every_package_is_locked_by_its_hash_alone(locked):
    """From whichever registry npm is set to."""
    assert all("integrity" in about for place, about in locked.items() if place)
    assert not any("resolved" in about for about in locked.values())


def test_the_page_is_made_of_its_parts():
    """Licences first, then the scripts in the order in which they need each other, then DVC's place."""
    page = plots_page.page({"vega": "let a = 1;", "vega-embed": "let b = a;"}, "Some licence")

    places = [page.index(part) for part in ("Some licence", "let a = 1;", "let b = a;", "{plot_divs}")]
    assert places == sorted(places)


@pytest.mark.parametrize(
    ("script", "notice"),
    [("f('</script>')", ""), ("f('{scripts}')", ""), ("f()", "-->"), ("f('{plot_divs}')", "")],
)
def test_what_would_break_the_page_is_refused(script, notice):
    """An end of its own place, or a place of DVC's."""
    with pytest.raises(InputError, match="no script or licence may hold"):
        plots_page.page({"vega": script}, notice)


def test_equal_licences_stand_once(tmp_path):
    """Below all the packages that have them; the bundles are of some sixty packages."""
    for name, text in [("a", "Do as you like.\n"), ("b", "Do as you like.\n"), ("c", "Name me.\n")]:
        (tmp_path / name).mkdir()
        (tmp_path / name / "package.json").write_text(f'{{"name": "{name}", "version": "1.0"}}')
        (tmp_path / name / "LICENSE").write_text(text)

    notice = plots_page.licences(list(tmp_path.iterdir()))

    assert notice == "a 1.0, b 1.0\n\nDo as you like.\n\nc 1.0\n\nName me."


def test_no_npm_is_a_line(monkeypatch, tmp_path):
    """Only who makes the page anew needs it."""
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(InputError, match="npm must be installed"):
        plots_page.install(tmp_path)


@pytest.mark.skipif(sys.platform == "win32", reason="the npm of this test is a shell script")
def test_what_npm_says_is_a_line(monkeypatch, tmp_path):
    """Not that it has written a log of it."""
    npm = tmp_path / "npm"
    npm.write_text(
        "#!/bin/sh\necho npm error code ENOTFOUND >&2\necho npm error A complete log >&2\nexit 1\n"
    )
    npm.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(InputError, match=r"`\S+npm ci .*received: npm error code ENOTFOUND$"):
        plots_page.install(tmp_path)

"""README and docs/: short enough, with links that lead somewhere and commands that exist."""

import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
import yaml

from stages.params import check_params, value_at
from tests.project import ROOT
from tests.settings import shipped
from tools.settings import changed

# But for the example's, which are written for where they will lie.
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md"), *(ROOT / "docs/metrics").glob("*.md")])
OF_EXAMPLES = {"drawdown", "vault"}  # a question and a source that pages add, step by step
BLOCK = re.compile(r"^```bash\n(.*?)^```", re.M | re.S)
INLINE = re.compile(r"`(python -m [^`\n]+)`")
LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)")
DATE = re.compile(r"\d{4}-\d\d-")  # to DVC a text
PICTURE = re.compile(r"!\[([^\]]*)\]\(([^)\s]+)\)")
TOOLS = sorted(
    path.relative_to(ROOT).with_suffix("").as_posix().replace("/", ".").removesuffix(".__main__")
    for path in (ROOT / "tools").rglob("*.py")
    if 'if __name__ == "__main__":' in path.read_text(encoding="utf-8")
)
# Of another project, of a shell, or of a person.
NOT_OURS = {
    *("git", "dvc", "pip", "npm", ".", "cd", "cp", "rm", "mkdir", "rmdir", "chgrp", "chmod", "grep", "cat"),
    *("export", "for", "done", "openssl"),
}


def text_of(page: Path) -> str:
    """A page."""
    return page.read_text(encoding="utf-8")


def anchors(page: Path) -> set[str]:
    """What a link may name in a page, as GitHub makes it of headings."""
    prose = re.sub(r"^```.*?^```", "", text_of(page), flags=re.M | re.S)
    headings = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", "\n".join(re.findall(r"^#+ (.*)$", prose, re.M)))
    return {re.sub(r"[^\w\- ]", "", line.lower()).replace(" ", "-") for line in headings.splitlines()}


def commands(page: Path) -> Iterator[list[str]]:
    """The words of each command in a page's blocks, comments and prompts aside; && makes two of one."""
    for block in BLOCK.findall(text_of(page)):
        for line in block.replace("\\\n", " ").splitlines():
            words: list[str] = []
            for word in shlex.split(line, comments=True):
                if word in {"&&", "||", "|", ";"}:
                    yield words
                    words = []
                else:
                    words.append(word)
            if words:
                yield words


ALL_COMMANDS = [
    pytest.param(words, id=f"{page.relative_to(ROOT)}: {' '.join(words)}"[:100])
    for page in PAGES
    for words in commands(page)
]


def test_readme_is_read_in_a_few_minutes():
    """The rest has pages of its own."""
    assert len(text_of(ROOT / "README.md").splitlines()) <= 120


EXAMPLES = sorted((ROOT / "docs/examples/comparisons").glob("*.md"))


@pytest.mark.parametrize("page", EXAMPLES, ids=lambda page: page.name)
def test_a_comparison_is_quoted_as_its_page_has_it(page):
    """Its answer, in the table that links to it; and the page begins with it."""
    heading, _, answer, *_ = text_of(page).splitlines()
    of_page = rf"\| \[[^\]]*\]\(examples/comparisons/{page.name}\)[^|]* \| (.*) \|"
    (quoted,) = re.findall(of_page, text_of(ROOT / "docs/comparing.md"))

    assert quoted == answer
    assert answer.startswith(heading.removeprefix("## ") + ": ")


@pytest.mark.parametrize(
    "page", [page for page in PAGES if page.parent != ROOT], ids=lambda page: page.name
)
def test_each_page_has_its_question_as_its_title(page):
    """Whoever looks for an answer finds the page by it."""
    assert re.match(r"# [^\n]+\?\n", text_of(page))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_links_lead_somewhere(page):
    """To a file, and where they name a heading, to that."""
    for link in LINK.findall(text_of(page)):
        if re.match(r"https?://", link):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_pictures_are_there_and_say_what_they_show(page):
    """To whoever can't see them, too."""
    for shows, path in PICTURE.findall(text_of(page)):
        assert (page.parent / path).is_file()
        assert len(shows) > 20


def test_readme_leads_to_every_page():
    """None is found by chance alone."""
    links = [link for link in LINK.findall(text_of(ROOT / "README.md")) if "://" not in link]
    named = {(ROOT / link.partition("#")[0]).resolve() for link in links}
    pages = {page for page in PAGES if page.parent in {ROOT, ROOT / "docs"}}

    assert pages - named == {ROOT / name for name in ("README.md", "CHANGELOG.md")}


@cache
def help_of(module: str) -> str:
    """What a tool says of itself."""
    answer = subprocess.run(
        [sys.executable, "-m", module, "--help"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return answer.stdout


@pytest.mark.slow
@pytest.mark.parametrize("module", [name for name in TOOLS if name != "tools.compare.post"])
def test_each_tool_says_what_it_is_for(module):
    """By --help, and how it is called; but post.py, a workflow's, reads its environment alone."""
    said = help_of(module)

    assert said.startswith("usage: ")
    assert len(said.splitlines()) > 5


@pytest.mark.parametrize("words", ALL_COMMANDS)
def test_commands_are_known(words):
    """A make target that there is, a module that there is, settings with values that they may have."""
    program, *given = words
    if program == "make":
        targets = re.findall(r"^([a-z-]+):", text_of(ROOT / "Makefile"), re.M)
        assert {word for word in given if "=" not in word and not word.startswith("-")} <= {*targets}
    elif program == "python":
        assert given[0] == "-m"
        stages = {f"stages.{path.name}" for path in (ROOT / "stages").iterdir()}
        assert given[1] in {*TOOLS, *stages, "pytest"}
    else:
        assert program.rpartition("/")[2] in NOT_OURS
    settings = [given[k + 1].split("=", 1) for k, word in enumerate(given) if word == "-S"]
    if OF_EXAMPLES.isdisjoint(value for _, value in settings):
        check_settings(dict(settings))


def check_settings(settings: dict[str, str]) -> None:
    """They are settings, with values that they may have together; of a grid the first of each."""
    assert all(value_at(shipped(), key) is not None for key in settings)
    first = {
        key: value if value.startswith("[") else value.split(",")[0] for key, value in settings.items()
    }
    values = {key: value if DATE.match(value) else yaml.safe_load(value) for key, value in first.items()}
    check_params(changed(shipped(), values))


@pytest.mark.slow
def test_options_of_tools_are_known():
    """Each option that a page names, in a block or in a line, is in that tool's --help."""
    named = {
        (words[2], word.partition("=")[0])
        for page in PAGES
        for words in [*commands(page), *map(str.split, INLINE.findall(text_of(page)))]
        if words[:2] == ["python", "-m"] and words[2] in TOOLS
        for word in words[3:]
        if word.startswith("--")
    }

    assert len(named) > 3
    assert [(tool, option) for tool, option in named if option not in help_of(tool)] == []

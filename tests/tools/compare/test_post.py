"""One comment a pull request, kept up to date: against a server that answers as GitHub does."""

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from tools.compare.post import AUTHOR, LONGEST, MARK, PAGE

SCRIPT = Path(__file__).parents[3] / "tools/compare/post.py"
SHA, FORK, BRANCH = "c0ffee", "somebody", "odd name & more?head=x"


class GitHub(HTTPServer):
    """Pull requests and comments, and what was asked."""

    def __init__(self) -> None:
        """One open pull request, 7, of a fork, without comments."""
        super().__init__(("127.0.0.1", 0), Answers)
        self.pulls = [{"number": 7, "head": {"sha": SHA}}]
        self.comments: list[dict[str, Any]] = []
        self.asked: list[tuple[str, str]] = []


class Answers(BaseHTTPRequestHandler):
    """What GitHub answers."""

    server: GitHub

    def do_GET(self) -> None:
        """Pull requests of a branch, or a page of comments."""
        url = urlsplit(self.path)
        asked = {name: values[0] for name, values in parse_qs(url.query).items()}
        if url.path.endswith("/pulls"):
            right = asked == {"state": "open", "head": f"{FORK}:{BRANCH}"}
            return self.answer(self.server.pulls if right else [])
        first = (int(asked["page"]) - 1) * int(asked["per_page"])
        return self.answer(self.server.comments[first : first + int(asked["per_page"])])

    def do_POST(self) -> None:
        """A new comment."""
        self.server.comments.append(comment(self.given()["body"], len(self.server.comments)))
        self.answer({})

    def do_PATCH(self) -> None:
        """Another text of a comment."""
        number = int(self.path.rpartition("/")[2])
        next(each for each in self.server.comments if each["id"] == number)["body"] = self.given()["body"]
        self.answer({})

    def given(self) -> dict[str, Any]:
        """What was sent."""
        return json.loads(self.rfile.read(int(self.headers["Content-Length"])))

    def answer(self, value: object) -> None:
        """JSON, to whoever has the token."""
        self.server.asked.append((self.command, self.path))
        text = json.dumps(value).encode()
        self.send_response(200 if self.headers["Authorization"] == "Bearer secret" else 401)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_: object) -> None:
        """Nothing to stderr."""


def comment(body: str, number: int, login: str = AUTHOR) -> dict[str, Any]:
    """A comment as GitHub has it."""
    return {"id": number, "user": {"login": login}, "body": body}


@pytest.fixture
def github() -> Iterator[GitHub]:
    """The server, on the loopback interface."""
    with GitHub() as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


def post(github: GitHub, text: str, right: str = "secret") -> subprocess.CompletedProcess[str]:
    """The script, with nothing of this environment, by a Python without the project's packages."""
    given = {
        "GITHUB_API_URL": f"http://127.0.0.1:{github.server_port}",
        "GITHUB_REPOSITORY": "us/barometer",
        "GITHUB_TOKEN": right,
        "HEAD_SHA": SHA,
        "HEAD_OWNER": FORK,
        "HEAD_BRANCH": BRANCH,
        "COMMENT": text,
    }
    return subprocess.run(
        [sys.executable, "-I", "-S", SCRIPT],
        env=given,
        capture_output=True,
        text=True,
        check=False,
    )


def said(text: str) -> str:
    """A comment as it is posted: it says whose word it is, and of which commit."""
    return f"{MARK}\n{text}\nMeasured by this pull request's own code, at {SHA}.\n"


def test_the_first_comment_is_written_and_then_changed(github):
    """However often the branch is pushed to, there is one."""
    for text in ("one", "two", "three"):
        assert post(github, f"{MARK}\n{text}").returncode == 0

    assert [each["body"] for each in github.comments] == [said("three")]


def test_comments_of_others_stay(github):
    """Also one that begins with the mark, and those on other pages."""
    github.comments = [comment(MARK, k, "somebody") for k in range(PAGE + 5)]
    github.comments.append(comment(f"{MARK}\nold", 1000))
    github.comments.append(comment("another job's", 1001))
    github.comments[0] |= {"user": None, "body": None}  # of an account that is gone

    post(github, f"{MARK}\nnew")

    assert [each["body"] for each in github.comments[-2:]] == [said("new"), "another job's"]
    assert all(each["body"] == MARK for each in github.comments[1:-2])


def test_a_branch_that_has_moved_on_gets_no_comment(github):
    """Its next run writes it; and neither does one whose pull request was closed."""
    github.pulls[0]["head"]["sha"] = "later"

    result = post(github, MARK)

    assert result.returncode == 0
    assert "has moved on" in result.stdout
    assert [method for method, _ in github.asked] == ["GET"]


@pytest.mark.parametrize("text", ["", "no mark", MARK + "x" * LONGEST])
def test_what_is_no_comment_is_not_posted(github, text):
    """Nothing is asked at all."""
    result = post(github, text)

    assert result.returncode == 1
    assert "error: COMMENT must begin with" in result.stderr
    assert github.asked == []


def test_without_the_right_it_fails(github):
    """A job that is red says so."""
    result = post(github, MARK, right="other")

    assert result.returncode == 1
    assert "401" in result.stderr
    assert github.comments == []

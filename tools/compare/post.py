"""Keeps one comment of a pull request up to date: `python3 tools/compare/post.py`, in a workflow.

It holds the right to write. So it is small, needs nothing but Python, and reads its environment alone.
GITHUB_TOKEN, GITHUB_API_URL, GITHUB_REPOSITORY: as GitHub has them. HEAD_SHA, HEAD_OWNER, HEAD_BRANCH: the
commit that was measured and where it lies, as GitHub names no number of a fork's pull request. COMMENT: it.
"""

import json
import os
import sys
from typing import Any
from urllib.parse import urlencode
from urllib.request import Request, urlopen

MARK = "<!-- barometer: compare -->"
AUTHOR = "github-actions[bot]"
LONGEST = 65_000  # characters; GitHub takes some more
PAGE = 100


def main() -> None:
    """Write the comment, or change the one that there is."""
    text, sha = os.environ["COMMENT"], os.environ["HEAD_SHA"]
    if not text.startswith(MARK) or len(text) > LONGEST:
        sys.exit(f"error: COMMENT must begin with {MARK} and have at most {LONGEST:,} characters.")
    text = f"{text}\nMeasured by this pull request's own code, at {sha}.\n"
    number = pull_request(sha, os.environ["HEAD_OWNER"], os.environ["HEAD_BRANCH"])
    if number is None:
        print("No open pull request ends with that commit: its branch has moved on, or it was closed.")
        return
    earlier = next((each for each in comments(number) if ours(each)), None)
    if earlier is None:
        ask("POST", f"issues/{number}/comments", {"body": text})
    else:
        ask("PATCH", f"issues/comments/{int(earlier['id'])}", {"body": text})
    print(f"The comment of pull request {number} is up to date.")


def pull_request(sha: str, owner: str, branch: str) -> int | None:
    """The number of the open pull request that ends with a commit."""
    found = ask("GET", f"pulls?{urlencode({'state': 'open', 'head': f'{owner}:{branch}'})}")
    return next((int(each["number"]) for each in found if each["head"]["sha"] == sha), None)


def comments(number: int) -> Any:
    """All comments of a pull request, oldest first."""
    page = 1
    while found := ask("GET", f"issues/{number}/comments?per_page={PAGE}&page={page}"):
        yield from found
        page += 1


def ours(comment: Any) -> bool:
    """Whether a comment is this job's own; anybody may write the mark."""
    author, body = (comment["user"] or {}).get("login"), comment["body"] or ""  # null, if it is gone
    return bool(author == AUTHOR and body.startswith(MARK))


def ask(method: str, path: str, given: dict[str, str] | None = None) -> Any:
    """What GitHub answers."""
    request = Request(  # noqa: S310
        f"{os.environ['GITHUB_API_URL']}/repos/{os.environ['GITHUB_REPOSITORY']}/{path}",
        method=method,
        data=None if given is None else json.dumps(given).encode(),
        headers={
            "Accept": "application/vnd.github+json",
            "Authorization": f"Bearer {os.environ['GITHUB_TOKEN']}",
            "Content-Type": "application/json",
        },
    )
    with urlopen(request, timeout=60) as answer:  # noqa: S310
        return json.load(answer)


if __name__ == "__main__":
    main()

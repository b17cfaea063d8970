"""Which commit is meant, and what is told where something of a run isn't there."""

import subprocess
from pathlib import Path

import pytest

from stages.common.errors import InputError
from tests.project import SOMEBODY
from tools.compare.revisions import commit_of, start_of_branch
from tools.compare.side import differs, hashes, params_of, read_side, unlike_the_run
from tools.workspace import read_lock


def git(folder: Path, *arguments: str) -> str:
    """What a git command that must succeed prints, by somebody with a name."""
    command = ["git", "-C", str(folder), *SOMEBODY, *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


@pytest.fixture
def upstream(tmp_path: Path) -> Path:
    """A repository with a branch of two commits beside main, which has gone on since."""
    folder = tmp_path / "upstream"
    folder.mkdir()
    git(folder, "init", "-q", "-b", "main")
    for branch in ("main", "change", "change"):
        git(folder, "checkout", "-q", "-B", branch)
        git(folder, "commit", "-q", "--allow-empty", "-m", branch)
    git(folder, "checkout", "-q", "main")
    git(folder, "commit", "-q", "--allow-empty", "-m", "later")
    return folder


@pytest.fixture
def branch(upstream: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The same, as the working folder, with the branch checked out."""
    git(upstream, "checkout", "-q", "change")
    monkeypatch.chdir(upstream)
    return upstream


@pytest.mark.parametrize("base", [None, "main"])
def test_a_change_is_measured_from_where_it_began(branch, base):
    """What has landed on main since isn't its doing."""
    assert start_of_branch(base) == git(branch, "rev-parse", "main~1")


def test_the_branch_of_the_server_counts_before_ones_own(upstream, monkeypatch):
    """One's own main may be old."""
    clone = upstream.parent / "clone"
    git(upstream, "clone", "-q", "-b", "change", str(upstream), str(clone))
    git(clone, "branch", "-q", "--no-track", "main", "HEAD")
    monkeypatch.chdir(clone)

    assert start_of_branch(None) == git(upstream, "rev-parse", "main~1")


def test_without_a_main_branch_it_is_measured_from_the_last_commit(tmp_path, monkeypatch):
    """A clone of somebody who works on another branch alone."""
    git(tmp_path, "init", "-q", "-b", "trunk")
    git(tmp_path, "commit", "-q", "--allow-empty", "-m", "first")
    monkeypatch.chdir(tmp_path)

    assert start_of_branch(None) == git(tmp_path, "rev-parse", "HEAD")


@pytest.mark.parametrize("branches", ["--single-branch", "--no-single-branch"])
@pytest.mark.parametrize("base", [None, "origin/main"])
def test_a_shallow_clone_is_told_what_to_fetch(upstream, monkeypatch, branches, base):
    """The main branch is missing, or what lies between it and the branch: one line says how both come."""
    clone = upstream.parent / "clone"
    address = upstream.as_uri()
    git(upstream, "clone", "-q", "--depth", "1", "-b", "change", branches, address, str(clone))
    monkeypatch.chdir(clone)

    with pytest.raises(InputError, match="shallow clone") as caught:
        start_of_branch(base)

    assert "fetch-depth: 0" in str(caught.value)
    assert "\n" not in str(caught.value)
    git(clone, "remote", "set-branches", "origin", "*")
    git(clone, "fetch", "-q", "--unshallow")
    assert start_of_branch("origin/main") == git(upstream, "rev-parse", "main~1")


def test_branches_without_a_common_commit_are_told(branch):
    """In a whole clone there is nothing to fetch."""
    git(branch, "checkout", "-q", "--orphan", "other")
    git(branch, "commit", "-q", "--allow-empty", "-m", "other")

    with pytest.raises(InputError, match="a commit that main and HEAD share"):
        start_of_branch(None)


def test_a_branch_that_is_none_is_named(branch):
    """Before git says something about it."""
    with pytest.raises(InputError, match="origin/mian"):
        start_of_branch("origin/mian")


def test_what_is_no_commit_is_nothing(branch):
    """A name that looks like an option is none, either."""
    assert commit_of("mian") == commit_of("--all") == ""


def test_a_run_that_was_not_noted_has_no_settings():
    """A clone without a dvc.lock, or one of another version of the project."""
    with pytest.raises(InputError, match=r"dvc\.lock must say with what the stages ran"):
        params_of({})
    with pytest.raises(InputError, match="settings of this version of the project"):
        params_of({"train.layers.first": 3})


def test_edits_since_the_run_are_told(tmp_path, monkeypatch):
    """A setting that nothing was run with, code and results that dvc.lock doesn't know."""
    monkeypatch.chdir(tmp_path)
    Path("params.yaml").write_text("train:\n  units: 64\n", encoding="utf-8")
    for path, text in (
        ("stages/kept.py", ""),
        ("stages/edited.py", "x = 1\n"),
        ("results/metrics.json", "{}"),
    ):
        Path(path).parent.mkdir(exist_ok=True)
        Path(path).write_text(text, encoding="utf-8")
    empty = "d41d8cd98f00b204e9800998ecf8427e"

    told = unlike_the_run(
        "workspace",
        {"train.units": 32},
        deps={f"stages/{name}.py": empty for name in ("kept", "edited", "gone")} | {"data/candles": empty},
        outs={"results/metrics.json": empty},
    )

    assert told == [
        "params.yaml has another train.units, with which nothing was run yet.",
        "stages/edited.py, stages/gone.py: edited since the run; `dvc repro` runs it.",
        "results/metrics.json isn't what dvc.lock says; `dvc repro` or `make back` mends it.",
    ]


def test_a_folder_of_code_counts_as_dvc_has_it():
    """Each folder that a stage rests on is as the project's own lock has it; bytecode doesn't count."""
    lock = read_lock("workspace")
    deps = hashes(lock, "deps")
    folders = {path: deps[path] for path in deps if path.startswith("stages/") and Path(path).is_dir()}

    assert folders
    assert [path for path in folders if differs(path, folders)] == []


BROKEN = {
    "stages: {fetch: 5}": "AttributeError",
    "stages: {fetch: {params: 5}}": "AttributeError",
    "stages: {fetch: {outs: null}}": "TypeError",
    "stages: {fetch: {outs: [3]}}": "TypeError",
    "stages: {fetch: {outs: [{md5: a}]}}": "KeyError",
}


@pytest.mark.parametrize("text", BROKEN)
def test_a_broken_lock_is_told_in_a_line(tmp_path, monkeypatch, text):
    """Whatever has happened to it."""
    monkeypatch.chdir(tmp_path)
    Path("dvc.lock").write_text(text, encoding="utf-8")

    with pytest.raises(
        InputError, match=r"dvc\.lock of it must be as DVC writes it; received " + BROKEN[text]
    ):
        read_side(None, "it", "workspace")


FIGURES = ["NaN", '"x"', "true", "[1]", "null", "1" + "0" * 400]


@pytest.mark.parametrize(
    "text", ['{"test": 5}', '{"test": null}', *(f'{{"test": {{"auc": {each}}}}}' for each in FIGURES)]
)
def test_broken_metrics_are_told_in_a_line(tmp_path, monkeypatch, text):
    """A figure that is none, or no block of them."""
    monkeypatch.chdir(tmp_path)
    Path("results").mkdir()
    Path("results/metrics.json").write_text(text, encoding="utf-8")

    with pytest.raises(InputError, match=r"results/metrics\.json of it must h") as caught:
        read_side(None, "it", "workspace")

    assert len(str(caught.value)) < 300
    assert "\n" not in str(caught.value)

"""What docs/team.md says, through the real dvc and git: remotes, experiments that travel, and merges."""

import asyncio
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Thread
from typing import Any

import asyncssh
import pytest
import requests
from moto.server import ThreadedMotoServer

from tests.project import Project

TEAM = {
    **{f"GIT_{role}_NAME": "a" for role in ("AUTHOR", "COMMITTER")},
    **{f"GIT_{role}_EMAIL": "a@example.org" for role in ("AUTHOR", "COMMITTER")},
    # Of whoever runs the tests nothing counts.
    "AWS_CONFIG_FILE": "none",
    "AWS_SHARED_CREDENTIALS_FILE": "none",
    "AWS_EC2_METADATA_DISABLED": "true",
    "NO_PROXY": "127.0.0.1",
}
KEYS = {"access_key_id": "fake", "secret_access_key": "fake"}


@pytest.fixture(scope="module")
def committed(reproduced: Project, tmp_path_factory) -> Project:
    """The tiny project, reproduced and committed."""
    project = reproduced.copy(tmp_path_factory.mktemp("project"))
    others = {name: value for name, value in project.environment.items() if not name.startswith("AWS_")}
    project.environment = others | TEAM
    project.run("git", "branch", "-M", "main")
    project.commit()
    return project


@pytest.fixture
def alice(committed: Project, tmp_path: Path) -> Project:
    """A clone whose cache is the first one's, so that nothing has to run; `origin` is a bare repository."""
    committed.run("git", "clone", "-q", "--bare", ".", str(tmp_path / "origin.git"))
    alice = clone(committed, tmp_path / "alice")
    alice.run("dvc", "cache", "dir", "--local", str(committed.folder / ".dvc/cache"))
    alice.run("dvc", "checkout", "-q")
    return alice


def clone(of: Project, folder: Path) -> Project:
    """A clone of what is in git, beside the bare repository."""
    project = Project.of(folder, of)
    project.run("git", "remote", "set-url", "origin", str(folder.parent / "origin.git"))
    project.run("git", "fetch", "-q", "origin")
    project.run("git", "reset", "-q", "--hard", "origin/main")
    return project


@contextmanager
def s3() -> Iterator[str]:
    """The address of an S3 server on this machine that has one bucket, `bucket`."""
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    try:
        address = "http://{}:{}".format(*server.get_host_and_port())
        requests.put(f"{address}/bucket", timeout=60).raise_for_status()
        yield address
    finally:
        server.stop()


class Door(asyncssh.SSHServer):
    """Lets in who knows the password."""

    def validate_password(self, username: str, password: str) -> bool:
        """Whether the two go together."""
        return (username, password) == ("alice", "fake")

    def password_auth_supported(self) -> bool:
        """It is what the server asks for."""
        return True


@contextmanager
def ssh(folder: Path) -> Iterator[int]:
    """The port of an ssh server on this machine that shows a folder as its root."""
    folder.mkdir()

    async def start() -> asyncssh.SSHAcceptor:
        key = asyncssh.generate_private_key("ssh-ed25519")
        root = str(folder).encode()
        files = lambda channel: asyncssh.SFTPServer(channel, chroot=root)  # noqa: E731
        return await asyncssh.create_server(
            Door, "127.0.0.1", 0, server_host_keys=[key], sftp_factory=files
        )

    async def stop(server: asyncssh.SSHAcceptor) -> None:
        server.close()
        await server.wait_closed()

    loop = asyncio.new_event_loop()
    thread = Thread(target=loop.run_forever)
    thread.start()
    try:
        server = asyncio.run_coroutine_threadsafe(start(), loop).result()
        yield server.get_port()
        asyncio.run_coroutine_threadsafe(stop(server), loop).result()
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


Settings = dict[str, str]


@pytest.fixture(params=[pytest.param("folder", marks=pytest.mark.slow), "s3", "ssh"])
def store(request, tmp_path: Path) -> Iterator[tuple[Settings, Settings]]:
    """The settings of a remote: those that the team commits, and those that each one keeps."""
    if request.param == "folder":
        yield {"url": str(tmp_path / "store")}, {}
    elif request.param == "s3":
        with s3() as address:
            yield {"url": "s3://bucket/barometer", "endpointurl": address}, KEYS
    else:
        with ssh(tmp_path / "store") as port:
            yield {"url": f"ssh://127.0.0.1:{port}/barometer"}, {"user": "alice", "password": "fake"}


def test_what_one_pushes_another_pulls(alice, store, tmp_path):
    """A clone that pulls has every output and runs nothing. The password is in no commit."""
    share(alice, *store)
    alice.run("dvc", "push")
    bob = clone(alice, tmp_path / "bob")
    keep(bob, store[1])

    bob.run("dvc", "pull")

    assert len(results(bob)) > 20
    assert results(bob) == results(alice)
    assert bob.reruns() == []
    assert "fake" not in bob.run("git", "grep", "-h", "", "--", ".dvc")


@pytest.mark.parametrize("store", [pytest.param("folder", marks=pytest.mark.slow), "s3"], indirect=True)
def test_a_model_is_had_by_its_name_and_forecasts(alice, store, tmp_path):
    """Of the version that a tag names, in a folder that is no clone; a clone without any output uses it."""
    share(alice, *store)
    alice.run("git", "tag", "-a", "model@v1.0.0", "-m", "first")
    alice.run("git", "push", "-q", "origin", "model@v1.0.0")
    alice.run("dvc", "push")
    elsewhere = Project.at(tmp_path / "elsewhere")
    elsewhere.folder.mkdir()
    elsewhere.environment = alice.environment
    own = [word for key, value in store[1].items() for word in ("--remote-config", f"{key}={value}")]
    bob = clone(alice, tmp_path / "bob")

    elsewhere.run("dvc", "artifacts", "get", str(tmp_path / "origin.git"), "model", "--out", "had", *own)
    theirs = forecast(bob, "--model", str(elsewhere.folder / "had"))

    mine = forecast(alice)
    assert theirs["model_sha256"] == mine["model_sha256"]
    assert theirs["promise"] == mine["promise"]
    newest = alice.run("git", "log", "-1", "--format=%H", "--", "dvc.lock").strip()
    assert (mine["model_commit"], theirs["model_commit"]) == (newest, None)
    if theirs["symbols"][0]["as_of"] == mine["symbols"][0]["as_of"]:  # or an hour has ended since
        assert theirs["symbols"] == mine["symbols"]
    assert not (bob.folder / "data/candles").exists()
    alice.append("models/networks/live/spec.json", "\n")
    assert forecast(alice)["model_commit"] is None


def forecast(project: Project, *arguments: str) -> dict[str, Any]:
    """What the forecast is there, as JSON has it."""
    found: dict[str, Any] = json.loads(project.run("python", "-m", "tools.forecast", "--json", *arguments))
    return found


@pytest.mark.slow
def test_an_experiment_travels(alice, tmp_path):
    """Its commit goes through git and its outputs through the remote; who applies it runs nothing."""
    with s3() as address:
        share(alice, {"url": "s3://bucket/barometer", "endpointurl": address}, KEYS)
        alice.run("dvc", "exp", "run", "--name", "shorter", "-S", "evaluate.bootstrap=101")
        alice.run("dvc", "exp", "push", "origin", "shorter")
        bob = clone(alice, tmp_path / "bob")
        keep(bob, KEYS)

        bob.run("dvc", "exp", "pull", "origin", "shorter")

    bob.run("dvc", "exp", "apply", "shorter")
    assert results(bob) == results(alice)
    assert bob.reruns() == []


def share(project: Project, shared: Settings, own: Settings) -> None:
    """Make it the team's remote, in a commit that `origin` has."""
    project.run("dvc", "remote", "add", "--default", "store", shared["url"])
    for key in shared.keys() - {"url"}:
        project.run("dvc", "remote", "modify", "store", key, shared[key])
    keep(project, own)
    project.commit()
    project.run("git", "push", "-q", "origin", "main")


def keep(project: Project, own: Settings) -> None:
    """Settings of the remote that stay in this clone."""
    for key, value in own.items():
        project.run("dvc", "remote", "modify", "--local", "store", key, value)


def test_a_colleagues_cache_serves_whole_runs(alice, committed, tmp_path):
    """As a remote, with its run cache, it brings what any of the colleague's experiments gave."""
    alice.run("dvc", "exp", "run", "-S", "evaluate.bootstrap=102")
    bob = clone(committed, tmp_path / "bob")
    bob.run("dvc", "remote", "add", "--local", "--default", "alice", str(committed.folder / ".dvc/cache"))
    bob.run("dvc", "pull", "--run-cache")

    output = bob.run("dvc", "exp", "run", "--pull", "-S", "evaluate.bootstrap=102")

    assert "Running stage" not in output
    assert results(bob) == results(alice)


def results(project: Project) -> dict[str, bytes]:
    """What the run has given, by its path, except what says on which machine."""
    committed = ["dvc.lock", *project.run("git", "ls-files", "results").split()]
    files = project.outputs() | {name: (project.folder / name).read_bytes() for name in committed}
    return {
        name: content
        for name, content in files.items()
        if not name.startswith(".cache/") and name != "results/environment.json"
    }


def test_a_merge_is_reproduced(alice):
    """With params.yaml mended by hand, `dvc repro` gives what the merged settings give undisturbed."""
    mine, theirs = {"evaluate.cost_bps": 6.0}, {"evaluate.target_volatility_pct": 25.0}
    for branch, settings in {"mine": mine, "theirs": theirs, "undisturbed": mine | theirs}.items():
        alice.run("git", "checkout", "-q", "-b", branch, "main")
        alice.set_params(settings)
        alice.run("dvc", "repro", *(["--no-run-cache"] if branch == "undisturbed" else []))
        alice.commit()
    expected = results(alice)
    alice.run("git", "checkout", "-q", "mine")
    alice.run("dvc", "checkout", "-q")

    assert {"params.yaml", "dvc.lock"} <= conflicts(alice)

    alice.run("git", "checkout", "-q", "--ours", "params.yaml")
    alice.set_params(theirs)
    alice.run("dvc", "repro")
    alice.commit()
    assert results(alice) == expected
    assert alice.reruns() == []


def test_git_puts_no_lock_together(alice):
    """Two branches that changed dvc.lock are in conflict, however far apart; the branch's own one stays."""
    locks = {}
    changes = {"theirs": ("seed: 1\n", "seed: 2\n"), "mine": ("max_position: 2.0", "max_position: 0.4")}
    lock = alice.folder / "dvc.lock"
    for branch, (old, new) in changes.items():
        alice.run("git", "checkout", "-q", "-b", branch, "main")
        locks[branch] = lock.read_text(encoding="utf-8").replace(old, new, 1)
        lock.write_text(locks[branch], encoding="utf-8")
        alice.commit()

    assert conflicts(alice) == {"dvc.lock"}

    assert lock.read_text(encoding="utf-8") == locks["mine"]


def conflicts(project: Project) -> set[str]:
    """What git leaves to the user when `theirs` is merged."""
    assert project.try_run("git", "merge", "theirs").returncode == 1
    return set(project.run("git", "diff", "--name-only", "--diff-filter=U").split())

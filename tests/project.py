"""A scratch copy of the project, on a tiny simulated market, for the tests that drive the real `dvc`."""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import yaml

from stages.params import read_params, value_at
from tools.settings import changed

ROOT = Path(__file__).parents[1]
EVERYTHING = ["fetch", "featurize", "label", "baseline", "train", "evaluate"]
LOG = "log"  # of a command that was started
SOMEBODY = ("-c", "user.name=a", "-c", "user.email=a@example.org")  # who commits, to git

TINY = {
    "fetch.end": "2022-03-15",
    "featurize.windows": [1, 4, 24],
    "split.scheme": "holdout",
    "split.warmup_bars": 200,
    "baseline.min_bars": 200,
    "baseline.window_bars": 400,
    "train.network": "dense",
    "train.units": 2,
    "train.window": 4,
    "train.epochs": 1,
    "evaluate.bootstrap": 100,
}


def environment_of(folder: Path) -> dict[str, str]:
    """That of the commands that are run in a project."""
    return os.environ | {
        "PATH": str(Path(sys.executable).parent) + os.pathsep + os.environ["PATH"],
        "LOKY_MAX_CPU_COUNT": "1",
        "DVC_NO_ANALYTICS": "1",
        "DVC_SITE_CACHE_DIR": str(folder / ".dvc/tmp/site"),
    }


def ran(log: str) -> list[str]:
    """The stages that ran, as `dvc repro` names them."""
    return re.findall(r"^Running stage '(\w+)'", log, re.M)


class Project:
    """A scratch copy of the project with a tiny market, and the real `dvc` in it."""

    def __init__(self, folder: Path) -> None:
        """Copy what git would hold."""
        self.folder, self.environment = folder, environment_of(folder)
        folders = ["stages", "tools", "data/import"]
        files = [
            *("dvc.yaml", ".dvcignore", ".gitignore", ".gitattributes"),
            *("README.md", "Makefile"),
        ]
        for name in folders + files:
            source, target = ROOT / name, folder / name
            if source.is_dir():
                shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy(source, target)
        # The working tree's own may be an experiment's.
        shutil.copy(ROOT / "stages/evaluate/defaults.yaml", folder / "params.yaml")
        shutil.rmtree(folder / "data/import/file", ignore_errors=True)
        (folder / "data/import/file").mkdir()
        self.set_params(TINY)
        self.run("git", "init", "-q")
        self.run("dvc", "init", "-q")
        shutil.copy(ROOT / ".dvc/config", folder / ".dvc/config")
        shutil.copytree(ROOT / ".dvc/plots", folder / ".dvc/plots")
        self.commit()

    @classmethod
    def at(cls, folder: Path) -> "Project":
        """The one that lies there already."""
        project = cls.__new__(cls)
        project.folder, project.environment = folder, environment_of(folder)
        return project

    def copy(self, folder: Path) -> "Project":
        """The same in another folder, its outputs and its caches too."""
        shutil.copytree(self.folder, folder, dirs_exist_ok=True)
        copied = Project.at(folder)
        copied.environment = self.environment | {"DVC_SITE_CACHE_DIR": str(folder / ".dvc/tmp/site")}
        return copied

    @classmethod
    def of(cls, folder: Path, other: "Project") -> "Project":
        """A clone, which has what the other project has committed and nothing else."""
        clone = cls.at(folder)
        clone.environment = other.environment | {"DVC_SITE_CACHE_DIR": str(folder / ".dvc/tmp/site")}
        other.run("git", "clone", "-q", ".", str(folder))
        return clone

    def run(self, *command: str) -> str:
        """The output of a command that must succeed."""
        result = self.try_run(*command)
        assert result.returncode == 0, result.stdout + result.stderr
        return result.stdout

    def try_run(self, *command: str) -> subprocess.CompletedProcess[str]:
        """A command's output and exit status, whatever it is."""
        return subprocess.run(
            command, cwd=self.folder, env=self.environment, capture_output=True, text=True, check=False
        )

    def start(self, *command: str, log: str = LOG) -> subprocess.Popen[bytes]:
        """A command in a group of processes of its own, as a terminal starts it; it writes to `log`."""
        with (self.folder / log).open("wb") as file:
            return subprocess.Popen(
                command,
                cwd=self.folder,
                env=self.environment,
                stdout=file,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                # Tests that run in the background may ignore Ctrl-C, and so would what they start.
                preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),  # noqa: PLW1509
            )

    def said(self) -> str:
        """What a command that was started has said so far."""
        return (self.folder / LOG).read_text(encoding="utf-8")

    def wait_until(self, process: subprocess.Popen[bytes], words: str) -> None:
        """Return once the command has said these words; fail if it ends before."""
        while words not in self.said():
            assert process.poll() is None, self.said()
            time.sleep(0.05)

    def commit(self) -> None:
        """Commit all that git doesn't ignore."""
        self.run("git", "add", "-A")
        self.run("git", *SOMEBODY, "commit", "-qm", "all")

    def make(self, *arguments: str) -> str:
        """What a make target prints, in an environment that counts as installed: this one."""
        for scripts in ("bin", "Scripts"):
            activate = self.folder / ".venv" / scripts / "activate"
            activate.parent.mkdir(parents=True, exist_ok=True)
            activate.touch()
        (self.folder / "requirements.txt").touch()
        (self.folder / ".venv/installed").touch()
        return self.run("make", "--no-print-directory", *arguments)

    def reruns(self) -> list[str]:
        """Reproduce, and name the stages that ran."""
        return ran(self.run("dvc", "repro"))

    def outputs(self) -> dict[str, bytes]:
        """Each file of the working tree that isn't committed, by its path; bytecode and .dvc aside."""
        others = self.run("git", "ls-files", "--others", "-z").split("\0")
        return {
            name: (self.folder / name).read_bytes()
            for name in others
            if name and not name.startswith(".dvc/") and not name.endswith(".pyc")
        }

    def set_params(self, settings: dict[str, object]) -> None:
        """Change settings of params.yaml, named by dotted keys."""
        path = self.folder / "params.yaml"
        values = read_params(str(path))
        assert all(value_at(values, key) is not None for key in settings)
        path.write_text(yaml.safe_dump(changed(values, settings), sort_keys=False), encoding="utf-8")

    def append(self, name: str, text: str) -> None:
        """Add a line to a file."""
        with (self.folder / name).open("a", encoding="utf-8") as file:
            file.write(text)

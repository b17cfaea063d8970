"""dvc.yaml says what the code does: dependencies, parameters, floors."""

import ast
import hashlib
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import get_args

import pytest
import yaml

from stages.common.task import TASKS
from stages.fetch.params import FetchParams
from stages.label.params import LabelParams
from stages.params import Params, read_params

ROOT = Path(__file__).parents[1]
STAGES = yaml.safe_load((ROOT / "dvc.yaml").read_text(encoding="utf-8"))["stages"]
SOURCES = get_args(FetchParams.model_fields["source"].annotation)
# They read settings, which are in dvc.lock, or say where to keep, write or print what no hash counts.
CHANGE_NO_OUTPUT = {
    *(
        ROOT / f"stages/common/{name}.py"
        for name in ("cache", "cluster", "environment", "params", "settings")
    ),
    *(ROOT / f"stages/{name}.py" for name in ("params", "runner", "evaluate/ledger", "train/quiet")),
}
# Those in which settings arrive whole; below, a function is given what it needs.
TAKE_ALL_SETTINGS = ("__main__.py", "stage.py")
# Stages that read a section whole which holds a block for each source or task: of these, one counts.
BY_KEY = [("fetch", "fetch"), ("label", "label"), ("evaluate", "fetch"), ("evaluate", "label")]


def files_of(name: str) -> Iterator[Path]:
    """The files that Python runs to import a module of this project; none for others."""
    *packages, last = name.split(".")
    folders = [ROOT.joinpath(*packages[: depth + 1]) for depth in range(len(packages))]
    files = [*(folder / "__init__.py" for folder in folders), ROOT.joinpath(*packages, f"{last}.py")]
    yield from (file for file in files if file.is_file())


def template(node: ast.expr) -> str:
    """A string or an f-string as DVC would write it: f"stages.label.{task}" is stages.label.${task}."""
    if isinstance(node, ast.Constant):
        return str(node.value)
    assert isinstance(node, ast.JoinedStr)
    parts = []
    for part in node.values:
        if isinstance(part, ast.Constant):
            parts.append(str(part.value))
        else:
            assert isinstance(part, ast.FormattedValue)
            parts.append("${" + ast.unparse(part.value) + "}")
    return "".join(parts)


def called(tree: ast.AST, name: str) -> Iterator[ast.Call]:
    """Each call of a function or method of that name."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and ast.unparse(node.func).split(".")[-1] == name:
            yield node


def imported(path: Path, task: str, source: str) -> set[Path]:
    """The project's modules that a module imports, for one task and source, directly or not.

    And what lies beside one of them, and is read by it.
    """
    found: set[Path] = set()
    todo = [path]
    while todo:
        module = todo.pop()
        if module in found or module in CHANGE_NO_OUTPUT:
            continue
        found.add(module)
        tree = ast.parse(module.read_text(encoding="utf-8"))
        names: list[str] = []
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom) and node.module:
                names += [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
            elif isinstance(node, ast.Import):
                names += [alias.name for alias in node.names]
        for call in called(tree, "import_module"):
            name = template(call.args[0])
            name = name.replace("${task}", task).replace("${params.source}", source)
            assert "$" not in name, f"{module} imports {name}: unknown placeholder"
            names.append(name)
        todo += [file for name in names for file in files_of(name)]
        beside = {module.with_name(template(call.args[0])) for call in called(tree, "with_name")}
        found |= {file for file in beside if file.is_file()}
    return found


def listed(stage: str, task: str, source: str) -> set[Path]:
    """The modules that dvc.yaml lists for a stage, for one task and source."""
    deps = [
        ROOT / dep.replace("${task}", task).replace("${fetch.source}", source)
        for dep in STAGES[stage]["deps"]
        if dep.startswith("stages/")
    ]
    return {module for dep in deps for module in (dep.rglob("*.py") if dep.is_dir() else [dep])}


@pytest.mark.parametrize("stage", STAGES)
def test_deps_are_the_modules_that_a_stage_imports(stage):
    """What a stage imports for a task and a source is listed; what is listed is imported for some."""
    pairs = list(product(TASKS, SOURCES))
    needed = [imported(ROOT / f"stages/{stage}/__main__.py", *pair) for pair in pairs]

    for pair, modules in zip(pairs, needed, strict=True):
        assert modules <= listed(stage, *pair)
    assert set().union(*(listed(stage, *pair) for pair in pairs)) == set().union(*needed)


def outputs(stage: str) -> set[str]:
    """The paths that a stage writes."""
    entries = (
        STAGES[stage].get("outs", []) + STAGES[stage].get("metrics", []) + STAGES[stage].get("plots", [])
    )
    return {next(iter(entry)) if isinstance(entry, dict) else entry for entry in entries}


@pytest.mark.parametrize("stage", STAGES)
def test_deps_are_the_tables_that_a_stage_reads(stage):
    """A stage's code names just the data that dvc.yaml gives it, and the outputs that it declares."""
    texts = [
        path.read_text(encoding="utf-8")
        for path in imported(ROOT / f"stages/{stage}/__main__.py", next(iter(TASKS)), "file")
        if path.is_relative_to(ROOT / "stages" / stage)
    ]
    named = set(re.findall(r'"((?:data|results|models)(?:/[\w.-]+)*)(?:/\{|/?")', "\n".join(texts)))
    declared = outputs(stage) | {dep for dep in STAGES[stage]["deps"] if not dep.startswith("stages/")}

    for path in named - {"data/import"}:
        assert any(
            (path + "/").startswith(known + "/") or known.startswith(path + "/") for known in declared
        )
    for known in declared - {"data/import/${fetch.source}"}:
        assert any((path + "/").startswith(known + "/") or known.startswith(path + "/") for path in named)


def settings_read(path: Path) -> Iterator[str]:
    """The settings that a module's functions take out of `Params`, as dvc.yaml would list them."""
    for function in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(function, ast.FunctionDef):
            every = [*function.args.args, *function.args.kwonlyargs]
            whole = {arg.arg for arg in every if arg.annotation and ast.unparse(arg.annotation) == "Params"}
            nodes = [node for node in ast.walk(function) if isinstance(node, ast.Attribute)]
            inner = {id(node.value) for node in nodes}
            for chain in {ast.unparse(node) for node in nodes if id(node) not in inner}:
                root, _, key = chain.partition(".")
                if root in whole and key == "model_dump":
                    yield from Params.model_fields
                if root in whole and key.split(".")[0] in Params.model_fields:
                    yield re.sub(r"^label\.of.*", "label.${task}", key)


@pytest.mark.parametrize("stage", STAGES)
def test_params_are_the_settings_that_a_stage_reads(stage):
    """Each setting that a stage takes out of params.yaml is in its `params`, or its block; no other is."""
    read = {key for name in TAKE_ALL_SETTINGS for key in settings_read(ROOT / "stages" / stage / name)}
    listed = set(STAGES[stage]["params"])

    by_key = {section for reader, section in BY_KEY if reader == stage}
    read, listed = ({key for key in keys if key.split(".")[0] not in by_key} for keys in (read, listed))
    for key in read:
        assert any(f"{key}.".startswith(f"{block}.") for block in listed), key
    for block in listed:
        assert any(f"{key}.".startswith(f"{block}.") for key in read), block


def all_modules(floor: str) -> list[Path]:
    """The modules of one floor."""
    return sorted((ROOT / floor).rglob("*.py"))


@pytest.mark.parametrize(
    "path", sorted((ROOT / "stages").glob("*/**/*.py")), ids=lambda path: str(path.relative_to(ROOT))
)
def test_a_stage_imports_its_own_folder_and_common_alone(path):
    """Arrows point downwards: tools over stages over common, no stage beside another.

    Settings arrive whole at a stage's door alone.
    """
    floor = path.relative_to(ROOT / "stages").parts[0]
    names = re.findall(
        r"^\s*(?:from|import) ((?:stages|tools|tests)[\w.]*)", path.read_text(encoding="utf-8"), re.M
    )
    allowed = [["stages"], ["stages", floor], ["stages", "common"]]
    if path.name in TAKE_ALL_SETTINGS:
        allowed += [["stages", "params"], ["stages", "runner"]]

    for name in names:
        assert name.split(".")[:2] in allowed


def test_every_output_is_read_or_is_a_result():
    """No stage writes what nobody reads."""
    read = {dep for stage in STAGES.values() for dep in stage["deps"]}
    written = {path for stage in STAGES for path in outputs(stage)}

    assert {path for path in written - read if not path.startswith("results/")} == {
        "models/evidence",
        "models/networks",
    }


def test_tensorflow_is_imported_in_train_alone():
    """A stage imports only what it needs: TensorFlow takes seconds to import."""
    users = {
        path.relative_to(ROOT).parts[1]
        for path in [*all_modules("stages"), *all_modules("tools")]
        if re.search(r"^\s*(?:from|import) (?:tensorflow|keras)", path.read_text(encoding="utf-8"), re.M)
    }

    assert users == {"train"}


@pytest.mark.parametrize("stage", ["fetch", "featurize", "label", "baseline"])
def test_a_stage_starts_without_what_others_need(stage):
    """scipy, scikit-learn and the like take longer to import than these stages have to work."""
    program = f"import sys, stages.{stage}.__main__; print(*sys.modules)"
    modules = subprocess.check_output([sys.executable, "-c", program], cwd=ROOT, text=True).split()

    assert not {"scipy", "sklearn", "arch", "matplotlib", "keras", "ccxt"} & set(modules)


@pytest.mark.parametrize(("stage", "section"), BY_KEY)
def test_a_section_with_blocks_is_listed_key_by_key(stage, section):
    """Of fetch's and label's sections, every setting counts, and of the blocks the chosen one alone."""
    keys, choice, blocks = {
        "fetch": (FetchParams.model_fields, "fetch.${fetch.source}", {*SOURCES}),
        "label": (LabelParams.model_fields, "label.${task}", {*TASKS}),
    }[section]
    expected = {f"{section}.{key}" for key in keys if key not in blocks} | {choice}

    assert {key for key in STAGES[stage]["params"] if key.startswith(f"{section}.")} == expected


def md5(path: Path) -> str:
    """What DVC writes down of a file, or of a folder: there, of its files' names and hashes."""
    if path.is_file():
        return hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest()
    files = sorted(file for file in path.rglob("*") if file.suffix == ".py")
    listed = [{"md5": md5(file), "relpath": file.relative_to(path).as_posix()} for file in files]
    text = json.dumps(listed, sort_keys=True)
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest() + ".dir"


def test_the_lock_is_of_this_code_and_these_parameters():
    """dvc.lock comes from a run of exactly what is in the working tree; the assertion says what to do."""
    mend = "isn't what dvc.lock was run with: run `make repro`, then commit dvc.lock and results/"
    lock = yaml.safe_load((ROOT / "dvc.lock").read_text(encoding="utf-8"))["stages"]
    params = read_params(str(ROOT / "params.yaml"))

    for stage in lock.values():
        for dep in stage["deps"]:
            if dep["path"].startswith("stages/"):
                assert dep["md5"] == md5(ROOT / dep["path"]), f"{dep['path']} {mend}"
        for key, value in stage["params"]["params.yaml"].items():
            current = params
            for part in key.split("."):
                current = current[part]
            assert value == current, f"{key} {mend}"

"""The folder tree is the architecture: who imports what, and what the quick commands never load."""

import ast
import functools
import json
import subprocess
import sys
from pathlib import Path

import pytest

from fedcli.cli.list_parts import SECTIONS
from fedcli.config.registry import home, installed

PACKAGE = Path(__file__).parent.parent / "fedcli"
FILES = sorted(path for path in PACKAGE.rglob("*.py"))

# Who may import a package from outside, as folders or files of fedcli.
ALLOWED = {
    "typer": {"cli"},
    "rich": {"cli"},
    "plotext": {"cli"},
    "jinja2": {"runs/report/page.py"},
    "vl_convert": {"runs/report/page.py"},
    "yaml": {"config"},
    "tensorflow": {f"components/{kind}" for kind in ("data", "models", "clients", "executors")},
    "keras": {f"components/{kind}" for kind in ("data", "models", "clients", "executors")},
    "optuna": {"runs/sweep/optuna_search.py"},
    "ray": {
        f"components/executors/{file}.py"
        for file in ("ray", "ray_connection", "ray_protection", "crew", "answers")
    },
    "dp_accounting": {"privacy"},
    "cryptography": {"crypto"},
    "rfc3161_client": {"crypto/timestamps.py"},
    "rfc8785": {"store/files/canonical_json.py"},
    "py_arkworks_bls12381": {"crypto/norm_proofs/curve.py"},
    "pymcl": {"crypto/norm_proofs/second_curve.py"},
    "py_ecc": {"crypto/norm_proofs/second_curve.py"},
    "_sealapi_cpp": {"crypto/bfv/seal.py"},
    "tenseal": set(),
    # Newer typers bring their own, so that it may be missing in an installation.
    "click": set(),
}
# `quiet_imports` loads TensorFlow while a status line stands on the screen.
STATED_EXCEPTIONS = {("cli/output.py", "tensorflow")}


@functools.cache
def parsed(path):
    return ast.parse(path.read_text(encoding="utf-8"))


@functools.cache
def imported(path):
    """The modules that a file imports anywhere, also inside functions."""
    names = []
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are absolute"
            names.append(node.module)
    return names


def place(path):
    """A file by its path below fedcli/."""
    return path.relative_to(PACKAGE).as_posix()


def importers(package):
    return {place(path) for path in FILES if any(name.split(".")[0] == package for name in imported(path))}


def test_the_files_are_found():
    assert len(FILES) > 80
    assert {"cli/run.py", "core/rounds.py", "engine/round.py"} <= {place(path) for path in FILES}


@pytest.mark.parametrize("package", ALLOWED)
def test_only_the_stated_places_import(package):
    strangers = {
        file
        for file in importers(package)
        if not any(file == allowed or file.startswith(f"{allowed}/") for allowed in ALLOWED[package])
    }
    assert {(file, package) for file in strangers} == {
        pair for pair in STATED_EXCEPTIONS if pair[1] == package
    }


def test_core_speaks_numpy_and_the_standard_library_only():
    known = sys.stdlib_module_names | {"numpy", "fedcli"}
    for path in FILES:
        if place(path).startswith("core/"):
            names = set(imported(path))
            assert {name.split(".")[0] for name in names} <= known, path
            assert all(name.startswith("fedcli.core") for name in names if name.split(".")[0] == "fedcli")


def test_no_input_is_checked_by_assert():
    for path in FILES:
        tree = parsed(path)
        assert not any(isinstance(node, ast.Assert) for node in ast.walk(tree)), path


def test_no_randomness_but_from_seeds_and_the_operating_system():
    # np.random.get_state and set_state put back what Keras's initialisers moved.
    stated = {"Generator", "Philox", "get_state", "set_state"}
    for path in FILES:
        for node in ast.walk(parsed(path)):
            if isinstance(node, ast.Attribute) and ast.unparse(node.value) == "np.random":
                assert node.attr in stated, f"{place(path)}: np.random.{node.attr}"


# What opens files of run directories, and what else opens a file: the disk that writes them, a lock on a folder, an
# .npz of the user's own, and the processor's name.
READERS = {
    "store/files/guarded.py", "store/files/disk.py", "store/files/locks.py", "store/files/npz.py",
    "store/files/logs.py", "runs/environment.py",
}  # fmt: skip
OPENING = {
    "open",
    "read_text",
    "read_bytes",
    "load",
    "fromfile",
    "memmap",
    "iterdir",
    "glob",
    "rglob",
    "listdir",
}


def test_run_directories_are_read_by_the_guarded_reader_only():
    found = set()
    for path in FILES:
        if place(path).split("/")[0] in ("store", "runs"):
            for node in ast.walk(parsed(path)):
                name = ast.unparse(node.func) if isinstance(node, ast.Call) else ""
                # A bare `load` is a function of that module.
                reads = (
                    name.split(".")[-1] in OPENING
                    and name != "load"
                    and not name.startswith(("config.", "guarded."))
                )
                # Both only walk folders that this process has made, or that were found to be plain.
                if reads and not (place(path) == "store/files/durable.py" and name.endswith("rglob")):
                    found.add((place(path), name))
    assert {file for file, _ in found} <= READERS, found


def test_layers():
    command = [str(Path(sys.executable).with_name("lint-imports")), "--no-cache"]
    done = subprocess.run(command, cwd=PACKAGE.parent, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stdout


# Kinds whose components are not yet one a file.
NOT_YET = {"datasets", "partitions", "preprocessing"}


@pytest.mark.parametrize("kind", sorted(set(SECTIONS) - NOT_YET))
def test_a_component_is_found_by_the_rule(kind):
    section = SECTIONS[kind]
    found = {name: (factory.__module__, factory.__name__) for name, factory in installed(section).items()}
    by_the_rule = {name: name.replace("-", "_") for name in found}
    assert found
    assert found == {name: (f"{home(section)}.{file}", file) for name, file in by_the_rule.items()}


# One process for all commands: a module that is loaded stays, so the first command that loads it is named.
WATCHER = """
import contextlib, io, json, sys
from fedcli.cli import main

loaded = {}
for arguments in json.loads(sys.argv[1]):
    sys.argv = ["fedcli", *arguments]
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()) as errors:
        try:
            main()
        except SystemExit as end:
            code = end.code
    watched = ("tensorflow", "keras", "dp_accounting", "sklearn", "scipy", "pandas", "matplotlib", "yaml")
    loaded[" ".join(arguments)] = [code, [name for name in watched if name in sys.modules], errors.getvalue()]
print(json.dumps(loaded))
"""

QUICK = [
    ["--help"],
    ["--version"],
    ["list-strategies"],
    ["list", "datasets"],
    ["list", "models", "--json"],
    ["list", "executors"],
    ["list", "optimizers"],
    ["init", "--list"],
    ["show", "configs/quickstart.yaml"],
    ["check", "configs/quickstart.yaml"],
    ["partition", "configs/quickstart.yaml"],
    ["verify", "absent"],
    ["check", "configs/quickstart.yaml", "--set", "client.optimizer.name=adamw", "--set", "rounds=0"],
    # Refused as soon as all is imported that a run imports before TensorFlow; what it plans is in `check`.
    ["run", "configs/quickstart.yaml", "--run-dir", "configs"],
]


@pytest.fixture(scope="module")
def loaded_by():
    command = [sys.executable, "-W", "error", "-c", WATCHER, json.dumps(QUICK)]
    done = subprocess.run(command, cwd=PACKAGE.parent, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize("command", [" ".join(arguments) for arguments in QUICK])
def test_quick_commands_load_no_heavy_library(loaded_by, command):
    code, modules, errors = loaded_by[command]
    is_refused = any(word in command for word in ("rounds=0", "absent", "--run-dir configs"))
    assert code == (2 if is_refused else 0), errors
    assert set(modules) <= {"yaml"}


@pytest.mark.parametrize("command", ["--help", "--version"])
def test_help_loads_no_heavy_library_at_all(loaded_by, command):
    assert loaded_by[command][1] == []


def test_a_private_config_is_checked_without_tensorflow():
    private = "strategy={name: dp-clipped, clip_norm: 1.0, noise_multiplier: 1.0, delta: 1e-3}"
    command = [["check", "configs/quickstart.yaml", "--set", private]]
    done = subprocess.run(
        [sys.executable, "-c", WATCHER, json.dumps(command)],
        cwd=PACKAGE.parent,
        capture_output=True,
        text=True,
        timeout=600,
    )
    ((code, modules, errors),) = json.loads(done.stdout).values()
    assert code == 0, errors
    assert "dp_accounting" in modules
    assert not {"tensorflow", "keras"} & set(modules)

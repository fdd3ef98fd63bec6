"""The house: few names at the top, one idea a file and a class, and a component where its name says."""

import ast
from collections import defaultdict
from pathlib import Path

import pytest

from fedcli.config import registry

PACKAGE = Path(__file__).parent.parent / "fedcli"
FILES = sorted(PACKAGE.rglob("*.py"))

# Files of one name that are one idea: the folder says which side of it. Components need no entry, see below.
ONE_IDEA = {
    "audit": "the command and what it calls",
    "calibration": "noise for a target epsilon: found, and put into a strategy",
    "committee": "the scheme without a dealer, and its arithmetic",
    "early_stop": "the rule, and the metrics that it may watch",
    "errors": "what a package raises",
    "evidence": "the files that clients' proofs leave, written and verified",
    "federation": "the clients' data: the type, and how an experiment gets it",
    "fixed_point": "the transform, and its place in a pipeline",
    "head": "the command and what it calls",
    "logs": "a run's logs, written and verified",
    "npz": "the file format: a user's arrays, and those of a run",
    "partition": "the command, and what it shows",
    "privacy": "the command, and what differential privacy excludes",
    "proof_files": "the stored proofs, written and verified",
    "proofs": "norm proofs, planned and verified",
    "schema": "of a config, and the command that prints it as JSON Schema",
    "shared_key": "the scheme, and its arithmetic",
    "threshold": "the scheme, and its arithmetic",
    "written_strategy": "strategies written out: how they are read, and what they exclude",
}

DEFAULTS = {registry.DEFAULT_PREPROCESSING, registry.DEFAULT_COHORTS}


def place(path):
    return path.relative_to(PACKAGE).as_posix()


def is_component(path):
    """Whether a file of components/ defines the factory that it is named after."""
    names = set()
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.FunctionDef):
            names.add(node.name)
        elif isinstance(node, ast.Assign):
            names |= {ast.unparse(target) for target in node.targets}
    return place(path).startswith("components/") and path.stem in names


def test_at_most_a_dozen_names_are_at_the_top():
    names = [path.name for path in PACKAGE.iterdir() if not path.name.startswith("__")]
    assert 5 < len(names) <= 12


def test_no_file_name_is_two_ideas():
    """A component bears its name in the YAML, and its folder is its kind. Other files share a name if listed."""
    places = defaultdict(list)
    for path in FILES:
        if path.stem != "__init__":
            places[path.stem].append(path)
    shared = {
        name
        for name, paths in places.items()
        if len(paths) > 1 and not all(is_component(path) for path in paths)
    }
    assert shared == set(ONE_IDEA)


def test_no_public_class_name_is_two_ideas():
    places = defaultdict(list)
    for path in FILES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                places[node.name].append(place(path))
    assert len(places) > 100
    assert {name: files for name, files in places.items() if len(files) > 1} == {}


def test_no_file_is_longer_than_300_lines():
    long = {place(path) for path in FILES if len(path.read_text(encoding="utf-8").splitlines()) > 300}
    assert not long


@pytest.mark.parametrize("section", sorted(registry._TABLE.keys() - DEFAULTS))
def test_a_component_is_in_the_file_of_its_name(section):
    kind, _ = registry._TABLE[section]
    factories = registry.installed(section)
    assert factories
    for name, factory in factories.items():
        identifier = name.replace("-", "_")
        folder, _, file = factory.__module__.rpartition(".")
        assert (factory.__name__, file) == (identifier, identifier)
        assert f"{folder}.".startswith(f"{kind}.")

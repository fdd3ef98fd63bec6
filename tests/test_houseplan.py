"""The house: few names at the top, one idea a file and a class, and a component where its name says."""

import ast
import inspect
from collections import defaultdict
from pathlib import Path

from fedcli.components.aggregators import AGGREGATORS
from fedcli.components.server_optimizers import SERVER_OPTIMIZERS
from fedcli.config import registry

PACKAGE = Path(__file__).parent.parent / "fedcli"
FILES = sorted(PACKAGE.rglob("*.py"))

# Files of one name that are one idea: the folder says which side of it. Components need no entry, see below.
ONE_IDEA = {
    "adaptive": "the strategies with an adaptive server, and their server optimizers",
    "audit": "the command and what it calls",
    "committee": "the scheme without a dealer, and its arithmetic",
    "errors": "what a wing raises",
    "evidence": "the files that clients' proofs leave, written and verified",
    "fixed_point": "the transform, and its place in a pipeline",
    "logs": "a run's logs, written and verified",
    "npz": "the file format: a user's arrays, and those of a run",
    "personal_layers": "the strategies that keep layers with the clients, and their client algorithms",
    "proof_files": "the stored proofs, written and verified",
    "proofs": "norm proofs, planned and verified",
    "shared_key": "the scheme, and its arithmetic",
    "threshold": "the scheme, and its arithmetic",
}
# Two ideas under one name, to be renamed.
CLASHING_FILES = {"replay", "seeds", "statement"}
CLASHING_CLASSES = {
    *("Attack", "Finding", "Kind", "Layout", "Mechanism", "Model", "Pair", "Participation", "Plan"),
    *("Problem", "Report", "Scheme", "Sender"),
}
LONG_FILES = {"core/privacy_events.py", "experiment/compatibility/pipeline.py", "experiment/plan.py"}

# Files of components that hold another name than their own. A robust strategy counts as the aggregator that it
# is made of; norm_bounding is `norm-bounded` as a strategy.
SHARED_FILES = {
    *("aggregators/norm_bounding", "clients/optimizers", "clients/schedules", "cohorts", "devices"),
    *("server_optimizers/adaptive", "strategies/adaptive", "strategies/dp_ftrl", "strategies/fedavg"),
    *("strategies/personal_layers", "transforms/sparsify"),
}

REGISTRIES = {
    "aggregator": AGGREGATORS,
    "server optimizer": SERVER_OPTIMIZERS,
    **{
        section: registry.installed(section)
        for section in registry._TABLE
        if section not in (registry.DEFAULT_PREPROCESSING, registry.DEFAULT_COHORTS)
    },
}


def place(path):
    return path.relative_to(PACKAGE).as_posix()


def is_component(path):
    """Whether a file of components/ holds the public function that it is named after."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    functions = {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
    return place(path).startswith("components/") and path.stem in functions


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
    assert shared == set(ONE_IDEA) | CLASHING_FILES


def test_no_public_class_name_is_two_ideas():
    places = defaultdict(list)
    for path in FILES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                places[node.name].append(place(path))
    assert len(places) > 100
    assert {name for name, files in places.items() if len(files) > 1} == CLASHING_CLASSES


def test_no_file_is_longer_than_300_lines():
    long = {place(path) for path in FILES if len(path.read_text(encoding="utf-8").splitlines()) > 300}
    assert long == LONG_FILES


def file_of(factory):
    return place(Path(inspect.getsourcefile(inspect.unwrap(factory)))).removesuffix(".py")


def test_a_component_is_in_the_file_of_its_name():
    elsewhere = set()
    for section, factories in REGISTRIES.items():
        for name, factory in factories.items():
            file = file_of(factory)
            assert file.startswith("components/"), f"{section}: {name}"
            if [file.rsplit("/", 1)[-1], factory.__name__] != [name.replace("-", "_")] * 2:
                elsewhere.add(file.removeprefix("components/"))
    assert elsewhere == SHARED_FILES

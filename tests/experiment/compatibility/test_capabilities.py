"""Parts are asked for what they declare, never for their names; and hints name only strategies that exist."""

import ast
import re
from pathlib import Path

import fedcli
from fedcli.components.strategies import STRATEGIES

PACKAGE = Path(fedcli.__file__).parent
TREES = {path: ast.parse(path.read_text(encoding="utf-8")) for path in sorted(PACKAGE.rglob("*.py"))}


def is_text(node):
    if isinstance(node, ast.Tuple | ast.List | ast.Set):
        return bool(node.elts) and all(is_text(each) for each in node.elts)
    return isinstance(node, ast.Constant) and isinstance(node.value, str)


def is_test_of_a_name(node):
    """`x.name == "fedbn"`, `x.name in ("uniform", "full")`; but not `":" in x.name`."""
    if not isinstance(node, ast.Compare):
        return False
    sides = [node.left, *node.comparators]
    named = [isinstance(each, ast.Attribute) and each.attr == "name" for each in sides]
    if all(isinstance(each, ast.In | ast.NotIn) for each in node.ops):
        return named[0] and is_text(node.comparators[0])
    return any(named) and any(map(is_text, sides))


def test_no_part_is_told_by_its_name():
    found = [
        f"{path.relative_to(PACKAGE)}:{node.lineno}  {ast.unparse(node)}"
        for path, tree in TREES.items()
        for node in ast.walk(tree)
        if is_test_of_a_name(node)
    ]
    assert found == []


def texts(tree):
    """Every string of a module but docstrings; values that are filled in are left out."""
    docstrings = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef)
        and isinstance(node.body[0], ast.Expr)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            yield "".join(part.value if isinstance(part, ast.Constant) else "{}" for part in node.values)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docstrings:
            yield node.value


def named_strategies(text):
    """The names after "a strategy ... such as" and "strategy:", and whatever looks like the name of one."""
    listed = re.findall(r"strateg(?:y|ies)\b[^.;]*?such as ([a-z][\w-]*(?:(?:, | or )[a-z][\w-]*)*)", text)
    names = {name for group in listed for name in re.split(", | or ", group)} - {"or"}
    names |= set(re.findall(r"\bstrategy: (?:\{name: )?([a-z][\w-]*)", text))
    return names | set(re.findall(r"(?<![\w./])(?:dp-[a-z-]+|fed[a-z]+)\b(?![./:(])", text))


def test_the_names_in_a_hint_are_found():
    hint = "Use a strategy that sends vectors only, such as fedavg or scaffold, or strategy: dp-clipped."
    assert named_strategies(hint) == {"fedavg", "scaffold", "dp-clipped"}


def test_hints_name_strategies_that_exist():
    words = {"fedcli", "federated", "federation", "federations", "federate", "dp-accounting", "null"}
    named = {
        (path.relative_to(PACKAGE).as_posix(), name)
        for path, tree in TREES.items()
        for text in texts(tree)
        if " " in text
        for name in named_strategies(text)
    }
    assert {"mean", "scaffold", "dp-clipped", "dp-distributed"} <= {name for _, name in named}
    assert {(path, name) for path, name in named if name not in {*STRATEGIES, *words}} == set()

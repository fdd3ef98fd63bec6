"""Collects the problems of one config, each placed by its key."""

from __future__ import annotations

from collections.abc import Iterable

from fedcli.config.problems import Problem, show
from fedcli.config.yaml.tree import Keys, Node, dotted, find, plain
from fedcli.core.errors import ConfigError


class Report:
    """The problems found so far in one tree."""

    def __init__(self, root: Node, problems: Iterable[Problem]) -> None:
        self.root = root
        self.problems = list(problems)
        self._seen = {(problem.place, problem.key) for problem in self.problems}

    def add(self, keys: Keys, expected: str, hint: str = "", received: str | None = None) -> None:
        """A problem of the value at `keys`, placed there or, where the file has none, at its nearest ancestor."""
        problem = placed(self.root, keys, expected, hint, received)
        # A value that the parser refused is null to the schema, which would refuse it once more.
        if (problem.place, problem.key) not in self._seen:
            self._seen.add((problem.place, problem.key))
            self.problems.append(problem)

    def add_error(self, error: ConfigError) -> None:
        """A problem that was raised, with its dotted key counted from the root."""
        self.add(split(error.key), error.message, error.hint)


def placed(root: Node, keys: Keys, expected: str, hint: str, received: str | None = None) -> Problem:
    """A problem with the place of `keys`; what was received is read from the file unless it is given."""
    node, depth = find(root, keys)
    if received is None:
        received = f"= {show(plain(node))}" if keys and depth == len(keys) else ""
    return Problem(node.place, dotted(keys), received, expected, hint)


def split(key: str) -> Keys:
    """The keys of a dotted key; what is a number may be an index."""
    return tuple(int(step) if step.isdecimal() else step for step in key.split(".")) if key else ()

"""The list of problems of one config, each with the place of its key."""

from __future__ import annotations

from collections.abc import Iterable

from fedcli.config.problems import Problem, show
from fedcli.config.yaml.tree import Keys, Node, dotted, find, plain
from fedcli.core.errors import ConfigError


class ProblemList:
    """The problems found so far in one tree."""

    def __init__(self, root: Node, problems: Iterable[Problem]) -> None:
        self.root = root
        self.problems = list(problems)
        self._seen = {(problem.place, problem.key) for problem in self.problems}

    def add(self, keys: Keys, expected: str, hint: str = "", received: str | None = None) -> None:
        """Add a problem of the value at `keys`; if the file has no such key, its place is the nearest ancestor."""
        problem = placed(self.root, keys, expected, hint, received)
        # The parser replaces a value that it rejects by null, and the schema would then report the null as well.
        if (problem.place, problem.key) not in self._seen:
            self._seen.add((problem.place, problem.key))
            self.problems.append(problem)

    def add_error(self, error: ConfigError) -> None:
        """Add an error that was raised; its key starts at the root of the config."""
        self.add(split(error.key), error.message, error.hint)


def placed(root: Node, keys: Keys, expected: str, hint: str, received: str | None = None) -> Problem:
    """A problem at the place of `keys`; the received value is read from the file unless it is given."""
    node, depth = find(root, keys)
    if received is None:
        received = f"= {show(plain(node))}" if keys and depth == len(keys) else ""
    return Problem(node.place, dotted(keys), received, expected, hint)


def split(key: str) -> Keys:
    """The keys of a dotted key; a number may be the index of a list."""
    return tuple(int(step) if step.isdecimal() else step for step in key.split(".")) if key else ()

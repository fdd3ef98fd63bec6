"""Trees of values with their places, parsed from YAML.

Only a safe subset of YAML is accepted: one document without tags, merge keys and duplicate keys, in which every key is
text. Limits are checked before aliases are expanded.
"""

from __future__ import annotations

from typing import NamedTuple, TypeAlias

import yaml

from fedcli.config.problems import Place, Problem, show
from fedcli.config.yaml import scalars
from fedcli.config.yaml.read import check_size
from fedcli.config.yaml.strict import MAX_DEPTH, MAX_NODES, At, at_mark, compose, stop

Keys = tuple[str | int, ...]
"""The path to a value: keys of mappings and indices of lists."""

Value: TypeAlias = "scalars.Scalar | list[Value] | dict[str, Value]"
"""A value of a config, without its place."""


class Node(NamedTuple):
    """One value and the place of its key, or its own place if it has no key."""

    value: scalars.Scalar | list[Node] | dict[str, Node]
    place: Place


class Parsed(NamedTuple):
    """The tree of a text, None if the text is empty, and the problems that did not stop the parser."""

    node: Node | None
    problems: list[Problem]


def parse(text: str, at: At, keys: Keys = ()) -> Parsed:
    """The tree of one YAML document.

    Args:
        text: the document.
        at: gives the places.
        keys: where in the config the document belongs; not empty for the value of an override.

    Raises:
        ConfigErrors: if there is no tree to continue with: a syntax error, a second document, a limit.
    """
    # Here too, because overrides and texts from Python do not come from a file that was measured.
    check_size(len(text.encode("utf-8", "replace")), at(1, 1))
    problems: list[Problem] = []
    root = compose(text, at, problems)
    if root is None:
        return Parsed(None, problems)
    return Parsed(_Tree(at, problems).node(root, at_mark(root.start_mark, at), keys), problems)


def plain(node: Node) -> Value:
    """The value of a tree, without places."""
    if isinstance(node.value, dict):
        return {key: plain(below) for key, below in node.value.items()}
    return [plain(below) for below in node.value] if isinstance(node.value, list) else node.value


def child(node: Node, step: str | int) -> Node | None:
    """The entry of `node` at a key or an index; None if there is none."""
    if isinstance(node.value, dict):
        return node.value.get(str(step))
    if isinstance(node.value, list) and isinstance(step, int) and 0 <= step < len(node.value):
        found: Node = node.value[step]
        return found
    return None


def find(node: Node, keys: Keys) -> tuple[Node, int]:
    """The node at `keys`, or its nearest ancestor that exists, and the number of keys that lead to it."""
    for depth, step in enumerate(keys):
        below = child(node, step)
        if below is None:
            return node, depth
        node = below
    return node, len(keys)


def dotted(keys: Keys) -> str:
    """Keys as a user writes them: `data.partition.clients`."""
    return ".".join(map(str, keys))


class _Tree:
    """Turns PyYAML's nodes into ours. It counts them, since a small file with aliases can expand to a huge tree."""

    def __init__(self, at: At, problems: list[Problem]) -> None:
        self.at, self.problems, self.nodes = at, problems, 0

    def node(self, node: yaml.Node, place: Place, keys: Keys) -> Node:
        self.nodes += 1
        # PyYAML has checked the limits of the text, in which an alias is one value.
        if self.nodes > MAX_NODES or len(keys) >= MAX_DEPTH:
            # This also ends an alias that contains itself.
            expected = f"with its aliases expanded, a config has at most {MAX_NODES:,} values and {MAX_DEPTH} levels."
            raise stop(self.at, node.start_mark, "is too large", expected, "Use fewer aliases.")
        match node:
            case yaml.MappingNode():
                return Node(self._mapping(node, keys), place)
            case yaml.SequenceNode():
                items = enumerate(node.value)
                return Node([self.node(item, self._place(item), (*keys, i)) for i, item in items], place)
            case _:
                return Node(self._scalar(node, place, keys), place)

    def _mapping(self, node: yaml.MappingNode, keys: Keys) -> dict[str, Node]:
        entries: dict[str, Node] = {}
        for key, value in node.value:
            # The place of an entry is that of its key, which is where a person looks for it.
            if self._usable(key, entries, keys):
                entries[key.value] = self.node(value, self._place(key), (*keys, key.value))
        return entries

    def _usable(self, key: yaml.Node, entries: dict[str, Node], keys: Keys) -> bool:
        place, below = self._place(key), (*keys, str(key.value))
        if key.tag != scalars.TEXT:
            received = (
                f"has the key {key.value or 'null'}" if isinstance(key, yaml.ScalarNode) else "has a key"
            )
            self._add(place, keys, received, "a key is text.", "Quote the key.")
        elif key.value == "<<":
            self._add(place, keys, "merges with <<", "a config has no merge keys.", "Write the keys out.")
        elif key.value in entries:
            expected = f"a mapping has each key once; this one is already at {entries[key.value].place}."
            self._add(place, below, "is repeated", expected, "Remove one of the two.")
        else:
            return True
        return False

    def _scalar(self, node: yaml.Node, place: Place, keys: Keys) -> scalars.Scalar:
        try:
            return scalars.value(node)
        except ValueError as error:
            received = node.value if node.tag != scalars.TEXT else show(node.value)
            self._add(place, keys, f"= {received[:60]}", f"{error}", "Write another value.")
            # Null, so that the rest of the config is checked as well.
            return None

    def _place(self, node: yaml.Node) -> Place:
        return at_mark(node.start_mark, self.at)

    def _add(self, place: Place, keys: Keys, received: str, expected: str, hint: str) -> None:
        self.problems.append(Problem(place, dotted(keys), received, expected, hint))

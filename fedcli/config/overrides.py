"""Overrides of a config, `key.sub=value` each, read and checked like the file."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeAlias

from fedcli.config.problem_list import split
from fedcli.config.problems import ConfigErrors, Place, Problem, kind, show
from fedcli.config.python_values import tree_of
from fedcli.config.schema_keys import default_part, field_at
from fedcli.config.yaml.strict import MAX_DEPTH
from fedcli.config.yaml.tree import Keys, Node, child, dotted, parse
from fedcli.core.errors import ConfigError

Override: TypeAlias = "str | tuple[str, object]"
"""A changed value: the text `key.sub=value`, or from Python a pair of the key and the value."""

MAX_SHOWN = 80
"""An override is cut to this number of characters where it is shown as a place."""


def override(root: Node, overrides: Iterable[Override]) -> tuple[Node, list[Problem]]:
    """The tree with every `key=value` applied in order, and the problems of those that are not valid."""
    problems: list[Problem] = []
    for each in overrides:
        # Values from Python are named as the command line would have them, so that errors read the same.
        text = each if isinstance(each, str) else f"{each[0]}={_as_typed(each[1])}"
        place = Place(f"override {text if len(text) <= MAX_SHOWN else text[: MAX_SHOWN - 3] + '...'}")
        try:
            if isinstance(each, str):
                root = _override(root, each, place, problems)
            else:
                keys = _keys(each[0])
                root = with_value(root, keys, tree_of(each[1], keys, place))
        except ConfigErrors as error:
            # Collected and not raised, so that one report has the problems of all overrides and of the file.
            problems.extend(error.problems)
        except ConfigError as error:
            problems.append(Problem(place, error.key, "", error.message, error.hint))
    return root, problems


def _override(root: Node, text: str, place: Place, problems: list[Problem]) -> Node:
    key, equals, written = text.partition("=")
    # In quotes, a shell keeps the spaces of "rounds = 5". Without a `=` there is no key.
    keys = _keys(key.strip() if equals else "")
    parsed = parse(written, lambda _line, _column: place, keys)
    problems += parsed.problems
    # Nothing after the `=` is null, as it is after a colon in YAML.
    return with_value(root, keys, parsed.node or Node(None, place))


def key_of(each: Override) -> str:
    """The dotted key of an override."""
    return each.partition("=")[0].strip() if isinstance(each, str) else each[0]


def _as_typed(value: object) -> str:
    return value if isinstance(value, str) else show(value)


def _keys(key: str) -> Keys:
    keys = split(key)
    if "" in keys or not 0 < len(keys) < MAX_DEPTH:
        hint = "Write it as in `rounds=10` or `data.partition.clients=5`."
        raise ConfigError("an override is key=value, with dots between keys.", hint=hint)
    return keys


def with_value(node: Node, keys: Keys, value: Node, done: Keys = ()) -> Node:
    """`node`, which is at `done`, with the value at `keys` below it replaced."""
    if not keys:
        return value
    step, rest = keys[0], keys[1:]
    below = child(node, step) or Node(None, value.place)
    if isinstance(node.value, list):
        length = len(node.value)
        if not isinstance(step, int) or step >= length:
            raise ConfigError(
                f"{dotted(done)} is a list of {length} entries; {step} is not an index of it.",
                key=dotted((*done, step)),
                hint=f"Use an index from 0 to {length - 1}." if length else "Set the whole list.",
            )
        items = [*node.value[:step], with_value(below, rest, value, (*done, step)), *node.value[step + 1 :]]
        return node._replace(value=items)
    entries = _entries(node, step, done, value.place)
    return node._replace(value=entries | {str(step): with_value(below, rest, value, (*done, step))})


def _entries(node: Node, step: str | int, done: Keys, place: Place) -> dict[str, Node]:
    """The entries of the mapping in which `step` is set."""
    match node.value:
        case dict():
            return node.value
        case str():  # a component may be written as a bare name
            return {"name": node}
        case None:
            # Setting one parameter of a default component keeps its other parameters. Setting its name does not,
            # since another component has other parameters, and neither does setting a part of a composition.
            is_kept = step != "name" and field_at((*done, step)) is None
            part = default_part(done) if is_kept else None
            return {key: Node(each, place) for key, each in (part or {}).items()}
        case _:
            said = f"{dotted(done)} is {kind(node.value)}, which has no keys."
            raise ConfigError(said, key=dotted((*done, step)), hint=f"Set {dotted(done)} itself.")

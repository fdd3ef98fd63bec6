"""Components that are given as Python objects: where they go in a config, and the placeholders that stand for them.

A config is text, so it cannot hold an object. It says `<object:NAME>` instead, and a run directory that has such a
placeholder can be used again only together with the object.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from fedcli.config.overrides import with_value
from fedcli.config.part import Part
from fedcli.config.problem_list import split
from fedcli.config.problems import Place
from fedcli.config.registry import PLACEHOLDER, is_placeholder
from fedcli.config.schema import Experiment
from fedcli.config.schema_keys import field_at, section_of
from fedcli.config.written_strategy import WrittenStrategy
from fedcli.config.yaml.tree import Keys, Node, find
from fedcli.core.errors import ConfigError

Objects = Mapping[str, Any]
"""Objects by the argument of Python that gives them; `callbacks` is a sequence."""

KEYS = {
    "dataset": "data",
    "model": "model",
    "cohort": "cohort",
    "strategy": "strategy",
    "aggregator": "strategy.aggregator",
}
"""Where an object goes in a config. Callbacks are added to those that the config names."""


def placeholder(value: object) -> str:
    """What a config says in the place of an object: its name, or else the name of its type."""
    name = getattr(value, "name", None) or getattr(value, "__name__", None)
    label = name if isinstance(name, str) else type(value).__name__
    return f"{PLACEHOLDER}{re.sub(r'[^A-Za-z0-9_.-]+', '', label) or type(value).__name__}>"


def with_placeholders(root: Node, objects: Objects) -> tuple[Node, dict[Keys, Any]]:
    """The tree with a placeholder in the place of each object, and the objects by their keys.

    Raises:
        ConfigError: if an argument is unknown, or the tree has no place for it.
    """
    values: dict[Keys, Any] = {}
    for argument, value in objects.items():
        place = Place(f"the argument {argument}")
        if argument == "callbacks":
            there, depth = find(root, ("callbacks",))
            entries: Any = there.value if depth else []
            named = entries if isinstance(entries, list) else []
            added = [Node(placeholder(each), place) for each in _sequence(value)]
            root = with_value(root, ("callbacks",), Node([*named, *added], place))
            values |= {("callbacks", len(named) + index): each for index, each in enumerate(value)}
            continue
        keys = _keys(argument)
        root = with_value(root, keys, _section(root, keys, Node(placeholder(value), place)))
        values[keys] = value
    return root, values


def given_again(root: Node, objects: Objects) -> dict[Keys, Any]:
    """The objects by their keys, for a tree that has their placeholders already.

    Raises:
        ConfigError: if the tree's placeholders are not those of these objects.
    """
    values: dict[Keys, Any] = {}
    for argument, value in objects.items():
        if argument == "callbacks":
            there, depth = find(root, ("callbacks",))
            entries: Any = there.value if depth else []
            places = [("callbacks", i) for i in range(len(entries)) if _is_object(root, ("callbacks", i))]
            if len(places) != len(_sequence(value)):
                raise ConfigError(
                    f"the run was started with {len(places)} callbacks given as objects; received {len(value)}.",
                    key="callbacks",
                    hint="Give the same objects in the same order.",
                )
            values |= zip(places, value, strict=True)
        else:
            values[_keys(argument)] = value
    for keys, value in values.items():
        written, expected = _name(root, keys), placeholder(value)
        if written != expected:
            raise ConfigError(
                f"the run was started with {written or 'nothing'} here; received {expected}.",
                key=".".join(map(str, keys)),
                hint="A run continues with the components that it was started with; start a new run to change one.",
            )
    return values


def objects_of(experiment: Experiment) -> list[Part]:
    """The components that were given as objects, apart from callbacks, which only the server's process has."""
    strategy = experiment.strategy
    parts = [experiment.data.part, experiment.model.part, experiment.cohort]
    parts += [strategy.aggregator] if isinstance(strategy, WrittenStrategy) else [strategy]
    return [part for part in parts if part.value is not None]


def _keys(argument: str) -> Keys:
    if argument not in KEYS:
        known = ", ".join([*KEYS, "callbacks"])
        raise ConfigError(f"there is no argument {argument}; the components that may be objects are {known}.")
    return split(KEYS[argument])


def _sequence(value: object) -> Sequence[Any]:
    # A Callback is a tuple too, of functions.
    if not isinstance(value, list | tuple) or hasattr(value, "_fields"):
        raise ConfigError(
            f"callbacks is a list of callbacks; received a {type(value).__name__}.",
            key="callbacks",
            hint="Write callbacks=[my_callback].",
        )
    return value


def _section(root: Node, keys: Keys, name: Node) -> Node:
    """The section with the object's placeholder; the keys of the section itself, such as a partition, stay."""
    field = field_at(keys)
    below = section_of(field) if field else None
    if below is None or "part" not in below.model_fields:
        return name
    there, depth = find(root, keys)
    kept = there.value if depth == len(keys) and isinstance(there.value, dict) else {}
    own = {key: value for key, value in kept.items() if key in below.model_fields and key != "part"}
    return Node({"name": name, **own}, name.place)


def _name(root: Node, keys: Keys) -> str | None:
    there, depth = find(root, keys)
    if depth < len(keys):
        return None
    name = there.value.get("name") if isinstance(there.value, dict) else there
    return name.value if isinstance(name, Node) and isinstance(name.value, str) else None


def _is_object(root: Node, keys: Keys) -> bool:
    return is_placeholder(_name(root, keys) or "")

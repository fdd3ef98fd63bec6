"""Values of a config that come from Python, as trees, and as changes of single keys."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from numbers import Integral, Real

from fedcli.config.problems import ConfigErrors, Place, Problem
from fedcli.config.yaml.scalars import MAX_INTEGER
from fedcli.config.yaml.tree import Keys, Node, dotted


def changes(values: Mapping[str, object], prefix: str = "") -> Iterator[tuple[str, object]]:
    """Nested mappings as pairs of a dotted key and its new value.

    A mapping with a `name` is a whole component, which takes the place of the one that is there. Of any other mapping
    only the keys that it has are changed: `client={"epochs": 2}` is `client.epochs=2`.
    """
    for name, value in values.items():
        key = f"{prefix}{name}"
        if isinstance(value, Mapping) and value and "name" not in value:
            yield from changes(value, f"{key}.")
        else:
            yield key, value


def tree_of(value: object, keys: Keys, place: Place) -> Node:
    """A value from Python as a tree whose nodes all have one place.

    Args:
        value: texts, numbers, booleans, None, paths, and lists and mappings of them.
        keys: where in the config it belongs.
        place: for errors.

    Raises:
        ConfigErrors: if it has a value of another type.
    """
    match value:
        case Mapping():
            return Node(
                {str(key): tree_of(below, (*keys, str(key)), place) for key, below in value.items()}, place
            )
        case list() | tuple():
            nodes = [tree_of(below, (*keys, index), place) for index, below in enumerate(value)]
            return Node(nodes, place)
        case int() if abs(value) > MAX_INTEGER:
            said = "an integer lies between -2^63 and 2^63."
            raise ConfigErrors([Problem(place, dotted(keys), "is too large", said, "Write another value.")])
        case None | bool() | int() | float() | str():
            return Node(value, place)
        # Numbers of NumPy, such as those of a loop over np.arange.
        case Integral():
            return Node(int(value), place)
        case Real():
            return Node(float(value), place)
        case os.PathLike():
            return Node(os.fspath(value), place)
        case _:
            expected = "a config has texts, numbers, booleans, nulls, lists and mappings."
            hint = "Give a component that is a Python object by its argument, as in strategy=my_strategy."
            received = f"is of type {type(value).__name__}"
            raise ConfigErrors([Problem(place, dotted(keys), received, expected, hint)])

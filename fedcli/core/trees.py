"""States as flat tables of arrays, which can be written to an `.npz` file and read back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

# Trees are walked by recursion.
_MOST_LEVELS = 64


def to_table(tree: Mapping[str, Any], prefix: str = "") -> dict[str, npt.NDArray[Any]]:
    """Leaves of `tree` by their path, such as `"server/momentum"`. An empty mapping becomes the path `"server/"`."""
    table: dict[str, npt.NDArray[Any]] = {}
    for name, value in tree.items():
        path = f"{prefix}{name}"
        if isinstance(value, Mapping):
            # An empty state and no state are different things after a resume.
            table |= to_table(value, f"{path}/") if value else {f"{path}/": np.zeros(0, np.uint8)}
        else:
            table[path] = np.asarray(value)
    return table


def from_table(table: Mapping[str, npt.NDArray[Any]]) -> dict[str, Any]:
    """The tree with the leaves of `table`. The inverse of `to_table`.

    Raises:
        ValueError: if no tree has such a table, because a path is also the beginning of another one.
    """
    tree: dict[str, Any] = {}
    for path, value in table.items():
        *parents, name = path.split("/")
        if len(parents) > _MOST_LEVELS:
            raise ValueError(f"it has a path of more than {_MOST_LEVELS} levels")
        node = tree
        for parent in parents:
            node = node.setdefault(parent, {})
            if not isinstance(node, dict):
                raise ValueError(f"it has {path[:40]!r} beside an array that is named as its beginning")
        # The path of an empty mapping ends with a slash, and its placeholder is not a leaf.
        if name:
            node[name] = value
    # One that was overwritten, or an empty mapping that is not empty.
    if to_table(tree).keys() != table.keys():
        raise ValueError("it has an array that is named as the beginning of another one")
    return tree

"""Checks of a custom step of preprocessing, whose results every later step and the training would take as they are."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from fedcli.components.data.dataset import Array
from fedcli.components.data.preprocessing.preprocessor import Preprocessor, Statistics
from fedcli.core.user_code import blamed
from fedcli.core.vectors import is_finite


def checked_step(step: Preprocessor, name: str) -> Preprocessor:
    """The same step; what it raises, or returns of a wrong type, shape or value, is a `ComponentError` with its name.

    Args:
        step: the step of a custom factory.
        name: how the config names it.
    """

    def fit(x: Array) -> Statistics:
        with blamed(f"fit of the preprocessing {name}", of=step.fit):
            found = step.fit(x)
            if not isinstance(found, dict):
                raise TypeError(
                    f"it returned a {type(found).__name__}; statistics by their names are expected"
                )
            if found.keys() != step.pool.keys():
                raise ValueError(f"it returned {sorted(found)}; pool joins {sorted(step.pool)}")
            return {key: _numbers(value, f"the statistic {key}") for key, value in found.items()}

    def apply(x: Array, statistics: Statistics) -> Array:
        with blamed(f"apply of the preprocessing {name}", of=step.apply):
            return _examples(step.apply(x, statistics), len(x))

    def labels(y: Array) -> Array:
        with blamed(f"labels of the preprocessing {name}", of=step.labels):
            return _examples(step.labels(y), len(y))

    with blamed(f"the preprocessing {name}"):
        for field in ("fit", "apply", "labels"):
            _require_function(field, getattr(step, field))
        pool = {key: _joining(name, key, join) for key, join in dict(step.pool).items()}
    return step._replace(fit=fit, apply=apply, labels=labels, pool=pool)


def _joining(name: str, key: str, join: Callable[[Array, Array], Array]) -> Callable[[Array, Array], Array]:
    _require_function(f"pool[{key!r}]", join)

    def joined(one: Array, other: Array) -> Array:
        with blamed(f"pool[{key!r}] of the preprocessing {name}", of=join):
            return _numbers(join(one, other), "what it returned")

    return joined


def _require_function(field: str, value: object) -> None:
    if not callable(value):
        raise TypeError(f"its {field} is a {type(value).__name__}; a function is expected")


def _examples(found: Any, count: int) -> Array:
    array = _numbers(found, "what it returned")
    if not array.ndim or len(array) != count:
        raise ValueError(
            f"it returned shape {list(array.shape)} of {count} examples; [{count}, ...] is expected"
        )
    return array


def _numbers(found: Any, what: str) -> Array:
    array = np.asarray(found)
    if array.dtype.kind not in "buif":
        received = type(found).__name__ if array.dtype.kind == "O" else array.dtype
        raise TypeError(f"{what} is of type {received}; an array of numbers is expected")
    if not is_finite(array):
        raise ValueError(f"{what} has NaN or infinite values")
    return array

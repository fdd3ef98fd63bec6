"""Checks of what custom parts return: what has a wrong type or is not finite is the part's fault, and is not used."""

from __future__ import annotations

import math
from collections.abc import Mapping
from numbers import Real

import numpy as np

from fedcli.core.rounds import Aggregate, ClientUpdate
from fedcli.core.trees import to_table
from fedcli.core.types import Vector
from fedcli.core.vectors import is_finite


def is_number(value: object) -> bool:
    """Whether a value is a real number; True and False are none."""
    # Asking `numbers` takes longer than all else, and it is asked ten times of every update.
    if type(value) is float or type(value) is int:
        return True
    return isinstance(value, Real | np.number) and not isinstance(value, bool | np.complexfloating)


def is_measure(value: object) -> bool:
    """Whether a value can be a number of bytes or seconds: finite, and at least 0."""
    return is_number(value) and 0 <= value < math.inf  # type: ignore[operator]


def has_numbers(value: object) -> bool:
    """Whether a value is an array of real numbers."""
    return isinstance(value, np.ndarray) and value.dtype.kind in "fiu"


def kind_of(value: object) -> str:
    """The type of a value for a sentence; of an array, that of its elements."""
    return str(getattr(getattr(value, "dtype", None), "name", type(value).__name__))


def require_update(update: ClientUpdate, client: int) -> None:
    """Refuse what a client's transform returned, if it is no update of this client.

    Raises:
        TypeError, ValueError: with what was returned and what is expected.
    """
    if not isinstance(update, ClientUpdate):
        raise TypeError(f"it returned a {type(update).__name__}; a ClientUpdate is expected")
    if update.client != client:
        raise ValueError(f"it returned an update of client {update.client}; this is client {client}")
    mappings = {
        "metrics are": update.metrics,
        "figures are": update.figures,
        "state is": update.state,
        "attachments are": update.attachments,
    }
    for what, value in mappings.items():
        if not isinstance(value, Mapping):
            raise TypeError(f"its {what} of type {kind_of(value)}; a mapping is expected")
    for name, figure in update.figures.items():
        if not is_number(figure) or not math.isfinite(figure):
            raise TypeError(f"its figure {name} is {figure!r}; a finite number is expected")
    for name, array in to_table(update.state).items():
        # Only what a file of arrays can hold is there at the client's next participation.
        if array.dtype.hasobject:
            raise TypeError(f"its state has objects in {name}; arrays and numbers are expected")
    if not has_numbers(update.statistics):
        raise TypeError(
            f"its statistics are of type {kind_of(update.statistics)}; an array of numbers is expected"
        )


def require_aggregate(aggregate: Aggregate, size: int | None = None) -> None:
    """Refuse an aggregate that cannot be used.

    Args:
        aggregate: what an aggregator or a transform returned.
        size: the length of its value, if that is known.

    Raises:
        TypeError, ValueError: if it has another type, shape or sign than an aggregate, or is not finite.
    """
    if not isinstance(aggregate, Aggregate):
        raise TypeError(f"it returned a {type(aggregate).__name__}; an Aggregate is expected")
    if not has_numbers(aggregate.value):
        raise TypeError(
            f"its value is of type {kind_of(aggregate.value)}; an array of real numbers is expected"
        )
    if size is not None and aggregate.value.shape != (size,):
        raise ValueError(f"its value has shape {list(aggregate.value.shape)}; [{size}] is expected")
    if not is_number(aggregate.weight):
        raise TypeError(f"its weight is of type {kind_of(aggregate.weight)}; a number is expected")
    if not is_finite(aggregate.value):
        raise ValueError("its value has NaN or infinite values")
    # With an infinite weight the mean update would be 0 or NaN.
    if not 0 <= aggregate.weight < math.inf:
        raise ValueError(f"its weight is {aggregate.weight:.6g}; a finite number of at least 0 is expected")


def require_weights(weights: Vector, before: Vector) -> None:
    """Refuse weights of a wrong type or shape from a server optimizer.

    Raises:
        TypeError, ValueError: with what was returned and what is expected.
    """
    if not isinstance(weights, np.ndarray) or weights.dtype.kind != "f":
        raise TypeError(f"it returned weights of type {kind_of(weights)}; an array of floats is expected")
    if weights.shape != before.shape:
        raise ValueError(f"it returned shape {list(weights.shape)}; the model has {list(before.shape)}")


def require_factor(factor: float) -> None:
    """Refuse a factor of the learning rate that is no finite number of at least 0.

    Raises:
        TypeError, ValueError: with what a schedule returned.
    """
    if not is_number(factor):
        raise TypeError(f"it returned a {kind_of(factor)}; a number is expected")
    if not 0 <= factor < math.inf:
        raise ValueError(f"it returned {factor}; a finite number of at least 0 is expected")

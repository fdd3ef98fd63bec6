"""Helpers of the checks: stating a law, making updates, and comparing arrays and states."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from io import BytesIO

import numpy as np
import numpy.typing as npt

from fedcli.core.rounds import ClientUpdate
from fedcli.core.seeds import SERVER, generator
from fedcli.core.trees import from_table, to_table
from fedcli.core.types import Array, Tree


def law(holds: object, said: str) -> None:
    """Check a law.

    Args:
        holds: truthy if the law holds.
        said: the law, and how it fails.

    Raises:
        AssertionError: with `said`, if the law does not hold.
    """
    # No `assert` statement: python -O would skip it.
    if not holds:
        raise AssertionError(said)


def noise(number: int, *shape: int) -> npt.NDArray[np.float32]:
    """Standard normal values that depend on the number only, shape [*shape]."""
    return generator(number, 0, SERVER, "laws").standard_normal(shape).astype(np.float32)


def updates_of(
    rows: Iterable[Array], weights: Sequence[float] | None = None, clients: Sequence[int] | None = None
) -> list[ClientUpdate]:
    """The updates of a round from their payloads; by default clients have weight 1 and are numbered from 0."""
    vectors = [np.asarray(row, np.float32) for row in rows]
    weights = [1.0] * len(vectors) if weights is None else weights
    clients = range(len(vectors)) if clients is None else clients
    return [
        ClientUpdate(client, vector, float(weight), 1, np.zeros(0, np.float32), {}, {}, vector.nbytes, 0.0)
        for client, vector, weight in zip(clients, vectors, weights, strict=True)
    ]


def written_and_read(state: Tree, whose: str) -> Tree:
    """The state as a checkpoint returns it: arrays from a file that is read without pickle."""
    table = {}
    for path, array in to_table(state).items():
        law(
            not array.dtype.hasobject,
            f"{whose}: its state can be written without pickle, but {path} is an object.",
        )
        file = BytesIO()
        np.save(file, array, allow_pickle=False)
        file.seek(0)
        table[path] = np.load(file, allow_pickle=False)
    return from_table(table)


def same_state(one: Tree, other: Tree) -> bool:
    """Whether two states have the same leaves, to the bit."""
    first, second = to_table(one), to_table(other)
    return first.keys() == second.keys() and all(same_bits(first[path], second[path]) for path in first)


def same_bits(one: Array, other: Array) -> bool:
    """Whether two arrays have the same type, shape and bits."""
    # By bytes, because NaN does not equal itself, and -0.0 equals 0.0.
    return (one.dtype, one.shape, one.tobytes()) == (other.dtype, other.shape, other.tobytes())


def is_vector(value: object, size: int) -> bool:
    """Whether a value is a finite float32 vector of shape [size]."""
    return (
        isinstance(value, np.ndarray)
        and value.dtype == np.float32
        and value.shape == (size,)
        and bool(np.isfinite(value).all())
    )


def described(value: object) -> str:
    """Type and shape of a value for a message, and whether it has values that are not finite."""
    array = np.asarray(value)
    bad = array.dtype.kind == "f" and not np.isfinite(array).all()
    return f"{array.dtype} {list(array.shape)}{' with NaN or infinity' if bad else ''}"

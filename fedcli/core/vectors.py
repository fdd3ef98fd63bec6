"""Conversions between a model's named arrays and one flat vector, and norms of vectors."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

Integers = npt.NDArray[np.int64]

PIECE = 65_536
"""Values of a long vector that are worked on at a time: they and what is calculated of them fit into the cache."""

ALIGNMENT = 64
"""Bytes of which the address of a tensor is a multiple: a register of the widest vector instructions."""


class Layout(NamedTuple):
    """Names and shapes of the arrays in a flat vector, in order."""

    names: tuple[str, ...]
    shapes: tuple[tuple[int, ...], ...]

    @property
    def sizes(self) -> tuple[int, ...]:
        """Number of values of each array."""
        return tuple(math.prod(shape) for shape in self.shapes)

    @property
    def size(self) -> int:
        """Number of values of all arrays together."""
        return sum(self.sizes)


def flatten(arrays: Sequence[npt.NDArray[Any]]) -> npt.NDArray[np.float32]:
    """Concatenate `arrays` in C order into one float32 vector of shape [P]."""
    # NumPy cannot concatenate nothing, and a model without such weights has an empty vector.
    if not arrays:
        return np.zeros(0, np.float32)
    pieces = [np.asarray(array, np.float32).ravel() for array in arrays]
    return np.concatenate(pieces, out=empty_vector(sum(piece.size for piece in pieces)))


def empty_vector(size: int) -> npt.NDArray[np.float32]:
    """A new float32 vector of shape [P] at an address from which TensorFlow reads it without copying it."""
    buffer = np.empty(4 * size + ALIGNMENT, np.uint8)
    first = -buffer.ctypes.data % ALIGNMENT
    return buffer[first : first + 4 * size].view(np.float32)


def in_pieces(
    step: Callable[..., Sequence[npt.NDArray[Any]]], *vectors: npt.NDArray[Any]
) -> list[npt.NDArray[np.float32]]:
    """What a step makes of vectors, rounded to float32. What it calculates in float64 takes no copy of a large model.

    Args:
        step: pieces of the vectors -> pieces of the results, value by value.
        vectors: of one shape [P].
    """
    results: list[npt.NDArray[np.float32]] = []

    def put(first: int, made: Sequence[npt.NDArray[Any]]) -> None:
        if not results:
            results.extend(empty_vector(vectors[0].size) for _ in made)
        for whole, part in zip(results, made, strict=True):
            whole[first : first + PIECE] = part

    for first in range(0, vectors[0].size, PIECE) or [0]:
        # In a function, so that a piece is freed before the next one is made.
        put(first, step(*(vector[first : first + PIECE] for vector in vectors)))
    return results


def unflatten(vector: npt.NDArray[np.float32], layout: Layout) -> dict[str, npt.NDArray[np.float32]]:
    """The named arrays of `vector`, as views. The inverse of `flatten`.

    Raises:
        ValueError: if the vector does not have the layout's size.
    """
    if vector.shape != (layout.size,):
        raise ValueError(f"a vector of shape {vector.shape} does not fit a layout of {layout.size} values")
    # np.split without cuts returns one piece, even for an empty layout.
    pieces = np.split(vector, np.cumsum(layout.sizes)[:-1]) if layout.names else []
    return {
        name: piece.reshape(shape)
        for name, piece, shape in zip(layout.names, pieces, layout.shapes, strict=True)
    }


def gather(arrays: Mapping[str, npt.NDArray[Any]], layout: Layout) -> npt.NDArray[np.float32]:
    """The flat vector of the named arrays, in the layout's order."""
    return flatten([arrays[name] for name in layout.names])


def is_finite(vector: npt.NDArray[Any]) -> bool:
    """Whether a vector has no NaN and no infinity; integers have neither."""
    if vector.dtype.kind not in "fc":
        return True
    # A finite sum proves finite terms, and is cheaper than looking at each; the converse does not hold.
    with np.errstate(over="ignore", invalid="ignore"):
        return bool(np.isfinite(vector.sum())) or bool(np.isfinite(vector).all())


def largest_value(vector: npt.NDArray[Any]) -> float:
    """The largest absolute value of a vector, without a copy of it; 0 of an empty one."""
    return max(float(vector.max(initial=0)), -float(vector.min(initial=0)))


def digest(vector: npt.NDArray[Any]) -> bytes:
    """SHA-256 of a vector's values in their type, little-endian on every machine, 32 bytes."""
    # In one byte order, because a digest must be the same on the machine that verifies it.
    return hashlib.sha256(np.ascontiguousarray(vector, vector.dtype.newbyteorder("<")).data).digest()


def exact_squared_norm(vector: Integers) -> int:
    """Exact sum of squares of an integer vector with any values."""
    # As Python integers, because the negative of the smallest int64 does not fit into int64.
    largest = max(abs(int(end)) for end in (vector.min(initial=0), vector.max(initial=0)))
    # Only as many squares at a time as fit into 63 bits. Values of more than 31 bits occur only in dishonest updates.
    length = min(PIECE, 2**63 // (largest**2 + 1))
    if length < 1:
        return sum(int(value) ** 2 for value in vector.ravel())
    pieces = range(0, vector.size, length)
    return sum(int(np.square(vector[i : i + length]).sum()) for i in pieces)


def squared_norm(vector: npt.NDArray[Any]) -> float:
    """Sum of squares in float64, in pieces that fit into the cache; the same bits on any number of cores.

    BLAS is avoided, because its dot product splits long vectors over threads, so that its bits depend on their number.
    """
    pieces = range(0, vector.size, PIECE)
    return math.fsum(float(np.square(vector[i : i + PIECE], dtype=np.float64).sum()) for i in pieces)

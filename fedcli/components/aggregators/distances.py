"""Distances between the updates of a round, without an array of n x n x P values.

Sums run in float64 over blocks of columns in a fixed order. BLAS is avoided: it splits a product over the cores,
so that its bits may depend on their number. `einsum` does not.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from fedcli.core.types import Array, Vector

Float64s: TypeAlias = npt.NDArray[np.float64]

COLUMNS = 4096
"""Columns of a block: 1.6 MB for 100 clients, which fits into the cache."""


def gram(blocks: Iterable[Float64s], num_rows: int) -> Float64s:
    """The matrix product X X^T, shape [n, n], of a matrix X that comes in blocks of columns, each [n, columns]."""
    upper = np.zeros((num_rows, num_rows))
    for block in blocks:
        # A product with itself is symmetric: row by row, half of it is enough.
        for row in range(num_rows):
            upper[row, row:] += np.einsum("k,jk->j", block[row], block[row:])
    return np.asarray(np.triu(upper) + np.triu(upper, 1).T)


def row_blocks(vectors: Sequence[Vector]) -> Iterator[Float64s]:
    """The matrix whose rows are the vectors [P], in blocks of columns, each [n, columns] and float64."""
    for start in range(0, vectors[0].size, COLUMNS):
        # One block at a time is float64; the whole matrix would take twice the memory of the updates.
        yield np.stack([vector[start : start + COLUMNS] for vector in vectors]).astype(np.float64)


def squared_distances(vectors: Sequence[Vector]) -> Float64s:
    """||x_i - x_j||^2 = <x_i, x_i> + <x_j, x_j> - 2 <x_i, x_j>, shape [n, n], through one matrix product.

    Every dot product is summed in the same order, so the distance of equal updates is exactly 0. The error is
    about 1e-16 of the squared norms: a huge update makes only its own distances inexact.
    """
    products = gram(row_blocks(vectors), len(vectors))
    squares = np.diag(products)
    # Rounding could make the distance of nearly equal updates negative.
    return np.asarray(np.maximum(squares[:, None] + squares[None, :] - 2 * products, 0.0))


def distance(vector: Vector, point: Array) -> float:
    """||vector - point||, of two vectors of shape [P], in pieces that fit into the cache."""
    squares = []
    for start in range(0, vector.size, 16 * COLUMNS):
        piece = slice(start, start + 16 * COLUMNS)
        difference = np.subtract(vector[piece], point[piece], dtype=np.float64)
        squares.append(float(np.square(difference, out=difference).sum()))
    return math.sqrt(math.fsum(squares))

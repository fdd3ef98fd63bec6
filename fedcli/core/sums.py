"""Sums over clients with the same bits on every executor."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from fedcli.core.trees import to_table
from fedcli.core.types import Tree
from fedcli.core.vectors import PIECE

BLOCK = 16
"""Clients in a block. A worker of a cluster has whole blocks, so that the order of a sum is the same everywhere."""


class AddedUpdate(NamedTuple):
    """What a worker says of an update whose payload it has checked, and added to those of its block.

    Args:
        refused: why it is not in the sum; None if it is.
        total: the weighted sum of the block, shape [P], on the first update that is in it; None on the others.
        largest: the largest absolute value of the payload, if it is in the sum.
        diverged: whether the payload had NaN or infinite values.
    """

    refused: str | None = None
    total: npt.NDArray[Any] | None = None
    largest: float = 0.0
    diverged: bool = False


def mean_of(total: npt.NDArray[Any], divisor: float, kept: Tree | None) -> npt.NDArray[Any]:
    """A total divided by a number, shape [P]; in the memory of the total, if that is nobody's any more.

    Args:
        total: a sum in float64, or the result of another rule, shape [P].
        divisor: not 0.
        kept: states that may refer to the total; None if anything may.
    """
    is_free = kept is not None and total.dtype == np.float64 and total.flags.writeable
    if not is_free or any(np.may_share_memory(total, leaf) for leaf in to_table(kept or {}).values()):
        return np.asarray(total / divisor)
    # A mean beside the sum would be another two copies of the model.
    total /= divisor
    return total


class IntegerSum:
    """Exact sum of integer vectors of shape [P], the same in any order. The plan excludes an overflow."""

    def __init__(self, size: int) -> None:
        self._total = np.zeros(size, np.int64)

    def add(self, vector: npt.NDArray[np.int64]) -> None:
        """Add a vector of shape [P]."""
        # Not in blocks: integer addition is exact, so that no order has to be kept.
        self._total += vector

    def result(self) -> npt.NDArray[np.int64]:
        """The sum of all added vectors, shape [P]."""
        return self._total


class BlockSum:
    """Weighted sum of vectors in float64: within blocks of 16 in the order of `add`, then over the blocks.

    Holds one float64 vector for up to 16 summands, and two for more.
    """

    def __init__(self, size: int) -> None:
        self._block = np.zeros(size, np.float64)
        # The first block, until it is closed, is the total: no block has a -0.0 that adding it to 0.0 would change.
        self._total = self._block
        self._count = 0
        self._number: int | None = None

    def add(self, vector: npt.NDArray[Any], weight: float = 1.0, *, block: int | None = None) -> None:
        """Add `weight * vector`; the vector has shape [P].

        Args:
            vector: shape [P].
            weight: its factor.
            block: the number of its block, which does not depend on who else was refused; None for blocks of 16
                calls.
        """
        is_new = self._count % BLOCK == 0 if block is None else block != self._number
        if self._count and is_new:
            self._next_block()
        self._number = block
        if weight == 1.0:
            # For mixed types NumPy converts pieces of 8192 values, which fit into the cache: no float64 copy is made.
            np.add(self._block, vector, out=self._block)
        else:
            self._add_products(vector, weight)
        self._count += 1

    def result(self) -> npt.NDArray[np.float64]:
        """The sum of all added vectors, shape [P]. Nothing can be added afterwards."""
        if self._block is not self._total:
            self._total += self._block
            self._block = self._total
        return self._total

    def _add_products(self, vector: npt.NDArray[Any], weight: float) -> None:
        # In pieces, because the products of a large model would be another two copies of it.
        products = np.empty(min(self._block.size, PIECE), np.float64)
        for first in range(0, self._block.size, PIECE):
            block = self._block[first : first + PIECE]
            piece = products[: block.size]
            block += np.multiply(vector[first : first + PIECE], weight, out=piece, dtype=np.float64)

    def _next_block(self) -> None:
        if self._block is self._total:
            self._block = np.zeros_like(self._total)
        else:
            self._total += self._block
            # In place, because a new vector of a large model's size would be allocated for each block.
            self._block.fill(0.0)

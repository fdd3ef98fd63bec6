"""Sums over clients with the same bits on every executor."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

BLOCK = 16
"""Clients in a block. A worker of a cluster has whole blocks, so that the order of a sum is the same everywhere."""


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

    Holds two float64 vectors, whatever the number of summands.
    """

    def __init__(self, size: int) -> None:
        self._total = np.zeros(size, np.float64)
        self._block = np.zeros(size, np.float64)
        self._count = 0

    def add(self, vector: npt.NDArray[Any], weight: float = 1.0) -> None:
        """Add `weight * vector`; the vector has shape [P]."""
        # For mixed types NumPy converts pieces of 8192 values, which fit into the cache: no float64 copy is made.
        if weight == 1.0:
            np.add(self._block, vector, out=self._block)
        else:
            self._block += np.multiply(vector, weight, dtype=np.float64)
        self._count += 1
        if self._count % BLOCK == 0:
            self._close_block()

    def result(self) -> npt.NDArray[np.float64]:
        """The sum of all added vectors, shape [P]. Nothing can be added afterwards."""
        if self._count % BLOCK:
            self._close_block()
        return self._total

    def _close_block(self) -> None:
        self._total += self._block
        # In place, because a new vector of a large model's size would be allocated for each block.
        self._block.fill(0.0)

"""Mean and standard deviation of the honest updates in every coordinate."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from fedcli.components.aggregators.distances import COLUMNS, Float64s, row_blocks
from fedcli.core.types import Vector


def mean_and_std(vectors: Sequence[Vector]) -> tuple[Float64s, Float64s]:
    """Mean and standard deviation (divided by n, as in the papers' code) of n vectors, both of shape [P]."""
    # Block by block, because float64 copies of all updates would take twice their memory.
    mean, std = np.empty(vectors[0].size), np.empty(vectors[0].size)
    for number, block in enumerate(row_blocks(vectors)):
        columns = slice(number * COLUMNS, (number + 1) * COLUMNS)
        mean[columns], std[columns] = block.mean(axis=0), block.std(axis=0)
    return mean, std

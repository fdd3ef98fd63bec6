"""Updates of their largest coordinates."""

from __future__ import annotations

import numpy as np

from fedcli.components.transforms.sparsify import VALUE_BYTES, Indices, sparsify
from fedcli.core.factories import component
from fedcli.core.rounds import ClientUpdate, RoundContext
from fedcli.core.transform import Transform
from fedcli.core.types import Vector

_INDEX_BYTES = 4


@component
def top_k(*, fraction: float = 0.01, error_feedback: bool = True) -> Transform:
    """Only the coordinates of largest magnitude are sent, each as its value and its place.

    Args:
        fraction: share of the coordinates, in (0, 1]; at least one is sent.
        error_feedback: add what was left out to the client's next update.

    Reference: Aji and Heafield 2017, arXiv:1704.05021; error feedback: Karimireddy et al. 2019, arXiv:1901.09847.
    """

    def largest(vector: Vector, count: int, _update: ClientUpdate, _context: RoundContext) -> Indices:
        if count == vector.size:
            return np.arange(count, dtype=np.int64)
        # A partition, since only which ones are largest matters, and a sort of a whole model is slow.
        return np.argpartition(np.abs(vector), vector.size - count)[vector.size - count :]

    def size(count: int, total: int) -> int:
        # The places as a list or as one bit a coordinate, whichever is shorter.
        return count * VALUE_BYTES + min(count * _INDEX_BYTES, -(-total // 8))

    return sparsify("top_k", largest, size, fraction, error_feedback)

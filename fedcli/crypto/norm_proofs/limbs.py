"""Blindings as small integers that are appended to a vector and summed with it.

The sum of the vectors then carries the blindings that open the sum of the commitments, under encryption too.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from fedcli.crypto.norm_proofs.curve import ORDER, SCALAR_BYTES
from fedcli.crypto.norm_proofs.generators import layout

Integers = npt.NDArray[np.int64]

LIMB_BITS: Final = 16
LARGEST_LIMB: Final = (1 << LIMB_BITS) - 1
_LIMBS: Final = 8 * SCALAR_BYTES // LIMB_BITS


def num_limbs(size: int) -> int:
    """Number of integers that hold the blindings of a vector of `size` integers: 16 for each row."""
    return _LIMBS * layout(size).rows


def size_before(total: int) -> int:
    """Size of the vector that has `total` integers together with its limbs: the inverse of size + num_limbs(size)."""
    # size + num_limbs(size) grows with the size, so a binary search finds it.
    return bisect_left(range(total + 1), total, lo=1, key=lambda size: size + num_limbs(size))


def to_limbs(blindings: Sequence[int]) -> Integers:
    """Each blinding as 16 integers of 16 bits, the lowest first, shape [16 * rows]."""
    encoded = b"".join(blinding.to_bytes(SCALAR_BYTES, "little") for blinding in blindings)
    return np.frombuffer(encoded, "<u2").astype(np.int64)


def from_limbs(limbs: Integers) -> tuple[int, ...]:
    """The blindings modulo the order of the group, from their limbs or from sums of limbs."""
    # Sums of limbs exceed 16 bits; Python's integers carry them over.
    rows = limbs.reshape(-1, _LIMBS).tolist()
    return tuple(sum(limb << (LIMB_BITS * place) for place, limb in enumerate(row)) % ORDER for row in rows)

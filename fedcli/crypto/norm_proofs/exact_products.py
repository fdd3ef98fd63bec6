"""Exact products of integer matrices with vectors of group scalars, computed as float64 matrix products.

float64 products are many times faster than Python's integers, and exact as long as every partial sum stays below 2^53.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from fedcli.crypto.norm_proofs.curve import ORDER, SCALAR_BYTES

Integers = npt.NDArray[np.int64]
Bits = npt.NDArray[np.uint8]

EXACT = 1 << 53  # float64 represents every integer up to here
_LIMB_BITS = 16
_LIMBS = SCALAR_BYTES * 8 // _LIMB_BITS
_LARGEST_LIMB = (1 << _LIMB_BITS) - 1


def times(matrix: Integers | Bits, vectors: Sequence[Sequence[int]]) -> list[list[int]]:
    """matrix @ vector modulo the order, for each vector.

    Scalars are split into limbs of 16 bits, and the matrix into digits of 16 bits if the sums of its rows would not
    fit. So every partial sum is an integer below 2^53, and nothing is rounded in any order of summation.

    Args:
        matrix: integers, shape [r, c], c < 2^20.
        vectors: scalars in [0, order), each of length c.

    Returns:
        Lists of r scalars in [0, order), one for each vector.

    Raises:
        ValueError: if a vector's length is not c, or c is too large.
    """
    rows, columns = matrix.shape
    if any(len(vector) != columns for vector in vectors) or columns >= 1 << 20:
        raise ValueError(
            f"a matrix of shape {matrix.shape} and vectors of {[len(v) for v in vectors]} scalars."
        )
    if not vectors or not rows:
        return [[] for _ in vectors]
    # Shape [c, 16 vectors], the lowest bits first: one matrix product for all limbs of all vectors.
    limbs = np.concatenate(
        [
            np.frombuffer(b"".join(scalar.to_bytes(SCALAR_BYTES, "little") for scalar in vector), "<u2")
            .reshape(columns, _LIMBS)
            .astype(np.float64)
            for vector in vectors
        ],
        axis=1,
    )
    digits = _digits(matrix.astype(np.int64))
    sums = np.zeros((rows, len(vectors), _LIMBS + len(digits) - 1), np.int64)
    for place, digit in enumerate(digits):
        part = (digit.astype(np.float64) @ limbs).astype(np.int64)
        sums[:, :, place : place + _LIMBS] += part.reshape(rows, len(vectors), _LIMBS)
    return [_reduced(sums[:, index]) for index in range(len(vectors))]


def _digits(matrix: Integers) -> list[Integers]:
    """The matrix itself if the sums of its rows are small enough, else digits to the base 2^16, the lowest first."""
    # In float64, because sums of int64 might overflow; the factor 2 covers its rounding.
    if float(np.abs(matrix.astype(np.float64)).sum(axis=1).max()) * _LARGEST_LIMB < EXACT / 2:
        return [matrix]
    return [matrix & _LARGEST_LIMB, *_digits(matrix >> _LIMB_BITS)]


def _reduced(sums: Integers) -> list[int]:
    """sum_l sums[:, l] 2^(16 l) modulo the order, shape [r, l] -> [r]."""
    # Carries are moved up first, so that Python's integers are made from bytes, once a row.
    places = sums.shape[1]
    words = np.empty(sums.shape, "<u2")
    carry = np.zeros(len(sums), np.int64)
    for place in range(places):
        carry = carry + sums[:, place]
        words[:, place] = carry & _LARGEST_LIMB
        carry >>= _LIMB_BITS
    top = places * _LIMB_BITS
    pairs = zip(words, carry.tolist(), strict=True)
    return [(int.from_bytes(low.tobytes(), "little") + (high << top)) % ORDER for low, high in pairs]


def dot(left: Sequence[int], right: Sequence[int]) -> int:
    """Inner product modulo the order."""
    return sum(a * b for a, b in zip(left, right, strict=True)) % ORDER


def powers(base: int, first: int, count: int) -> list[int]:
    """base^first, ..., base^(first + count - 1) modulo the order; `first` may be negative."""
    value = pow(base, first, ORDER)
    result = []
    for _ in range(count):
        result.append(value)
        value = value * base % ORDER
    return result

"""Sums of the same points with many rows of integers: what a commitment is made of, in additions of the library's."""

from __future__ import annotations

from collections.abc import Sequence
from operator import add, sub
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt

from fedcli.crypto.norm_proofs.curve import Point, combination, identity

Integers = npt.NDArray[np.int64]

_BLOCK: Final = 11
_SAMPLE: Final = 1 << 14
_ORDINARY: Final = 0.98  # share of the entries that the common digits hold; the others cost one addition more


class SubsetSums(NamedTuple):
    """Sums of all subsets of each block of points."""

    num_points: int
    blocks: tuple[list[Point], ...]


class _Digits(NamedTuple):
    """Integers from 0 to below 2^bits, shape [rows, columns], in the smallest type that holds them."""

    values: npt.NDArray[Any]
    bits: int


def subset_sums(points: Sequence[Point]) -> SubsetSums:
    """The table for `many_sums`: for each 11 points all sums of some of them; 186 additions and 32 kB a point."""
    blocks = [points[start : start + _BLOCK] for start in range(0, len(points), _BLOCK)]
    return SubsetSums(len(points), tuple(_all_sums(block) for block in blocks))


def _all_sums(points: Sequence[Point]) -> list[Point]:
    """Bit j of the index says whether point j is in the sum."""
    sums = [identity()]
    for point in points:
        sums += [other + point for other in sums]
    return sums


def many_sums(table: SubsetSums, matrix: Integers) -> list[Point]:
    """matrix @ points: for each row the sum of entry times point.

    One bit of 11 entries of a row takes one addition: bits / 11 additions an entry. Those of the neutral point, where
    all the bits are 0, cost next to nothing.

    Args:
        table: `subset_sums` of the points, of which there are n.
        matrix: integers of magnitude below 2^62, shape [r, n].

    Raises:
        ValueError: if there are not as many points as columns.

    Reference: Arlazarov, Dinic, Kronrod and Faradzev 1970 (the method of the four Russians), on integers bit by bit.
    """
    if matrix.shape[1] != table.num_points:
        raise ValueError(f"{table.num_points} points and a matrix of shape {matrix.shape}.")
    negative = matrix.min(axis=1) < 0
    common = _common_bits(matrix, signed=bool(negative.any()))
    # A negative number has no short binary digits: rows that have some are shifted first, and shifted back at last.
    offset = 1 << common >> 1
    low, larger, smaller = _split(matrix + np.where(negative, offset, 0)[:, np.newaxis], common)
    above, below = _weighted(table, larger), _weighted(table, smaller)
    total = _weighted(table, low, highest=list(map(sub, above, below)))
    shift = combination([block[-1] for block in table.blocks], [offset] * len(table.blocks))
    return [point - shift if moved else point for point, moved in zip(total, negative, strict=True)]


def _common_bits(matrix: Integers, *, signed: bool) -> int:
    """Bits in which most of the entries fit; none where most of them are 0. It changes the time only."""
    entries = matrix.reshape(-1)
    sample = np.sort(np.abs(entries[:: 1 + entries.size // _SAMPLE]))
    ordinary = int(sample[int(_ORDINARY * (sample.size - 1))])
    return ordinary.bit_length() + signed if ordinary else 0


def _split(matrix: Integers, bits: int) -> tuple[_Digits, _Digits, _Digits]:
    """low, larger, smaller: the matrix is low + (larger - smaller) 2^bits."""
    rest = matrix >> bits
    larger, smaller = (np.maximum(part, 0) for part in (rest, -rest))
    return (
        _digits(matrix & ((1 << bits) - 1), bits),
        _digits(larger, int(larger.max()).bit_length()),
        _digits(smaller, int(smaller.max()).bit_length()),
    )


def _digits(values: Integers, bits: int) -> _Digits:
    return _Digits(values.astype(np.min_scalar_type((1 << bits) - 1)), bits)


def _sums_of_bits(table: SubsetSums, digits: _Digits) -> list[list[Point]]:
    """The sum of the points whose digit has a bit set, by bit and row."""
    rows = len(digits.values)
    sums = [identity()] * (rows * digits.bits)
    for index, block in enumerate(table.blocks):
        chosen = _by_bit(digits.values[:, index * _BLOCK : (index + 1) * _BLOCK], digits.bits)
        sums = list(map(add, sums, map(block.__getitem__, chosen)))
    return [sums[start : start + rows] for start in range(0, len(sums), rows)]


def _by_bit(values: npt.NDArray[Any], bits: int) -> list[int]:
    """For each bit, and for each row, a number made of that bit of its entries: shape [r, k] -> [bits * r], k <= 11."""
    shifts = np.arange(bits, dtype=values.dtype)[:, np.newaxis]
    numbers = np.zeros((bits, len(values)), np.uint16)
    for place, column in enumerate(np.ascontiguousarray(values.T)):
        numbers |= (column >> shifts & 1).astype(np.uint16) << place
    chosen: list[int] = numbers.reshape(-1).tolist()
    return chosen


def _weighted(table: SubsetSums, digits: _Digits, highest: list[Point] | None = None) -> list[Point]:
    """Digits times points, for each row, and `highest` times 2^bits."""
    total = highest or [identity()] * len(digits.values)
    for plane in reversed(_sums_of_bits(table, digits)):
        total = list(map(add, map(add, total, total), plane))
    return total

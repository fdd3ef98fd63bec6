"""Products of one list of points with many rows of integers, by additions of points.

Committing is the only step of a prover whose number of point additions grows with the length of the vector. With a
table of sums it is twice as fast as with a multi-scalar multiplication for each row.
"""

from __future__ import annotations

from collections.abc import Sequence
from operator import add, sub
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from fedcli.crypto.norm_proofs.curve import Point, combination, identity

Integers = npt.NDArray[np.int64]

_BLOCK: Final = 11  # points whose subset sums are in the table
_SAMPLE: Final = 1 << 14
_ORDINARY: Final = 0.98  # share of the entries that the common bits hold; the others cost one more addition


class SubsetSums(NamedTuple):
    """The sums of all subsets of each block of points."""

    num_points: int
    blocks: tuple[list[Point], ...]


def subset_sums(points: Sequence[Point]) -> SubsetSums:
    """The table for `many_sums`: all subset sums of each 11 points; 186 additions and 32 kB for each point."""
    blocks = []
    for start in range(0, len(points), _BLOCK):
        # Bit j of the index says whether point j of the block is in the sum.
        sums = [identity()]
        for point in points[start : start + _BLOCK]:
            sums += [other + point for other in sums]
        blocks.append(sums)
    return SubsetSums(len(points), tuple(blocks))


def many_sums(table: SubsetSums, matrix: Integers) -> list[Point]:
    """matrix @ points: for each row the sum of entry times point.

    One bit of 11 entries of a row takes one addition, so an entry takes bits / 11 additions. Where all 11 bits are 0
    the neutral point is added, which costs next to nothing.

    Args:
        table: `subset_sums` of n points.
        matrix: integers of magnitude below 2^62, shape [r, n].

    Returns:
        One point for each row.

    Raises:
        ValueError: if the numbers of points and columns differ.

    Reference: Arlazarov, Dinic, Kronrod and Faradzev 1970 (the method of the four Russians), applied bit by bit.
    """
    if matrix.shape[1] != table.num_points:
        raise ValueError(f"{table.num_points} points and a matrix of shape {matrix.shape}.")
    negative = matrix.min(axis=1) < 0
    # Bits in which most entries fit; none where most entries are 0. A sample will do: it changes the time only.
    entries = matrix.reshape(-1)
    sample = np.sort(np.abs(entries[:: 1 + entries.size // _SAMPLE]))
    ordinary = int(sample[int(_ORDINARY * (sample.size - 1))])
    common = ordinary.bit_length() + bool(negative.any()) if ordinary else 0
    # Negative numbers have no short binary form: rows with some are shifted up here, and shifted back at the end.
    offset = 1 << common >> 1
    shifted = matrix + np.where(negative, offset, 0)[:, np.newaxis]
    # shifted = low + (larger - smaller) 2^common, so that a few large entries cost only their own bits.
    high = shifted >> common
    larger, smaller = (
        _weighted(table, part, int(part.max()).bit_length())
        for part in (np.maximum(high, 0), np.maximum(-high, 0))
    )
    total = _weighted(table, shifted & ((1 << common) - 1), common, highest=list(map(sub, larger, smaller)))
    shift = combination([block[-1] for block in table.blocks], [offset] * len(table.blocks))
    return [point - shift if moved else point for point, moved in zip(total, negative, strict=True)]


def _weighted(
    table: SubsetSums, values: Integers, bits: int, highest: list[Point] | None = None
) -> list[Point]:
    """values @ points, plus `highest` times 2^bits, for each row; values lie in [0, 2^bits), shape [r, n]."""
    rows = len(values)
    # The smallest type that holds the values: shifting them bit by bit is then fastest.
    digits = values.astype(np.min_scalar_type((1 << bits) - 1))
    shifts = np.arange(bits, dtype=digits.dtype)[:, np.newaxis]
    sums = [identity()] * (rows * bits)
    for index, block in enumerate(table.blocks):
        # For each bit and row: that bit of up to 11 entries as one number, the index of their sum in the table.
        numbers = np.zeros((bits, rows), np.uint16)
        columns = digits[:, index * _BLOCK : (index + 1) * _BLOCK]
        for place, column in enumerate(np.ascontiguousarray(columns.T)):
            numbers |= (column >> shifts & 1).astype(np.uint16) << place
        chosen: list[int] = numbers.reshape(-1).tolist()
        sums = list(map(add, sums, map(block.__getitem__, chosen)))
    # Horner's scheme, from the highest bit down.
    total = highest or [identity()] * rows
    for bit in reversed(range(bits)):
        total = list(map(add, map(add, total, total), sums[bit * rows : (bit + 1) * rows]))
    return total

"""Pedersen commitments to vectors of integers: commit, add and open."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from functools import lru_cache
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from fedcli.core.concealment import concealed
from fedcli.core.errors import ConfigError
from fedcli.crypto.norm_proofs.curve import (
    ORDER,
    Draw,
    Points,
    ProofError,
    combination,
    decode_points,
    encode_points,
    identity,
)
from fedcli.crypto.norm_proofs.exact_products import times
from fedcli.crypto.norm_proofs.generators import generators, layout
from fedcli.crypto.norm_proofs.many_sums import SubsetSums, many_sums, subset_sums

Integers = npt.NDArray[np.int64]

_CHECK_BITS: Final = 128  # of a random factor


Commitment = Points
"""One point for each row, and the bytes of the points."""


class Opening(NamedTuple):
    """The secret of a commitment: the vector, int64 of shape [size], and one blinding for each row."""

    vector: Integers
    blindings: tuple[int, ...]

    def __repr__(self) -> str:
        return concealed(self, integers=self.vector.size, blindings=len(self.blindings))


def in_rows(vector: Integers) -> Integers:
    """The vector as a matrix, shape [rows, columns]; padded with zeros."""
    shape = layout(vector.size)
    padded = np.zeros(shape.rows * shape.columns, np.int64)
    padded[: vector.size] = vector
    return padded.reshape(shape.rows, shape.columns)


def commit(vector: Integers, draw: Draw = secrets.randbelow) -> tuple[Commitment, Opening]:
    """Commit to a vector of integers: C_i = <U_i, G> + rho_i H for each row.

    Perfectly hiding; binding under the discrete-logarithm assumption; the sum of commitments commits to the sum.

    Args:
        vector: int64 of magnitude below 2^62, shape [size].
        draw: `bound` -> a uniform integer in [0, bound). Predictable draws, as in tests, hide nothing.

    Returns:
        The commitment, and the opening, which must stay secret.

    Raises:
        ConfigError: if the library is missing, or the vector is not int64 or too large in magnitude.

    Reference: Pedersen 1991, Non-interactive and information-theoretic secure verifiable secret sharing.
    """
    _require_integers(vector)
    points = generators(layout(vector.size).columns)
    rows = in_rows(vector)
    blindings = tuple(draw(ORDER) for _ in rows)
    sums = many_sums(column_sums(rows.shape[1]), rows)
    committed = [total + points.times_blinding(rho) for total, rho in zip(sums, blindings, strict=True)]
    return encode_points(committed), Opening(vector.copy(), blindings)


@lru_cache(maxsize=2)
def column_sums(columns: int) -> SubsetSums:
    """The table of sums for commitments with that many columns: 40 MB and a quarter of a second for 1,300 columns."""
    # Kept between commitments, because all vectors of one size share it.
    return subset_sums(generators(columns).columns)


def _require_integers(vector: Integers) -> None:
    if vector.ndim != 1 or vector.dtype != np.int64:
        raise ConfigError(f"a vector of int64 is expected; received {vector.dtype} of shape {vector.shape}.")
    if vector.size and (int(vector.max()) >= 1 << 62 or int(vector.min()) <= -(1 << 62)):
        raise ConfigError("a vector's entries must have a magnitude below 2^62; received larger ones.")


def read_commitment(data: bytes, size: int) -> Commitment:
    """A commitment to a vector of `size` integers, from its bytes.

    Raises:
        ProofError: if the length is wrong, a point is invalid, or an encoding is not canonical.
    """
    expected = layout(size).encoded_bytes
    if len(data) != expected:
        raise ProofError(f"a commitment to {size} integers has {expected} bytes; received {len(data)}.")
    return decode_points(data, name="commitment")


def add(commitments: Sequence[Commitment], weights: Sequence[int] | None = None) -> Commitment:
    """The commitment to the sum of the vectors, each times its integer weight (1 if none are given).

    Raises:
        ProofError: if there is no commitment, their lengths differ, or there is not one weight for each.
    """
    if len({len(commitment.points) for commitment in commitments}) != 1:
        raise ProofError(
            f"at least one commitment is needed, and all of equal length; received {len(commitments)}."
        )
    if weights is not None and len(weights) != len(commitments):
        raise ProofError(f"{len(commitments)} commitments and {len(weights)} weights.")
    columns = zip(*(commitment.points for commitment in commitments), strict=True)
    if weights is None:
        return encode_points(sum(column, identity()) for column in columns)
    return encode_points(combination(column, weights) for column in columns)


def check_opening(commitment: Commitment, opening: Opening) -> None:
    """Check an opening by one multi-scalar multiplication of O(sqrt size) points.

    All rows are checked together with secret random factors; a false opening passes with probability 2^-128.

    Raises:
        ProofError: if the opening does not match, lengths differ, a blinding is not in [0, order), or the vector is not
            int64 of magnitude below 2^62.
    """
    try:
        _require_integers(opening.vector)
    except ConfigError as error:
        # The vector came from another party, not from this run's configuration.
        raise ProofError(error.message) from error
    shape = layout(opening.vector.size)
    if not len(commitment.points) == len(opening.blindings) == shape.rows:
        raise ProofError(
            f"{shape.size} integers have {shape.rows} rows; received {len(commitment.points)} committed rows and "
            f"{len(opening.blindings)} blindings."
        )
    # blinding + order opens the same points, but an opening has only one form.
    for index, blinding in enumerate(opening.blindings):
        if not 0 <= blinding < ORDER:
            raise ProofError(f"blinding {index} is not below the order of the group.")
    points = generators(shape.columns)
    factors = [1 + secrets.randbits(_CHECK_BITS) for _ in range(shape.rows)]
    (columns,) = times(in_rows(opening.vector).T, [factors])
    total = sum(factor * rho for factor, rho in zip(factors, opening.blindings, strict=True))
    bases = [*commitment.points, *points.columns, points.blinding]
    if combination(bases, [*factors, *(-c for c in columns), -total]) != identity():
        raise ProofError("the vector and its blindings do not open the commitment.")

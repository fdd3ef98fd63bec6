"""Statement of a norm proof, and the encoding of the proof. docs/proofs.md explains every number."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from typing import Final, NamedTuple

from fedcli.core.errors import ConfigError
from fedcli.crypto.norm_proofs.curve import (
    ORDER,
    POINT_BYTES,
    SCALAR_BYTES,
    Points,
    ProofError,
    decode_points,
    decode_scalars,
    encode_scalars,
)
from fedcli.crypto.norm_proofs.exact_products import EXACT
from fedcli.crypto.norm_proofs.generators import layout

PROJECTIONS: Final = 309  # (3/4)^309 < 2^-128
_MASK_BITS: Final = 44
_SQUARED_LIMIT: Final = EXACT // 2


@dataclass(frozen=True)
class NormBound:
    """The statement "the sum of the squares of `size` committed integers is at most `squared`".

    Args:
        size: number of integers, d.
        squared: B^2, the bound on the sum of their squares, at least 0 and below 2^52.
        projections: K. Fewer than 309 do not convince a verifier; tests use them to show which forgeries pass then.

    Raises:
        ConfigError: if a value is out of range, or size and bound together are too large for the group's order.
    """

    size: int
    squared: int
    projections: int = PROJECTIONS

    def __post_init__(self) -> None:
        layout(self.size)
        if not 0 <= self.squared < _SQUARED_LIMIT:
            raise ConfigError(
                f"a squared bound must lie between 0 and 2^52; received {self.squared}.",
                key="squared",
                hint="Use fewer bits, so that the bound is below 2^26 steps.",
            )
        if self.projections < 0:
            raise ConfigError(
                f"the number of projections must not be negative; received {self.projections}.",
                key="projections",
            )
        # Entries that pass the projections must be so small that their squares cannot sum up to the order: then
        # equality modulo the order is equality over the integers.
        if (self.size + 4) * (
            4 * (self.response_limit + 1)
        ) ** 2 >= ORDER or self.largest_projection >= EXACT:
            raise ConfigError(
                f"{self.size} integers with a squared norm of {self.squared} are too many for the order of the group.",
                hint="Use fewer bits.",
            )

    @property
    def columns(self) -> int:
        """n: number of entries of a row."""
        return layout(self.size).columns

    @property
    def rows(self) -> int:
        """m: number of rows of the committed vector."""
        return layout(self.size).rows

    @property
    def mask_rows(self) -> int:
        """Number of rows that hold the masks of the projections."""
        return -(-self.projections // self.columns)

    @property
    def terms(self) -> int:
        """M: number of rows of the argument: the vector's, that of the four squares, and those of the masks."""
        return self.rows + 1 + self.mask_rows

    @property
    def largest_projection(self) -> int:
        """V, an upper bound on the sum of the magnitudes of an honest vector and its four squares."""
        return math.isqrt((self.size + 4) * self.squared) + 1

    @property
    def mask_limit(self) -> int:
        """Zm: masks are uniform in [-Zm, Zm], and one attempt in 2^35 fails."""
        return self.largest_projection << _MASK_BITS

    @property
    def response_limit(self) -> int:
        """Zm - V: masked projections up to this magnitude are published; their law does not depend on the vector."""
        return self.mask_limit - self.largest_projection

    @property
    def response_bytes(self) -> int:
        """Bytes of one masked projection, with its sign."""
        return (self.mask_limit.bit_length() + 8) // 8

    @property
    def exponents(self) -> list[int]:
        """Powers of x whose coefficients are committed: -(M + 1) to M - 1, without 0."""
        # The coefficient of X^0 is claimed in public; it is the statement itself.
        return [power for power in range(-self.terms - 1, self.terms) if power]

    @property
    def proof_bytes(self) -> int:
        """Bytes of a proof; they depend on the statement only."""
        points = 1 + self.mask_rows + 2 + 2 * self.terms
        scalars = 2 * self.columns + 3
        return points * POINT_BYTES + self.projections * self.response_bytes + scalars * SCALAR_BYTES


class Proof(NamedTuple):
    """The messages of a prover, in this order."""

    squares: Points  # the row of the four squares
    masks: Points  # rows of masks y_k
    responses: tuple[int, ...]  # z_k
    blinds: Points  # of a(X), at X^0, and of b(X), at X^-(M+1)
    coefficients: Points  # of <a(X), b(X)>, at the bound's `exponents`
    a: tuple[int, ...]  # a(x)
    b: tuple[int, ...]  # the secret part of b(x)
    blindings: tuple[int, int, int]  # of a(x), b(x) and <a(x), b(x)>

    def encode(self, bound: NormBound) -> bytes:
        """The only encoding of this proof."""
        return b"".join(
            [
                self.squares.encoded,
                self.masks.encoded,
                encode_responses(bound, self.responses),
                self.blinds.encoded,
                self.coefficients.encoded,
                encode_scalars([*self.a, *self.b, *self.blindings]),
            ]
        )


def encode_responses(bound: NormBound, responses: Sequence[int]) -> bytes:
    """Masked projections as bytes: big-endian, two's complement."""
    size = bound.response_bytes
    return b"".join(response.to_bytes(size, "big", signed=True) for response in responses)


def read_proof(bound: NormBound, data: bytes) -> Proof:
    """A proof from its bytes.

    Raises:
        ProofError: if the length is wrong, a point or scalar is invalid or not canonical, or a masked projection is
            beyond its limit.
    """
    if len(data) != bound.proof_bytes:
        raise ProofError(
            f"a proof for {bound.size} integers has {bound.proof_bytes} bytes; received {len(data)}."
        )
    sizes = [
        POINT_BYTES,
        bound.mask_rows * POINT_BYTES,
        bound.projections * bound.response_bytes,
        2 * POINT_BYTES,
        2 * bound.terms * POINT_BYTES,
    ]
    ends = list(accumulate(sizes, initial=0))
    squares, masks, projected, blinds, coefficients = (data[start:end] for start, end in pairwise(ends))
    step = bound.response_bytes
    responses = tuple(
        int.from_bytes(projected[start : start + step], "big", signed=True)
        for start in range(0, len(projected), step)
    )
    # This limit rules out large entries. It is part of the encoding, so that every reader checks it.
    for index, response in enumerate(responses):
        if abs(response) > bound.response_limit:
            raise ProofError(f"masked projection {index} is {response}, beyond {bound.response_limit}.")
    scalars = decode_scalars(data[ends[-1] :], name="proof.opening")
    return Proof(
        decode_points(squares, name="proof.squares"),
        decode_points(masks, name="proof.masks"),
        responses,
        decode_points(blinds, name="proof.blinds"),
        decode_points(coefficients, name="proof.coefficients"),
        scalars[: bound.columns],
        scalars[bound.columns : 2 * bound.columns],
        (scalars[-3], scalars[-2], scalars[-1]),
    )

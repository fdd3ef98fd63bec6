"""What a norm proof says and how it is written down: parameters, challenges, bytes. docs/proofs.md has the reasons."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from fedcli.core.errors import ConfigError
from fedcli.crypto.commitments import Commitment, layout
from fedcli.crypto.curve import (
    GROUP,
    ORDER,
    POINT_BYTES,
    SCALAR_BYTES,
    Point,
    ProofError,
    decode_points,
    decode_scalars,
    encode_points,
    encode_scalars,
)
from fedcli.crypto.exact_products import EXACT, dot, powers, times
from fedcli.crypto.transcript import Transcript

Bits = npt.NDArray[np.uint8]

PROTOCOL: Final = "fedcli norm proof 1"
PROJECTIONS: Final = 309  # (3/4)^309 < 2^-128
_MASK_BITS: Final = 44
_SQUARED_LIMIT: Final = EXACT // 2


@dataclass(frozen=True)
class NormBound:
    """The statement "the sum of the squares of `size` committed integers is at most `squared`".

    Args:
        size: number of integers, d.
        squared: the bound B^2 on the sum of their squares, from 0 and below 2^52.
        projections: K. Fewer than 309 prove nothing to a verifier; the tests show what then passes.

    Raises:
        ConfigError: if a value is out of range, or they are too large together for the group's order.
    """

    size: int
    squared: int
    projections: int = PROJECTIONS

    def __post_init__(self) -> None:
        layout(self.size)
        if not 0 <= self.squared < _SQUARED_LIMIT:
            raise ConfigError(
                f"a squared bound lies between 0 and 2^52; received {self.squared}.",
                key="squared",
                hint="Use fewer bits, so that the bound is below 2^26 steps.",
            )
        if self.projections < 0:
            raise ConfigError(f"projections are counted from 0; received {self.projections}.", key="projections")
        # Entries that pass the projections are so small that their squares cannot sum up to the order.
        if (self.size + 4) * (4 * (self.response_limit + 1)) ** 2 >= ORDER or self.largest_projection >= EXACT:
            raise ConfigError(f"{self.size} integers of norm {self.squared}^(1/2) are too much for the group.")

    @property
    def columns(self) -> int:
        """n: entries of a row."""
        return layout(self.size).columns

    @property
    def rows(self) -> int:
        """m: rows of the committed vector."""
        return layout(self.size).rows

    @property
    def mask_rows(self) -> int:
        """Rows that hold the masks of the projections."""
        return -(-self.projections // self.columns)

    @property
    def terms(self) -> int:
        """M: rows of the argument, those of the vector, the one of four squares, and those of masks."""
        return self.rows + 1 + self.mask_rows

    @property
    def largest_projection(self) -> int:
        """V, above the sum of the magnitudes of an honest vector and its four squares."""
        return math.isqrt((self.size + 4) * self.squared) + 1

    @property
    def mask_limit(self) -> int:
        """Masks are uniform in [-Zm, Zm]: one attempt in 2^35 fails."""
        return self.largest_projection << _MASK_BITS

    @property
    def response_limit(self) -> int:
        """A masked projection is published if its magnitude is at most Zm - V, which hides the projection."""
        return self.mask_limit - self.largest_projection

    @property
    def response_bytes(self) -> int:
        """Size of one masked projection, signed."""
        return (self.mask_limit.bit_length() + 8) // 8

    @property
    def exponents(self) -> list[int]:
        """Powers of x whose coefficients are committed: -(M + 1) to M - 1, without 0."""
        return [power for power in range(-self.terms - 1, self.terms) if power]

    @property
    def proof_bytes(self) -> int:
        """Size of a proof."""
        points = 1 + self.mask_rows + 2 + 2 * self.terms
        scalars = 2 * self.columns + 3
        return points * POINT_BYTES + self.projections * self.response_bytes + scalars * SCALAR_BYTES


class Proof(NamedTuple):
    """What a prover sends, in this order."""

    squares: Point  # the row of the four squares
    masks: tuple[Point, ...]  # rows of masks y_k
    responses: tuple[int, ...]  # z_k
    blind_a: Point  # of a(X), at X^0
    blind_b: Point  # of b(X), at X^-(M+1)
    coefficients: tuple[Point, ...]  # of <a(X), b(X)>, at the bound's `exponents`
    a: tuple[int, ...]  # a(x)
    b: tuple[int, ...]  # the secret part of b(x)
    blindings: tuple[int, int, int]  # of a(x), b(x) and <a(x), b(x)>

    def encode(self, bound: NormBound) -> bytes:
        """The only encoding of this proof."""
        return b"".join(
            [
                encode_points([self.squares, *self.masks]),
                encode_responses(bound, self.responses),
                encode_points([self.blind_a, self.blind_b, *self.coefficients]),
                encode_scalars([*self.a, *self.b, *self.blindings]),
            ]
        )


def encode_responses(bound: NormBound, responses: Sequence[int]) -> bytes:
    """Big-endian, two's complement."""
    return b"".join(response.to_bytes(bound.response_bytes, "big", signed=True) for response in responses)


def read_proof(bound: NormBound, data: bytes) -> Proof:
    """A proof from its bytes.

    Raises:
        ProofError: if the length is wrong, a point or scalar is not one or not canonical, or a masked projection
            is beyond its limit.
    """
    if len(data) != bound.proof_bytes:
        raise ProofError(f"a proof for {bound.size} integers has {bound.proof_bytes} bytes; received {len(data)}.")
    first = (1 + bound.mask_rows) * POINT_BYTES
    second = first + bound.projections * bound.response_bytes
    third = second + (2 + 2 * bound.terms) * POINT_BYTES
    squares, *masks = decode_points(data[:first], name="proof.masks")
    blind_a, blind_b, *coefficients = decode_points(data[second:third], name="proof.coefficients")
    scalars = decode_scalars(data[third:], name="proof.opening")
    a, b = scalars[: bound.columns], scalars[bound.columns : 2 * bound.columns]
    return Proof(
        squares,
        tuple(masks),
        _read_responses(bound, data[first:second]),
        blind_a,
        blind_b,
        tuple(coefficients),
        a,
        b,
        (scalars[-3], scalars[-2], scalars[-1]),
    )


def _read_responses(bound: NormBound, data: bytes) -> tuple[int, ...]:
    step = bound.response_bytes
    responses = tuple(
        int.from_bytes(data[start : start + step], "big", signed=True) for start in range(0, len(data), step)
    )
    for index, response in enumerate(responses):
        if abs(response) > bound.response_limit:
            raise ProofError(f"masked projection {index} is {response}, beyond {bound.response_limit}.")
    return responses


class Projections(NamedTuple):
    """K rank-one projections with entries 0 and 1: k maps U to rows[k] @ U @ columns[k]."""

    rows: Bits  # [K, m + 1]
    columns: Bits  # [K, n]


class Batching(NamedTuple):
    """What ties all statements into one: sum of squares + alpha * projections + padding."""

    gammas: list[int]  # gamma^k, k = 0 .. K - 1
    alpha: int
    omega: int


def begin(bound: NormBound, commitment: Commitment, context: bytes, generator_digest: bytes) -> Transcript:
    """The transcript that everything public is bound to, before the prover says anything."""
    numbers = {
        "size": bound.size,
        "columns": bound.columns,
        "squared": bound.squared,
        "projections": bound.projections,
        "mask limit": bound.mask_limit,
    }
    transcript = Transcript().absorb("protocol", PROTOCOL.encode()).absorb("group", GROUP.encode())
    transcript = transcript.absorb("generators", generator_digest)
    for label, number in numbers.items():
        transcript = transcript.absorb(label, b"%d" % number)
    return transcript.absorb("context", context).absorb("commitment", commitment.encoded)


def absorb_masks(transcript: Transcript, squares: Point, masks: Sequence[Point]) -> Transcript:
    """After the prover's first message."""
    return transcript.absorb("squares", encode_points([squares])).absorb("masks", encode_points(masks))


def projections(transcript: Transcript, bound: NormBound) -> Projections:
    """The projections, a bit of the challenge for each entry: for each k its rows, then its columns."""
    width = bound.rows + 1 + bound.columns
    count = bound.projections * width
    data = np.frombuffer(transcript.bytes("projections", -(-count // 8)), np.uint8)
    bits = np.unpackbits(data, count=count, bitorder="little").reshape(bound.projections, width)
    return Projections(bits[:, : bound.rows + 1], bits[:, bound.rows + 1 :])


def absorb_responses(transcript: Transcript, bound: NormBound, responses: Sequence[int]) -> Transcript:
    """After the masked projections."""
    return transcript.absorb("responses", encode_responses(bound, responses))


def batching(transcript: Transcript, bound: NormBound) -> Batching:
    """The challenges that weigh the statements."""
    gammas = powers(transcript.scalar("gamma"), 0, bound.projections)
    return Batching(gammas, transcript.scalar("alpha"), transcript.scalar("omega"))


def absorb_coefficients(
    transcript: Transcript, blind_a: Point, blind_b: Point, coefficients: Sequence[Point]
) -> Transcript:
    """After the commitments to the argument's polynomials; the challenge `x` follows."""
    transcript = transcript.absorb("blinds", encode_points([blind_a, blind_b]))
    return transcript.absorb("coefficients", encode_points(coefficients))


def plain_rows(bound: NormBound, weights: Batching) -> dict[int, list[int]]:
    """Public rows of b, by their index from 1: for padding in the last two rows, and for the masks.

    Padding entry number p, counted from 1, has omega^p; mask k has alpha gamma^k.
    """
    n, m = bound.columns, bound.rows
    pads = powers(weights.omega, 1, 2 * n)
    in_vector, in_squares = m * n - bound.size, n - 4
    public = {
        m: [0] * (n - in_vector) + pads[:in_vector],
        m + 1: [0] * 4 + pads[in_vector : in_vector + in_squares],
    }
    scaled = [weights.alpha * gamma % ORDER for gamma in weights.gammas]
    scaled += [0] * (bound.mask_rows * n - len(scaled))
    for row in range(bound.mask_rows):
        public[m + 2 + row] = scaled[row * n : (row + 1) * n]
    return public


def public_b(bound: NormBound, chosen: Projections, weights: Batching, x: int) -> list[int]:
    """The public part of b(x), shape [n]: sum_j x^-j (alpha sum_k gamma^k rows[k, j] columns[k] + plain row j)."""
    inverse = powers(x, -bound.terms, bound.terms)[::-1]
    (by_row,) = times(chosen.rows, [inverse[: bound.rows + 1]])
    factors = [weights.alpha * gamma * row % ORDER for gamma, row in zip(weights.gammas, by_row, strict=True)]
    (total,) = times(chosen.columns.T, [factors])
    for index, row in plain_rows(bound, weights).items():
        total = [sum_ + inverse[index - 1] * value for sum_, value in zip(total, row, strict=True)]
    return [value % ORDER for value in total]


def claimed(bound: NormBound, weights: Batching, responses: Sequence[int]) -> int:
    """The coefficient of X^0 of <a(X), b(X)>: B^2 + alpha sum_k gamma^k z_k."""
    return (bound.squared + weights.alpha * dot(weights.gammas, responses)) % ORDER

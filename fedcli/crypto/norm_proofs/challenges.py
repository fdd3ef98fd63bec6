"""Challenges of a norm proof in the order in which they are drawn, and the public values derived from them.

Prover and verifier share this module, so that they cannot disagree about the order of messages.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from fedcli.crypto.norm_proofs.commitments import Commitment
from fedcli.crypto.norm_proofs.curve import GROUP, ORDER, Points
from fedcli.crypto.norm_proofs.exact_products import dot, powers, times
from fedcli.crypto.norm_proofs.norm_statement import NormBound, encode_responses
from fedcli.crypto.norm_proofs.transcript import Transcript

Bits = npt.NDArray[np.uint8]

PROTOCOL: Final = "fedcli norm proof 1"


class Projections(NamedTuple):
    """K rank-one projections with entries 0 and 1; number k maps U to rows[k] @ U @ columns[k]."""

    rows: Bits  # [K, m + 1]
    columns: Bits  # [K, n]


class Batching(NamedTuple):
    """Weights that combine all equations into one: sum of squares + alpha * projections + padding."""

    gammas: list[int]  # gamma^k, k = 0 .. K - 1
    alpha: int
    omega: int


def begin(bound: NormBound, commitment: Commitment, context: bytes, generator_digest: bytes) -> Transcript:
    """The transcript after everything public, before the prover's first message."""
    # What is left out here, the prover could choose after it knows the challenges.
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


def absorb_masks(transcript: Transcript, squares: Points, masks: Points) -> Transcript:
    """The transcript after the prover's first message."""
    return transcript.absorb("squares", squares.encoded).absorb("masks", masks.encoded)


def projections(transcript: Transcript, bound: NormBound) -> Projections:
    """The projections, one challenge bit for each entry: for each k the rows, then the columns."""
    width = bound.rows + 1 + bound.columns
    count = bound.projections * width
    data = np.frombuffer(transcript.bytes("projections", -(-count // 8)), np.uint8)
    bits = np.unpackbits(data, count=count, bitorder="little").reshape(bound.projections, width)
    return Projections(bits[:, : bound.rows + 1], bits[:, bound.rows + 1 :])


def absorb_responses(transcript: Transcript, bound: NormBound, responses: Sequence[int]) -> Transcript:
    """The transcript after the masked projections."""
    return transcript.absorb("responses", encode_responses(bound, responses))


def batching(transcript: Transcript, bound: NormBound) -> Batching:
    """The challenges that weight the equations."""
    gammas = powers(transcript.scalar("gamma"), 0, bound.projections)
    return Batching(gammas, transcript.scalar("alpha"), transcript.scalar("omega"))


def absorb_coefficients(transcript: Transcript, blinds: Points, coefficients: Points) -> Transcript:
    """The transcript after the commitments to the argument's polynomials; the challenge `x` follows."""
    return transcript.absorb("blinds", blinds.encoded).absorb("coefficients", coefficients.encoded)


def plain_rows(bound: NormBound, weights: Batching) -> dict[int, list[int]]:
    """Public rows of b by their index from 1: those of the padding in the last two rows, and those of the masks.

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
    # Masks may not fill their last row; the weight of the unused entries is 0, whatever the prover puts there.
    scaled += [0] * (bound.mask_rows * n - len(scaled))
    for row in range(bound.mask_rows):
        public[m + 2 + row] = scaled[row * n : (row + 1) * n]
    return public


def public_b(bound: NormBound, chosen: Projections, weights: Batching, x: int) -> list[int]:
    """The public part of b(x), shape [n]: sum_j x^-j (alpha sum_k gamma^k rows[k, j] columns[k] + plain row j)."""
    inverse = powers(x, -bound.terms, bound.terms)[::-1]
    # The projections have rank one: K (m + n) products instead of K m n.
    (by_row,) = times(chosen.rows, [inverse[: bound.rows + 1]])
    factors = [weights.alpha * gamma * row % ORDER for gamma, row in zip(weights.gammas, by_row, strict=True)]
    (total,) = times(chosen.columns.T, [factors])
    for index, row in plain_rows(bound, weights).items():
        total = [sum_ + inverse[index - 1] * value for sum_, value in zip(total, row, strict=True)]
    return [value % ORDER for value in total]


def claimed(bound: NormBound, weights: Batching, responses: Sequence[int]) -> int:
    """The coefficient of X^0 of <a(X), b(X)>: B^2 + alpha sum_k gamma^k z_k."""
    return (bound.squared + weights.alpha * dot(weights.gammas, responses)) % ORDER

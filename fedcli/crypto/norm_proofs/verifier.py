"""Verifier of norm bounds: one multi-scalar multiplication of O(sqrt d) points, for one proof or for many."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from fedcli.crypto.norm_proofs.challenges import (
    absorb_coefficients,
    absorb_masks,
    absorb_responses,
    batching,
    begin,
    claimed,
    projections,
    public_b,
)
from fedcli.crypto.norm_proofs.commitments import Commitment
from fedcli.crypto.norm_proofs.curve import ORDER, Point, ProofError, combination, identity
from fedcli.crypto.norm_proofs.exact_products import dot, powers
from fedcli.crypto.norm_proofs.generators import Generators, generators
from fedcli.crypto.norm_proofs.norm_statement import NormBound, Proof, read_proof

_CHECK_BITS = 128  # of a random factor


class Claim(NamedTuple):
    """A commitment, the proof that it keeps a bound, and the context of the proof."""

    bound: NormBound
    commitment: Commitment
    proof: Proof
    context: bytes


class _Equation(NamedTuple):
    """A combination of points that is neutral if a proof holds; for a false proof, only with probability 2^-128."""

    points: list[Point]  # the claim's own
    coefficients: list[int]  # of `points`
    shared: list[int]  # of the generators: columns, blinding, value


def verify(bound: NormBound, commitment: Commitment, proof: bytes, context: bytes) -> None:
    """Check a proof.

    Args:
        bound: the statement.
        commitment: commitment to the vector.
        proof: bytes from `prover.prove`.
        context: the context that the verifier expects; it must not be taken from the prover.

    Raises:
        ProofError: if the proof is false or malformed; the message says which.
    """
    check(Claim(bound, commitment, read_proof(bound, proof), context))


def check(claim: Claim) -> None:
    """Check a single claim.

    Raises:
        ProofError: if the claim is false; the message has the reason.
    """
    if len(claim.commitment.points) != claim.bound.rows:
        raise ProofError(
            f"a commitment to {claim.bound.size} integers has {claim.bound.rows} rows; "
            f"received {len(claim.commitment.points)}."
        )
    points = generators(claim.bound.columns)
    if not _vanishes([_equation(claim, points)], points):
        raise ProofError("the proof does not hold for this commitment, bound and context.")


def all_hold(claims: Sequence[Claim]) -> bool:
    """Whether all claims hold, by one multi-scalar multiplication; `check` finds the false one.

    Raises:
        ProofError: if the claims' vectors differ in size.
    """
    if not claims:
        return True
    if len({claim.bound.size for claim in claims}) > 1:
        raise ProofError("claims that are checked together must be about vectors of one size.")
    if any(len(claim.commitment.points) != claim.bound.rows for claim in claims):
        return False
    points = generators(claims[0].bound.columns)
    return _vanishes((_equation(claim, points) for claim in claims), points)


def _vanishes(equations: Iterable[_Equation], points: Generators) -> bool:
    """Whether all equations hold."""
    # They can be added up: their random factors are fresh and secret, so two false ones cannot cancel each other.
    bases = [*points.columns, points.blinding, points.value]
    shared = [0] * len(bases)
    own: list[Point] = []
    coefficients: list[int] = []
    for equation in equations:
        own += equation.points
        coefficients += equation.coefficients
        shared = [total + part for total, part in zip(shared, equation.shared, strict=True)]
    return bool(combination([*own, *bases], [*coefficients, *shared]) == identity())


def _equation(claim: Claim, points: Generators) -> _Equation:
    """Three equations, each times its own random factor, as one.

    a(x) and the secret part of b(x) open the commitments. The inner product of a(x) with all of b(x) is the claimed
    coefficient of X^0 plus the committed ones.
    """
    bound, commitment, proof, context = claim
    transcript = absorb_masks(begin(bound, commitment, context, points.digest), proof.squares, proof.masks)
    chosen = projections(transcript, bound)
    transcript = absorb_responses(transcript, bound, proof.responses)
    weights = batching(transcript, bound)
    x = absorb_coefficients(transcript, proof.blinds, proof.coefficients).scalar("x")

    by_power = powers(x, -bound.terms - 1, 2 * bound.terms + 2)
    at = dict(zip(range(-bound.terms - 1, bound.terms + 1), by_power, strict=True))
    for_a, for_b, for_product = (1 + secrets.randbits(_CHECK_BITS) for _ in range(3))
    public = public_b(bound, chosen, weights, x)
    product = dot(proof.a, [(b + p) % ORDER for b, p in zip(proof.b, public, strict=True)])

    # Points in the order of their coefficients below.
    parts = (commitment, proof.squares, proof.masks, proof.blinds, proof.coefficients)
    count = bound.rows + 1
    # Rows of the vector and the squares are in a(X) and in b(X); rows of masks are in a(X) only.
    in_both = [for_a * at[i] + for_b * at[-i] for i in range(1, count + 1)]
    in_a = [for_a * at[i] for i in range(count + 1, bound.terms + 1)]
    in_product = [for_product * at[power] for power in bound.exponents]
    blinding = for_a * proof.blindings[0] + for_b * proof.blindings[1] + for_product * proof.blindings[2]
    return _Equation(
        [point for part in parts for point in part.points],
        [*in_both, *in_a, for_a, for_b * at[-bound.terms - 1], *in_product],
        [
            *(-(for_a * a + for_b * b) for a, b in zip(proof.a, proof.b, strict=True)),
            -blinding,
            for_product * (claimed(bound, weights, proof.responses) - product),
        ],
    )

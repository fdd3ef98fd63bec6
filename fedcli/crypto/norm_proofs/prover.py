"""Prover of a norm bound: masks, projections, and one batched inner-product argument (Groth 2009)."""

from __future__ import annotations

import secrets

import numpy as np

from fedcli.crypto.norm_proofs.challenges import (
    absorb_coefficients,
    absorb_masks,
    absorb_responses,
    batching,
    begin,
    projections,
)
from fedcli.crypto.norm_proofs.coefficients import Secret, coefficients_of
from fedcli.crypto.norm_proofs.commitments import Commitment, Opening, in_rows
from fedcli.crypto.norm_proofs.curve import ORDER, Draw, Point, ProofError, combination, encode_points
from fedcli.crypto.norm_proofs.exact_products import dot, powers, times
from fedcli.crypto.norm_proofs.four_squares import four_squares
from fedcli.crypto.norm_proofs.generators import Generators, generators
from fedcli.crypto.norm_proofs.norm_statement import NormBound, Proof
from fedcli.crypto.norm_proofs.transcript import Transcript
from fedcli.crypto.norm_proofs.verifier import Claim, check


def prove(
    bound: NormBound,
    commitment: Commitment,
    opening: Opening,
    context: bytes,
    draw: Draw = secrets.randbelow,
) -> bytes:
    """Prove that a committed vector keeps a bound on its norm, without revealing the vector.

    Besides the commitment it takes O(d) work in exact float64 products and O(sqrt d) points.

    Args:
        bound: the statement.
        commitment: commitment to the vector, shape [bound.size].
        opening: the vector and its blindings.
        context: identifies the use of the proof; a verifier with another context refuses it.
        draw: `bound` -> a uniform integer in [0, bound). Predictable draws, as in tests, hide nothing.

    Returns:
        The proof, bound.proof_bytes bytes, which was verified.

    Raises:
        ProofError: if the vector exceeds the bound, or the opening does not open the commitment.
    """
    if opening.vector.size != bound.size or len(opening.blindings) != bound.rows:
        raise ProofError(f"a proof about {bound.size} integers cannot be made from {opening.vector.size}.")
    vector = opening.vector
    # np.dot is exact only where no sum can overflow; Python's integers never do, and are rarely needed.
    if int(np.abs(vector).max()) ** 2 * vector.size < 1 << 62:
        squared_norm = int(np.dot(vector, vector))
    else:
        squared_norm = sum(entry * entry for entry in vector.tolist())
    missing = bound.squared - squared_norm
    if missing < 0:
        raise ProofError(f"the squared norm is {-missing} above the bound {bound.squared}.")
    points = generators(bound.columns)
    start = begin(bound, commitment, context, points.digest)
    # Each attempt has fresh masks and blindings: two proofs must not share randomness.
    while True:
        proof = _attempt(bound, opening, missing, start, points, draw)
        if proof is not None:
            break
    # A fault of the machine must not produce a proof that is refused or that reveals something about the vector.
    check(Claim(bound, commitment, proof, context))
    return proof.encode(bound)


def _attempt(
    bound: NormBound, opening: Opening, missing: int, start: Transcript, points: Generators, draw: Draw
) -> Proof | None:
    """One attempt: a proof, or None if a masked projection exceeds its limit (one attempt in 2^35).

    Beyond the limit it would reveal something about the vector.
    """
    n, limit = bound.columns, bound.mask_limit
    # Four squares turn the inequality into an equality, so no range proof is needed.
    last = list(four_squares(missing, draw)) + [0] * (n - 4)
    rows = np.concatenate([in_rows(opening.vector), np.array([last], np.int64)])
    blindings = [*opening.blindings, draw(ORDER)]
    masks = [draw(2 * limit + 1) - limit for _ in range(bound.projections)]
    padded = [mask % ORDER for mask in masks] + [0] * (bound.mask_rows * n - len(masks))
    mask_rows = [padded[at : at + n] for at in range(0, len(padded), n)]
    mask_blindings = [draw(ORDER) for _ in mask_rows]
    squares = encode_points([_commit(last, blindings[-1], points)])
    committed_masks = encode_points(
        _commit(*pair, points) for pair in zip(mask_rows, mask_blindings, strict=True)
    )

    transcript = absorb_masks(start, squares, committed_masks)
    chosen = projections(transcript, bound)
    # rows[k] @ U @ columns[k] for each k, exact: no partial sum exceeds the sum of magnitudes, V < 2^53.
    by_row = rows.astype(np.float64) @ chosen.columns.T.astype(np.float64)
    projected = (by_row * chosen.rows.T).sum(axis=0).astype(np.int64)
    responses = [mask + int(value) for mask, value in zip(masks, projected, strict=True)]
    if max(map(abs, responses), default=0) > bound.response_limit:
        return None
    transcript = absorb_responses(transcript, bound, responses)
    weights = batching(transcript, bound)

    # Blinds for the openings of a(X) and b(X) at x, which would reveal combinations of the rows without them.
    a, a_blinding = [draw(ORDER) for _ in range(n)], draw(ORDER)
    b, b_blinding = [draw(ORDER) for _ in range(n)], draw(ORDER)
    secret = Secret(rows, blindings, mask_rows, mask_blindings, a, a_blinding, b, b_blinding)
    coefficients = coefficients_of(bound, secret, chosen, weights)
    value_blindings = [draw(ORDER) for _ in bound.exponents]
    committed = encode_points(
        points.times_value(coefficients[power]) + points.times_blinding(tau)
        for power, tau in zip(bound.exponents, value_blindings, strict=True)
    )
    blinds = encode_points([_commit(a, a_blinding, points), _commit(b, b_blinding, points)])
    x = absorb_coefficients(transcript, blinds, committed).scalar("x")
    opened_a, opened_b, opened = _open(bound, secret, value_blindings, x)
    return Proof(
        squares,
        committed_masks,
        tuple(responses),
        blinds,
        committed,
        tuple(opened_a),
        tuple(opened_b),
        opened,
    )


def _commit(row: list[int], blinding: int, points: Generators) -> Point:
    return combination(points.columns, row) + points.times_blinding(blinding)


def _open(
    bound: NormBound, secret: Secret, value_blindings: list[int], x: int
) -> tuple[list[int], list[int], tuple[int, int, int]]:
    """a(x), the secret part of b(x), and the three blindings."""
    count = len(secret.rows)
    rising = powers(x, 1, bound.terms)
    falling = powers(x, -bound.terms - 1, bound.terms + 1)[::-1]
    a, b = times(secret.rows.T, [rising[:count], falling[:count]])
    a = [value + blind for value, blind in zip(a, secret.a, strict=True)]
    for power, mask in zip(rising[count:], secret.masks, strict=True):
        a = [value + power * entry for value, entry in zip(a, mask, strict=True)]
    b = [value + falling[-1] * blind for value, blind in zip(b, secret.b, strict=True)]
    a_blinding = secret.a_blinding + dot(rising, [*secret.blindings, *secret.mask_blindings])
    b_blinding = falling[-1] * secret.b_blinding + dot(falling[:count], secret.blindings)
    by_power = powers(x, -bound.terms - 1, 2 * bound.terms + 1)
    del by_power[bound.terms + 1]  # X^0 is claimed, not committed
    opened = (a_blinding % ORDER, b_blinding % ORDER, dot(by_power, value_blindings))
    return [value % ORDER for value in a], [value % ORDER for value in b], opened

"""The best forgery of a norm proof for a vector that is too long."""

from __future__ import annotations

import secrets
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from fedcli.core.vectors import exact_squared_norm
from fedcli.crypto.norm_proofs.challenges import (
    Batching,
    Projections,
    absorb_coefficients,
    absorb_masks,
    absorb_responses,
    batching,
    begin,
    plain_rows,
    projections,
)
from fedcli.crypto.norm_proofs.commitments import Opening, in_rows, read_commitment
from fedcli.crypto.norm_proofs.curve import ORDER, Draw, Points, combination, encode_points
from fedcli.crypto.norm_proofs.exact_products import dot, powers
from fedcli.crypto.norm_proofs.generators import Generators, generators
from fedcli.crypto.norm_proofs.norm_statement import NormBound, Proof

Scalars = npt.NDArray[Any]  # of Python's integers


class _Known(NamedTuple):
    """What the forger knows; M = m + 1 + rows of masks."""

    a: Scalars  # [M + 1, n]: a blind, the vector, the four squares, the masks
    a_blindings: list[int]
    b: Scalars  # [n], b's blind
    b_blinding: int
    masks: list[int]


def forged_proof(
    bound: NormBound, commitment: bytes, opening: Opening, context: bytes, draw: Draw = secrets.randbelow
) -> bytes:
    """A proof of a bound that the vector exceeds; it holds modulo the order of the group.

    The four squares are scalars with a^2 + b^2 = B^2 - ||u||^2 modulo the order, so that the squares wrap around. The
    masked projections reveal it, because most of them are about as large as the order. They are clipped to their
    limit, and the proof is accepted with probability (3/4)^K. It takes O(d^1.5) products of Python's integers, and is
    for small models only.

    Args:
        bound: the false statement.
        commitment: to the vector.
        opening: the vector and its blindings.
        context: what the proof is for.
        draw: `bound` -> a uniform integer in [0, bound).

    Returns:
        bound.proof_bytes bytes, in a valid encoding.
    """
    # The steps and their order are those of an honest prover; the four squares and the responses are false.
    points, first_mask = generators(bound.columns), bound.rows + 2
    known = _known(bound, opening, draw)
    squares, masks = (
        _commit(known.a[place], known.a_blindings[place], points)
        for place in (slice(first_mask - 1, first_mask), slice(first_mask, None))
    )
    start = begin(bound, read_commitment(commitment, bound.size), context, points.digest)
    transcript = absorb_masks(start, squares, masks)
    chosen = projections(transcript, bound)
    responses = _responses(bound, known, chosen)
    transcript = absorb_responses(transcript, bound, responses)

    b_rows = _rows_of_b(bound, known, chosen, batching(transcript, bound))
    products = known.a.dot(b_rows.T)
    # Row i belongs to X^i and column j to X^-(j + 1), so that a diagonal holds the terms of one power.
    places = range(1 - len(b_rows), len(b_rows))
    product = {-place - 1: int(products.trace(place)) % ORDER for place in places}
    hidden = [draw(ORDER) for _ in bound.exponents]
    coefficients = encode_points(
        points.times_value(product[power]) + points.times_blinding(tau)
        for power, tau in zip(bound.exponents, hidden, strict=True)
    )
    blinds = _commit(np.stack([known.a[0], known.b]), [known.a_blindings[0], known.b_blinding], points)
    x = absorb_coefficients(transcript, blinds, coefficients).scalar("x")
    a, b, a_blinding, b_blinding = _at(x, bound, known)
    by_power = powers(x, -bound.terms - 1, 2 * bound.terms + 1)
    del by_power[bound.terms + 1]  # X^0 has no commitment: its coefficient is the claim
    opened = (a_blinding, b_blinding, dot(by_power, hidden))
    return Proof(squares, masks, responses, blinds, coefficients, a, b, opened).encode(bound)


def _known(bound: NormBound, opening: Opening, draw: Draw) -> _Known:
    n, limit = bound.columns, bound.mask_limit
    masks = [draw(2 * limit + 1) - limit for _ in range(bound.projections)]
    squares = _two_squares(bound.squared - exact_squared_norm(opening.vector))
    in_masks = np.zeros((bound.mask_rows, n), object)
    in_masks.flat[: len(masks)] = masks
    blind, b = (np.array([draw(ORDER) for _ in range(n)], object) for _ in range(2))
    # Modulo the order two squares suffice, so that the rest of the row is 0.
    last = np.array([*squares, *[0] * (n - 2)], object)
    a = np.vstack([blind, in_rows(opening.vector).astype(object), last, in_masks])
    drawn = [draw(ORDER) for _ in range(bound.mask_rows + 1)]
    return _Known(a, [draw(ORDER), *opening.blindings, *drawn], b, draw(ORDER), masks)


def _two_squares(target: int) -> tuple[int, int]:
    """a and b with a^2 + b^2 = target modulo the order: with i^2 = -1, a + ib = 1 and a - ib = target."""
    roots = (pow(base, (ORDER - 1) // 4, ORDER) for base in range(2, ORDER))
    i = next(root for root in roots if root * root % ORDER == ORDER - 1)
    half = pow(2, -1, ORDER)
    return (1 + target) * half % ORDER, (1 - target) * half * pow(i, -1, ORDER) % ORDER


def _commit(rows: Scalars, blindings: list[int], points: Generators) -> Points:
    return encode_points(
        combination(points.columns, row.tolist()) + points.times_blinding(rho)
        for row, rho in zip(rows, blindings, strict=True)
    )


def _responses(bound: NormBound, known: _Known, chosen: Projections) -> tuple[int, ...]:
    """The masked projections, clipped to the limit beyond which a verifier rejects them."""
    by_row = known.a[1 : bound.rows + 2].dot(chosen.columns.T.astype(object))
    projected = (chosen.rows.T.astype(object) * by_row).sum(axis=0)
    half, limit = ORDER // 2, bound.response_limit
    # The verifier reads scalars as integers around 0.
    whole = ((mask + value + half) % ORDER - half for mask, value in zip(known.masks, projected, strict=True))
    return tuple(max(-limit, min(limit, value)) for value in whole)


def _rows_of_b(bound: NormBound, known: _Known, chosen: Projections, weights: Batching) -> Scalars:
    """Rows of b(X) by the power of 1/X from 1, shape [M + 1, n]."""
    b = np.zeros((bound.terms + 1, bound.columns), object)
    gammas = [weights.alpha * gamma % ORDER for gamma in weights.gammas]
    count = bound.rows + 1
    if gammas:
        b[:count] = (chosen.rows.T.astype(object) * np.array(gammas, object)).dot(
            chosen.columns.astype(object)
        )
    b[:count] += known.a[1 : count + 1]
    for index, row in plain_rows(bound, weights).items():
        b[index - 1] += np.array(row, object)
    b[-1] = known.b
    return b % ORDER


def _at(x: int, bound: NormBound, known: _Known) -> tuple[tuple[int, ...], tuple[int, ...], int, int]:
    """a(x), the secret part of b(x), and their blindings."""
    count = bound.rows + 1
    rising, falling = powers(x, 0, bound.terms + 1), powers(pow(x, -1, ORDER), 1, bound.terms + 1)
    a = np.array(rising, object).dot(known.a) % ORDER
    b = np.array(falling[:count], object).dot(known.a[1 : count + 1]) + falling[-1] * known.b
    a_blinding = dot(rising, known.a_blindings)
    b_blinding = dot(falling[:count], known.a_blindings[1 : count + 1]) + falling[-1] * known.b_blinding
    return tuple(a.tolist()), tuple((b % ORDER).tolist()), a_blinding, b_blinding % ORDER

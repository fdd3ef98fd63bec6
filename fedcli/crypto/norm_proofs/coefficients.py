"""Coefficients of the product of polynomials in a norm proof, from the rows that only the prover knows.

This is the part of the prover's work that grows with the vector, so it is done in exact matrix products.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from fedcli.core.concealment import concealed
from fedcli.crypto.norm_proofs.challenges import Batching, Projections, plain_rows
from fedcli.crypto.norm_proofs.curve import ORDER
from fedcli.crypto.norm_proofs.exact_products import dot, times
from fedcli.crypto.norm_proofs.norm_statement import NormBound

Integers = npt.NDArray[np.int64]


class Secret(NamedTuple):
    """The rows that a prover knows, and their blindings."""

    rows: Integers  # [m + 1, n]: the vector and its four squares
    blindings: list[int]  # of `rows`
    masks: list[list[int]]  # rows of masks as scalars, padded with zeros
    mask_blindings: list[int]
    a: list[int]  # blind of a(X), at X^0
    a_blinding: int
    b: list[int]  # blind of b(X), at X^-(M+1)
    b_blinding: int

    def __repr__(self) -> str:
        return concealed(self, rows=len(self.rows), blindings=len(self.blindings))


def coefficients_of(
    bound: NormBound, secret: Secret, chosen: Projections, weights: Batching
) -> dict[int, int]:
    """Coefficients of <a(X), b(X)> by the power of X, modulo the order.

    a(X) = sum_i X^i a_i with the blind a_0; b(X) = sum_j X^-j b_j with the blind b_(M+1). Rows 1 to m + 1 of a are
    those of the vector and the four squares, the others those of the masks.
    """
    total = dict.fromkeys(range(-bound.terms - 1, bound.terms), 0)
    _add_small_products(total, bound, secret.rows, chosen, weights)
    _add_large_products(total, bound, secret, chosen, weights)
    return {power: value % ORDER for power, value in total.items()}


def _add_small_products(
    total: dict[int, int], bound: NormBound, rows: Integers, chosen: Projections, weights: Batching
) -> None:
    """Products of the vector's rows with each other and with the projections, exact in float64.

    By Cauchy and Schwarz no sum over a diagonal of the Gram matrix, whole or partial, exceeds B^2 < 2^52. Sums over
    projected rows stay below V < 2^53.
    """
    count = len(rows)
    exact = rows.astype(np.float64)
    gram = exact @ exact.T
    # a_i and b_j meet at X^(i - j), so each diagonal is one coefficient.
    for power in range(count):
        value = int(np.trace(gram, power))
        total[power] += value
        if power:
            total[-power] += value
    # With rank-one projections the sum over diagonals is a correlation of two short vectors for each k.
    by_row = exact @ chosen.columns.T.astype(np.float64)
    shifted = np.empty((2 * count - 1, bound.projections), np.int64)
    for k in range(bound.projections):
        shifted[:, k] = np.correlate(by_row[:, k], chosen.rows[k].astype(np.float64), "full")
    (sums,) = times(shifted, [weights.gammas])
    for power, value in zip(range(1 - count, count), sums, strict=True):
        total[power] += weights.alpha * value


def _add_large_products(
    total: dict[int, int], bound: NormBound, secret: Secret, chosen: Projections, weights: Batching
) -> None:
    """Products in which one side is a blind, a row of masks or a row of weights: scalars of the group's size."""
    first_mask = bound.rows + 2
    right = {**plain_rows(bound, weights), bound.terms + 1: secret.b}
    left = {0: secret.a, **dict(enumerate(secret.masks, first_mask))}
    # One call for all vectors: the vector's rows are converted to floats once.
    products = times(secret.rows, [*right.values(), *left.values()])
    for j, values in zip(right, products[: len(right)], strict=True):
        for i, value in enumerate(values, 1):
            total[i - j] += value
    for i, values in zip(left, products[len(right) :], strict=True):
        for j, value in enumerate(values, 1):
            total[i - j] += value
    for i, row in left.items():
        for j, other in right.items():
            total[i - j] += dot(row, other)
    projected = [
        [weights.alpha * gamma * value % ORDER for gamma, value in zip(weights.gammas, values, strict=True)]
        for values in times(chosen.columns, list(left.values()))
    ]
    for i, values in zip(left, times(chosen.rows.T, projected), strict=True):
        for j, value in enumerate(values, 1):
            total[i - j] += value

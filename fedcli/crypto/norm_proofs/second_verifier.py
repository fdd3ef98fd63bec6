"""Second, independent verifier of norm bounds and sums, for auditors.

A fault in the first verifier or its library would let false proofs pass unnoticed. This one shares no curve library, no
generator code and no formula with it: points are those of `second_curve`, scalars are Python's integers, and every
equation is checked separately and in its plainest form. Both share the numbers of the statement (`NormBound`) and the
hash chain (`Transcript`). It is slow: 15 seconds for 1.7 million entries, a third of that for the generators.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence

from fedcli.crypto.norm_proofs.curve import ORDER, ProofError
from fedcli.crypto.norm_proofs.generators import layout
from fedcli.crypto.norm_proofs.norm_statement import NormBound
from fedcli.crypto.norm_proofs.second_curve import combination, decode_points, generators
from fedcli.crypto.norm_proofs.transcript import Transcript


def verify(bound: NormBound, commitment: bytes, proof: bytes, context: bytes) -> None:
    """Check a proof, as `verifier.verify` does.

    Raises:
        ProofError: if the proof is false or malformed.
        ConfigError: if pymcl or py_ecc is missing.
    """
    n, m, masks, terms = bound.columns, bound.rows, bound.mask_rows, bound.terms
    if len(commitment) != 48 * m or len(proof) != bound.proof_bytes:
        raise ProofError(
            f"commitment and proof must have {48 * m} and {bound.proof_bytes} bytes; "
            f"received {len(commitment)} and {len(proof)}."
        )
    reader = _Reader(proof)
    squares_bytes, masks_bytes = reader.take(48), reader.take(48 * masks)
    responses_bytes = reader.take(bound.projections * bound.response_bytes)
    blinds_bytes, coefficients_bytes = reader.take(2 * 48), reader.take(2 * terms * 48)
    a, b = _scalars(reader.take(32 * n)), _scalars(reader.take(32 * n))
    a_blinding, b_blinding, product_blinding = _scalars(reader.take(3 * 32))
    responses = _responses(bound, responses_bytes)
    rows = decode_points(commitment) + decode_points(squares_bytes)
    mask_rows = decode_points(masks_bytes)
    blind_a, blind_b = decode_points(blinds_bytes)
    coefficients = decode_points(coefficients_bytes)
    columns, blinding, value, digest = generators(n)

    transcript = _begin(bound, commitment, context, digest)
    transcript = transcript.absorb("squares", squares_bytes).absorb("masks", masks_bytes)
    by_row, by_column = _projections(transcript, bound)
    transcript = transcript.absorb("responses", responses_bytes)
    gamma, alpha, omega = (transcript.scalar(name) for name in ("gamma", "alpha", "omega"))
    transcript = transcript.absorb("blinds", blinds_bytes).absorb("coefficients", coefficients_bytes)
    x = transcript.scalar("x")

    # a(X) and b(X) at x, against the sums of the commitments with the powers of x.
    committed_a = [blind_a, *rows, *mask_rows]
    _require(
        combination(committed_a, [pow(x, i, ORDER) for i in range(terms + 1)])
        == combination([*columns, blinding], [*a, a_blinding]),
        "a(x) does not open its commitment.",
    )
    _require(
        combination([*rows, blind_b], [pow(x, -j, ORDER) for j in [*range(1, m + 2), terms + 1]])
        == combination([*columns, blinding], [*b, b_blinding]),
        "b(x) does not open its commitment.",
    )
    # The public part of b(x): padding, projections and the weights of the masks.
    public = [0] * n
    falling = [pow(x, -j, ORDER) for j in range(terms + 1)]
    for j in range(1, m + 2):
        for column, entry in enumerate(_public_padding(bound, j, omega)):
            public[column] += falling[j] * entry
    for k in range(bound.projections):
        seen = sum(falling[j] for j in range(1, m + 2) if by_row[k][j - 1])
        weight = alpha * pow(gamma, k, ORDER) % ORDER
        for column in range(n):
            public[column] += weight * seen * by_column[k][column]
        public[k % n] += weight * falling[m + 2 + k // n]
    product = sum(left * (right + known) for left, right, known in zip(a, b, public, strict=True))
    claim = bound.squared + alpha * sum(pow(gamma, k, ORDER) * z for k, z in enumerate(responses))
    powers = [power for power in range(-terms - 1, terms) if power != 0]
    _require(
        combination([value, *coefficients], [claim, *(pow(x, power, ORDER) for power in powers)])
        == combination([value, blinding], [product, product_blinding]),
        "the product of a(x) and b(x) is not the claimed one.",
    )


def check_sum(
    commitments: Sequence[bytes],
    vector: Sequence[int],
    blindings: Sequence[int],
    weights: Sequence[int] | None = None,
) -> None:
    """Check that a vector is the (weighted) sum of the committed vectors.

    Args:
        commitments: one for each summand.
        vector: the claimed sum, shape [size].
        blindings: one for each row of the sum.
        weights: an integer for each commitment; 1 if none are given.

    Raises:
        ProofError: if it is not the sum, lengths differ, or a blinding is not in [0, order).
        ConfigError: if pymcl or py_ecc is missing.
    """
    factors = [1] * len(commitments) if weights is None else list(weights)
    size, n, m = layout(len(vector))
    if not commitments or len(factors) != len(commitments) or len(blindings) != m:
        raise ProofError(
            f"{len(commitments)} commitments, {len(factors)} weights and {len(blindings)} blindings."
        )
    if any(len(commitment) != 48 * m for commitment in commitments):
        raise ProofError(f"commitments to {size} integers have {48 * m} bytes.")
    _require(all(0 <= rho < ORDER for rho in blindings), "a blinding is not below the order of the group.")
    columns, blinding, _, _ = generators(n)
    # Random factors tie the rows together, so that one equation checks them all.
    drawn = [1 + secrets.randbits(128) for _ in range(m)]
    rows = [decode_points(commitment) for commitment in commitments]
    total = combination([combination(row, drawn) for row in rows], factors)
    combined = [sum(drawn[i // n] * vector[i] for i in range(column, size, n)) for column in range(n)]
    opened = sum(r * rho for r, rho in zip(drawn, blindings, strict=True))
    _require(
        total == combination([*columns, blinding], [*combined, opened]),
        "the sum does not open the commitments.",
    )


def _begin(bound: NormBound, commitment: bytes, context: bytes, digest: bytes) -> Transcript:
    # Written out, not imported: a wrong constant in `challenges` would go unnoticed here.
    said = [
        ("protocol", b"fedcli norm proof 1"),
        ("group", b"BLS12-381 G1"),
        ("generators", digest),
        ("size", str(bound.size).encode()),
        ("columns", str(bound.columns).encode()),
        ("squared", str(bound.squared).encode()),
        ("projections", str(bound.projections).encode()),
        ("mask limit", str(bound.mask_limit).encode()),
        ("context", context),
        ("commitment", commitment),
    ]
    transcript = Transcript()
    for label, message in said:
        transcript = transcript.absorb(label, message)
    return transcript


def _projections(transcript: Transcript, bound: NormBound) -> tuple[list[list[int]], list[list[int]]]:
    width = bound.rows + 1 + bound.columns
    data = int.from_bytes(transcript.bytes("projections", -(-bound.projections * width // 8)), "little")
    bits = [[data >> (k * width + place) & 1 for place in range(width)] for k in range(bound.projections)]
    return [row[: bound.rows + 1] for row in bits], [row[bound.rows + 1 :] for row in bits]


def _public_padding(bound: NormBound, row: int, omega: int) -> list[int]:
    """omega^p at padding entry p of the vector's last row and of the four squares' row, counted from 1 over both."""
    n, m = bound.columns, bound.rows
    in_vector = m * n - bound.size
    if row == m:
        return [0] * (n - in_vector) + [pow(omega, p, ORDER) for p in range(1, in_vector + 1)]
    if row == m + 1:
        return [0] * 4 + [pow(omega, in_vector + p, ORDER) for p in range(1, n - 3)]
    return []


class _Reader:
    """Bytes that are read from the front."""

    def __init__(self, data: bytes) -> None:
        self.rest = data

    def take(self, count: int) -> bytes:
        taken, self.rest = self.rest[:count], self.rest[count:]
        return taken


def _responses(bound: NormBound, data: bytes) -> list[int]:
    size = bound.response_bytes
    values = [int.from_bytes(data[at : at + size], "big", signed=True) for at in range(0, len(data), size)]
    limit = bound.mask_limit - bound.largest_projection
    _require(all(-limit <= value <= limit for value in values), f"a masked projection is beyond {limit}.")
    return values


def _scalars(data: bytes) -> list[int]:
    values = [int.from_bytes(data[at : at + 32], "big") for at in range(0, len(data), 32)]
    _require(all(value < ORDER for value in values), "a scalar is not below the order of the group.")
    return values


def _require(holds: bool, sentence: str) -> None:
    if not holds:
        raise ProofError(sentence)

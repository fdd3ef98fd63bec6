"""A second verifier of norm bounds and sums, which shares no curve, no generator and no formula with the first one.

Points are mcl's (through pymcl), the generators are hashed to the curve by py_ecc, scalars are Python's integers, every
equation is checked by itself and in its plainest form. What both share is the statement's numbers (`NormBound`) and the
hash chain (`Transcript`). It is slow: half a minute at 1.7 million entries, most of it for the generators.
"""

from __future__ import annotations

import hashlib
import secrets
import sys
from collections.abc import Sequence
from functools import lru_cache
from types import ModuleType
from typing import Any, Final

from fedcli.core.errors import ConfigError
from fedcli.crypto.curve import DOMAIN, ORDER, ProofError
from fedcli.crypto.generators import generator_labels, layout
from fedcli.crypto.norm_statement import NormBound
from fedcli.crypto.transcript import Transcript

Point = Any  # pymcl.G1

_FIELD: Final = int(
    "1a0111ea397fe69a4b1ba7b6434bacd764774b84f38512bf6730d2a0f6b0f6241eabfffeb153ffffb9feffffffffaaab", 16
)
_COMPRESSED, _NEUTRAL, _LARGER = 0x80, 0x40, 0x20  # flag bits of ZCash's format, in the first byte


def verify(bound: NormBound, commitment: bytes, proof: bytes, context: bytes) -> None:
    """Refuse a proof that does not hold; see `norm_verifier.verify`.

    Raises:
        ProofError: if it does not hold, or is not well-formed.
        ConfigError: if pymcl or py_ecc is missing.
    """
    n, m, masks, terms = bound.columns, bound.rows, bound.mask_rows, bound.terms
    if len(commitment) != 48 * m or len(proof) != bound.proof_bytes:
        raise ProofError(
            f"{len(commitment)} and {len(proof)} bytes are not {48 * m} and {bound.proof_bytes}."
        )
    reader = _Reader(proof)
    squares_bytes, masks_bytes = reader.take(48), reader.take(48 * masks)
    responses_bytes = reader.take(bound.projections * bound.response_bytes)
    blinds_bytes, coefficients_bytes = reader.take(2 * 48), reader.take(2 * terms * 48)
    a, b = _scalars(reader.take(32 * n)), _scalars(reader.take(32 * n))
    a_blinding, b_blinding, product_blinding = _scalars(reader.take(3 * 32))
    responses = _responses(bound, responses_bytes)
    rows = _points(commitment) + _points(squares_bytes)
    mask_rows = _points(masks_bytes)
    blind_a, blind_b = _points(blinds_bytes)
    coefficients = _points(coefficients_bytes)
    columns, blinding, value, digest = _generators(n)

    transcript = _opening_words(bound, commitment, context, digest)
    transcript = transcript.absorb("squares", squares_bytes).absorb("masks", masks_bytes)
    by_row, by_column = _projections(transcript, bound)
    transcript = transcript.absorb("responses", responses_bytes)
    gamma, alpha, omega = (transcript.scalar(name) for name in ("gamma", "alpha", "omega"))
    transcript = transcript.absorb("blinds", blinds_bytes).absorb("coefficients", coefficients_bytes)
    x = transcript.scalar("x")

    committed_a = [blind_a, *rows, *mask_rows]
    _require(
        _sum(committed_a, [pow(x, i, ORDER) for i in range(terms + 1)])
        == _sum([*columns, blinding], [*a, a_blinding]),
        "a(x) does not open its commitment.",
    )
    _require(
        _sum([*rows, blind_b], [pow(x, -j, ORDER) for j in [*range(1, m + 2), terms + 1]])
        == _sum([*columns, blinding], [*b, b_blinding]),
        "b(x) does not open its commitment.",
    )
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
        _sum([value, *coefficients], [claim, *(pow(x, power, ORDER) for power in powers)])
        == _sum([value, blinding], [product, product_blinding]),
        "the product of a(x) and b(x) is not the claimed one.",
    )


def check_sum(
    commitments: Sequence[bytes],
    vector: Sequence[int],
    blindings: Sequence[int],
    weights: Sequence[int] | None = None,
) -> None:
    """Refuse a vector that is not the (weighted) sum of what was committed to.

    Raises:
        ProofError: if it is not, or lengths differ.
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
    columns, blinding, _, _ = _generators(n)
    drawn = [1 + secrets.randbits(128) for _ in range(m)]
    rows = [_points(commitment) for commitment in commitments]
    total = _sum([_sum(row, drawn) for row in rows], factors)
    combined = [sum(drawn[i // n] * vector[i] for i in range(column, size, n)) for column in range(n)]
    opened = sum(r * rho for r, rho in zip(drawn, blindings, strict=True))
    _require(
        total == _sum([*columns, blinding], [*combined, opened]), "the sum does not open the commitments."
    )


def _opening_words(bound: NormBound, commitment: bytes, context: bytes, digest: bytes) -> Transcript:
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
    """omega^p at padding entry p of the vector's last row and of the four squares' row, counted through from 1."""
    n, m = bound.columns, bound.rows
    in_vector = m * n - bound.size
    if row == m:
        return [0] * (n - in_vector) + [pow(omega, p, ORDER) for p in range(1, in_vector + 1)]
    if row == m + 1:
        return [0] * 4 + [pow(omega, in_vector + p, ORDER) for p in range(1, n - 3)]
    return []


class _Reader:
    """Bytes, taken from the front."""

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


def _points(data: bytes) -> list[Point]:
    return [_point(data[at : at + 48]) for at in range(0, len(data), 48)]


def _point(data: bytes) -> Point:
    """From ZCash's format to mcl's: little-endian, and the root chosen by parity instead of size."""
    mcl = _mcl()
    if data == bytes([_COMPRESSED | _NEUTRAL]) + bytes(47):
        return mcl.G1()
    x = int.from_bytes(bytes([data[0] & 0x1F]) + data[1:], "big")
    well_formed = data[0] & _COMPRESSED and not data[0] & _NEUTRAL and 0 < x < _FIELD
    _require(bool(well_formed), "a point is not in its canonical encoding.")
    try:
        point = mcl.G1.deserialize(x.to_bytes(48, "little"))
    except ValueError as error:
        raise ProofError("a point is not one of the group.") from error
    y = int(str(point).split()[2])
    return point if (y > _FIELD // 2) == bool(data[0] & _LARGER) else -point


def _sum(points: Sequence[Point], factors: Sequence[int]) -> Point:
    mcl = _mcl()
    total = mcl.G1()
    for point, factor in zip(points, factors, strict=True):
        total = total + point * mcl.Fr(str(factor % ORDER))
    return total


def _require(holds: bool, sentence: str) -> None:
    if not holds:
        raise ProofError(sentence)


@lru_cache(maxsize=2)
def _generators(columns: int) -> tuple[list[Point], Point, Point, bytes]:
    """Columns, blinding, value, and the digest of all encodings."""
    limit = sys.getrecursionlimit()
    try:
        from py_ecc.bls.hash_to_curve import hash_to_G1
        from py_ecc.bls.point_compression import compress_G1
    except ImportError as error:
        raise _missing("py_ecc") from error
    finally:
        # py_ecc raises it to 100,000 for the whole process when it is imported, and needs it elsewhere only.
        sys.setrecursionlimit(limit)
    sha256: Any = hashlib.sha256  # py_ecc's annotation asks for a digest where it means the function
    hashed = [hash_to_G1(label, DOMAIN, sha256) for label in generator_labels(columns)]
    encoded = [int(compress_G1(point)).to_bytes(48, "big") for point in hashed]
    *points, blinding, value = [_point(data) for data in encoded]
    return points, blinding, value, hashlib.sha512(b"".join(encoded)).digest()


def _mcl() -> ModuleType:
    try:
        import pymcl
    except ImportError as error:
        raise _missing("pymcl") from error
    mcl: ModuleType = pymcl
    return mcl


def _missing(name: str) -> ConfigError:
    return ConfigError(
        f"the independent verifier needs the library {name}, which is not installed.",
        hint="Install it with `pip install 'fedcli[proofs]'`.",
    )

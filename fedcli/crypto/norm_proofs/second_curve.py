"""Points of BLS12-381's group G1 through other libraries than the first verifier's, for the second verifier.

mcl (through pymcl) does the arithmetic. py_ecc makes the generators, because mcl's own hash to the curve is not that of
RFC 9380.
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Sequence
from functools import lru_cache
from types import ModuleType
from typing import Any, Final

from fedcli.core.errors import ConfigError
from fedcli.crypto.norm_proofs.curve import DOMAIN, ORDER, ProofError
from fedcli.crypto.norm_proofs.generators import generator_labels

Point = Any  # pymcl.G1; the library is optional and has no type annotations

_FIELD: Final = int(
    "1a0111ea397fe69a4b1ba7b6434bacd764774b84f38512bf6730d2a0f6b0f6241eabfffeb153ffffb9feffffffffaaab", 16
)
_COMPRESSED, _NEUTRAL, _LARGER = 0x80, 0x40, 0x20  # flag bits of ZCash's format, in the first byte


def decode_points(data: bytes) -> list[Point]:
    """Points from 48 bytes each.

    Raises:
        ProofError: if a point is not in the group, or its encoding is not canonical.
    """
    return [decode_point(data[at : at + 48]) for at in range(0, len(data), 48)]


def decode_point(data: bytes) -> Point:
    """A point from ZCash's format."""
    mcl = _mcl()
    if data == bytes([_COMPRESSED | _NEUTRAL]) + bytes(47):
        return mcl.G1()
    x = int.from_bytes(bytes([data[0] & 0x1F]) + data[1:], "big")
    well_formed = data[0] & _COMPRESSED and not data[0] & _NEUTRAL and 0 < x < _FIELD
    if not well_formed:
        raise ProofError("a point is not in its canonical encoding.")
    try:
        point = mcl.G1.deserialize(x.to_bytes(48, "little"))
    except ValueError as error:
        raise ProofError("a point is not in the group.") from error
    # mcl's format is little-endian and tells the two roots apart by parity; ZCash's does it by size.
    y = int(str(point).split()[2])
    return point if (y > _FIELD // 2) == bool(data[0] & _LARGER) else -point


def combination(points: Sequence[Point], factors: Sequence[int]) -> Point:
    """Sum of factor times point, one product after the other."""
    mcl = _mcl()
    total = mcl.G1()
    for point, factor in zip(points, factors, strict=True):
        total = total + point * mcl.Fr(str(factor % ORDER))
    return total


@lru_cache(maxsize=2)
def generators(columns: int) -> tuple[list[Point], Point, Point, bytes]:
    """The generators of columns, blinding and value, and the digest of all encodings."""
    limit = sys.getrecursionlimit()
    try:
        from py_ecc.bls.hash_to_curve import hash_to_G1
        from py_ecc.bls.point_compression import compress_G1
    except ImportError as error:
        raise _missing("py_ecc") from error
    finally:
        # py_ecc raises the limit to 100,000 for the whole process at import; this code does not need that.
        sys.setrecursionlimit(limit)
    sha256: Any = hashlib.sha256  # py_ecc's annotation asks for a digest where it means the function
    hashed = [hash_to_G1(label, DOMAIN, sha256) for label in generator_labels(columns)]
    encoded = [int(compress_G1(point)).to_bytes(48, "big") for point in hashed]
    *points, blinding, value = [decode_point(data) for data in encoded]
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
        f"the second verifier needs the library {name}, which is not installed.",
        hint="Install it with `pip install 'fedcli[proofs]'`.",
    )

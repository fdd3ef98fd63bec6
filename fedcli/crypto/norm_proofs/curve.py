"""Points and scalars of BLS12-381's group G1, through the library py_arkworks_bls12381.

No other module imports the library, and no curve arithmetic is written here. The library has three pitfalls that this
module guards against: its multi-scalar multiplication truncates lists of unequal length, it silently reduces a scalar
at or above the order, and it decodes some encodings that are not canonical.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from operator import add
from types import ModuleType
from typing import Any, Final, NamedTuple

import numpy as np

from fedcli.core.errors import FedcliError, MissingLibraryError

GROUP: Final = "BLS12-381 G1"
ORDER: Final = 0x73EDA753299D7D483339D80809A1D80553BDA402FFFE5BFEFFFFFFFF00000001
POINT_BYTES: Final = 48
SCALAR_BYTES: Final = 32
# The suite of RFC 9380, section 8.8.1, after a prefix that separates these points from those of other protocols.
DOMAIN: Final = b"fedcli-proofs-v1-BLS12381G1_XMD:SHA-256_SSWU_RO_"

Point = Any  # py_arkworks_bls12381.G1Point; the library is optional and has no type annotations
Draw = Callable[[int], int]  # `bound` -> a uniform integer in [0, bound)

_WINDOW_BITS: Final = 8
_MANY: Final = 512  # number of points from which checking them together takes less time
_CHECK_BITS: Final = 128


class Points(NamedTuple):
    """Points with their only encoding, which is kept because encoding a point takes as long as 15 additions."""

    points: tuple[Point, ...]
    encoded: bytes


class ProofError(FedcliError, ValueError):
    """A commitment, an opening or a proof that is false or malformed; the message says why."""


@lru_cache(maxsize=1)
def library() -> ModuleType:
    """The curve library, imported at first use because it is optional.

    Raises:
        MissingLibraryError: if it is not installed.
    """
    try:
        import py_arkworks_bls12381 as arkworks
    except ImportError as error:
        raise MissingLibraryError(
            "proofs need the library py_arkworks_bls12381, which is not installed.",
            hint="Install it with `pip install 'fedcli[proofs]'`.",
        ) from error
    module: ModuleType = arkworks
    return module


def hash_to_point(message: bytes) -> Point:
    """A point with an unknown discrete logarithm (RFC 9380, BLS12381G1_XMD:SHA-256_SSWU_RO_)."""
    return library().G1Point.hash_to_curve(message, DOMAIN)


def identity() -> Point:
    """The neutral point."""
    return library().G1Point.identity()


def combination(points: Sequence[Point], coefficients: Sequence[int]) -> Point:
    """Sum of coefficient times point; coefficients may have any sign and size.

    Raises:
        ValueError: if the numbers of points and coefficients differ. (The library would drop the rest.)
    """
    if len(points) != len(coefficients):
        raise ValueError(f"{len(points)} points and {len(coefficients)} coefficients.")
    scalar = library().Scalar.from_le_bytes  # 20 times faster than from an integer
    bases, scalars = [], []
    for point, coefficient in zip(points, coefficients, strict=True):
        reduced = coefficient % ORDER
        # Small negative coefficients are near the order, where the library is slow: the negative point is used instead.
        if reduced > ORDER // 2:
            point, reduced = -point, ORDER - reduced
        # A zero would cost as much as an addition.
        if reduced:
            bases.append(point)
            scalars.append(scalar(reduced.to_bytes(SCALAR_BYTES, "little")))
    return library().G1Point.multiexp_unchecked(bases, scalars)


def fixed_base(point: Point) -> Callable[[int], Point]:
    """The function coefficient -> coefficient times `point`, with a table of multiples: five times as fast, 1.5 MB."""
    windows: list[list[Point]] = []
    base = point
    for _ in range(SCALAR_BYTES):
        multiples = [identity()]
        for _ in range((1 << _WINDOW_BITS) - 1):
            multiples.append(multiples[-1] + base)
        windows.append(multiples)
        base = multiples[-1] + base

    def multiply(coefficient: int) -> Point:
        total = identity()
        for window, digit in zip(
            windows, (coefficient % ORDER).to_bytes(SCALAR_BYTES, "little"), strict=True
        ):
            total = total + window[digit]
        return total

    return multiply


def encode_points(points: Iterable[Point]) -> Points:
    """The points with their bytes, 48 each: x in big-endian order with the three flag bits of ZCash's format."""
    kept = tuple(points)
    return Points(kept, b"".join(point.to_compressed_bytes() for point in kept))


def decode_points(data: bytes, *, name: str) -> Points:
    """Points of the group from their only encoding.

    Many points are checked together; a set with a point outside the group then passes with probability 2^-128.

    Args:
        data: 48 bytes for each point.
        name: of the message part, for errors.

    Raises:
        ProofError: if a point is not in the group, or its encoding is not that of `encode_points`.
    """
    if len(data) % POINT_BYTES:
        raise ProofError(
            f"{name}: {len(data)} bytes are not a multiple of {POINT_BYTES}, the size of a point."
        )
    points: list[Point] = []
    for index, start in enumerate(range(0, len(data), POINT_BYTES)):
        encoded = data[start : start + POINT_BYTES]
        try:
            # Unchecked for the subgroup only: that is checked below, together where there are many points.
            point = library().G1Point.from_compressed_bytes_unchecked(encoded)
        except ValueError as error:
            raise ProofError(f"{name}[{index}] is not a point of the group.") from error
        # The library decodes some encodings that it would not write itself.
        if point.to_compressed_bytes() != encoded:
            raise ProofError(f"{name}[{index}] is not in its canonical encoding.")
        points.append(point)
    # If the joint check fails, single checks find the point to name.
    if len(points) < _MANY or not _all_in_subgroup(points):
        for index, point in enumerate(points):
            if not point.is_in_subgroup():
                raise ProofError(f"{name}[{index}] is not a point of the group.")
    return Points(tuple(points), data)


def _all_in_subgroup(points: Sequence[Point]) -> bool:
    """Whether all points of the curve are in the subgroup; the probability of a wrong yes is 2^-128.

    At least 128 sums of random halves of the points are checked. If a point is not in the subgroup, the sum
    with it and the sum without it cannot both be in the subgroup, so each check passes with probability 1/2 at most. To
    save additions, points are grouped by several random bits at once: for each of these bits, the sums of the groups
    in which it is 1 are added.
    """
    # The number of bits with the fewest additions for each check.
    bits = min(range(1, 17), key=lambda count: (len(points) + (2 << count)) / count)
    # One sum with random factors would not do: the cofactor is divisible by 3, and a point of order 3 would pass one
    # time in three.
    for _ in range(-(-_CHECK_BITS // bits)):
        heaps = [identity()] * (1 << bits)
        drawn = np.frombuffer(secrets.token_bytes(2 * len(points)), np.uint16) >> (16 - bits)
        for heap, point in zip(drawn.tolist(), points, strict=True):
            heaps[heap] = heaps[heap] + point
        while len(heaps) > 1:
            half = len(heaps) // 2
            without, within = heaps[:half], heaps[half:]
            total: Point = sum(within, identity())
            if not total.is_in_subgroup():
                return False
            heaps = list(map(add, without, within))
    return True


def encode_scalars(scalars: Sequence[int]) -> bytes:
    """Scalars modulo the order, 32 bytes each in big-endian order."""
    return b"".join((scalar % ORDER).to_bytes(SCALAR_BYTES, "big") for scalar in scalars)


def decode_scalars(data: bytes, *, name: str) -> tuple[int, ...]:
    """Scalars in [0, order).

    Raises:
        ProofError: if the length is not a multiple of 32 bytes, or a scalar is not below the order.
    """
    if len(data) % SCALAR_BYTES:
        raise ProofError(
            f"{name}: {len(data)} bytes are not a multiple of {SCALAR_BYTES}, the size of a scalar."
        )
    scalars = tuple(
        int.from_bytes(data[start : start + SCALAR_BYTES], "big")
        for start in range(0, len(data), SCALAR_BYTES)
    )
    for index, scalar in enumerate(scalars):
        if scalar >= ORDER:
            raise ProofError(f"{name}[{index}] is not below the order of the group.")
    return scalars

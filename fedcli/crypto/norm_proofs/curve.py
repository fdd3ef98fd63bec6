"""Points of BLS12-381's G1: the one place that touches the library. No curve arithmetic of our own.

The library is careless in three places, which are guarded here: a multi-scalar multiplication truncates lists of
unequal length, a scalar at or above the order is reduced in silence, and some encodings that are not canonical decode.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from operator import add
from types import ModuleType
from typing import Any, Final, NamedTuple

import numpy as np

from fedcli.core.errors import ConfigError, FedcliError

GROUP: Final = "BLS12-381 G1"
ORDER: Final = 0x73EDA753299D7D483339D80809A1D80553BDA402FFFE5BFEFFFFFFFF00000001
POINT_BYTES: Final = 48
SCALAR_BYTES: Final = 32
# RFC 9380, section 8.8.1: the suite; a domain of our own in front of it.
DOMAIN: Final = b"fedcli-proofs-v1-BLS12381G1_XMD:SHA-256_SSWU_RO_"

Point = Any  # py_arkworks_bls12381.G1Point, a library that may not be installed
Draw = Callable[[int], int]  # `bound` -> a uniform integer in [0, bound)

_WINDOW_BITS: Final = 8
_MANY: Final = 512  # points from which on it takes less time to check them together
_CHECK_BITS: Final = 128


class Points(NamedTuple):
    """Points, and the only bytes that stand for them: encoding one takes as long as 15 additions."""

    points: tuple[Point, ...]
    encoded: bytes


class ProofError(FedcliError, ValueError):
    """A commitment, an opening or a proof that does not hold or is not well-formed; the sentence says why."""


@lru_cache(maxsize=1)
def library() -> ModuleType:
    """The library of curve arithmetic.

    Raises:
        ConfigError: if it is not installed.
    """
    try:
        import py_arkworks_bls12381 as arkworks
    except ImportError as error:
        raise ConfigError(
            "proofs need the library py_arkworks_bls12381, which is not installed.",
            hint="Install it with `pip install 'fedcli[proofs]'`.",
        ) from error
    module: ModuleType = arkworks
    return module


def hash_to_point(message: bytes) -> Point:
    """A point whose discrete logarithm nobody knows (RFC 9380, BLS12381G1_XMD:SHA-256_SSWU_RO_)."""
    return library().G1Point.hash_to_curve(message, DOMAIN)


def identity() -> Point:
    """The neutral point."""
    return library().G1Point.identity()


def combination(points: Sequence[Point], coefficients: Sequence[int]) -> Point:
    """Sum of coefficient times point; coefficients may have any sign and are reduced.

    Raises:
        ValueError: if there are not as many points as coefficients. (The library would drop the rest.)
    """
    if len(points) != len(coefficients):
        raise ValueError(f"{len(points)} points and {len(coefficients)} coefficients.")
    # Zeros cost as much as additions, and the library is slow where a coefficient is negative, hence near the order.
    pairs = zip(points, (coefficient % ORDER for coefficient in coefficients), strict=True)
    short = [_shorter(point, reduced) for point, reduced in pairs if reduced]
    scalar = library().Scalar.from_le_bytes  # 20 times faster than from an integer
    scalars = [scalar(reduced.to_bytes(SCALAR_BYTES, "little")) for _, reduced in short]
    return library().G1Point.multiexp_unchecked([point for point, _ in short], scalars)


def _shorter(point: Point, reduced: int) -> tuple[Point, int]:
    """The same multiple, by a coefficient of at most half the order."""
    return (point, reduced) if reduced <= ORDER // 2 else (-point, ORDER - reduced)


def fixed_base(point: Point) -> Callable[[int], Point]:
    """coefficient -> coefficient times `point`, by a table of multiples: five times as fast, for 1.5 MB."""
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
    """The points with their bytes, 48 each: x in big-endian order, with the three flag bits of ZCash's format."""
    kept = tuple(points)
    return Points(kept, b"".join(point.to_compressed_bytes() for point in kept))


def decode_points(data: bytes, *, name: str) -> Points:
    """Points on the curve and in the subgroup (but for 2^-128 where there are many), from their only encoding.

    Raises:
        ProofError: if a point is not one, or is encoded in another way than `encode_points` does.
    """
    if len(data) % POINT_BYTES:
        raise ProofError(
            f"{name}: {len(data)} bytes are not a multiple of {POINT_BYTES}, the size of a point."
        )
    chunks = [data[start : start + POINT_BYTES] for start in range(0, len(data), POINT_BYTES)]
    points = tuple(_decode_on_curve(chunk, f"{name}[{i}]") for i, chunk in enumerate(chunks))
    if len(points) < _MANY or not _all_in_subgroup(points):
        for index, point in enumerate(points):
            if not point.is_in_subgroup():
                raise ProofError(f"{name}[{index}] is not a point of the group.")
    return Points(points, data)


def _decode_on_curve(data: bytes, name: str) -> Point:
    try:
        point = library().G1Point.from_compressed_bytes_unchecked(data)
    except ValueError as error:
        raise ProofError(f"{name} is not a point of the group.") from error
    if point.to_compressed_bytes() != data:
        raise ProofError(f"{name} is not in its canonical encoding.")
    return point


def _all_in_subgroup(points: Sequence[Point]) -> bool:
    """Whether points of the curve are all in the subgroup; the error is 2^-128, whatever they are.

    At least 128 sums of random halves of the points are checked. If a point is not in the subgroup, then at most one of
    the two sums with and without it is, so that each check passes with probability 1/2 at most. Points are thrown on
    heaps by several random bits at once, and each of these bits has a sum of heaps.
    """
    bits = min(range(1, 17), key=lambda count: (len(points) + (2 << count)) / count)
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
    """32 bytes in big-endian order for each scalar, which is reduced."""
    return b"".join((scalar % ORDER).to_bytes(SCALAR_BYTES, "big") for scalar in scalars)


def decode_scalars(data: bytes, *, name: str) -> tuple[int, ...]:
    """Scalars in [0, order).

    Raises:
        ProofError: if there is part of a scalar, or one that is not below the order.
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

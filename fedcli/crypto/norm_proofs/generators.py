"""Layout of a vector in rows, and the generators of the group that rows are committed with.

Rows of about sqrt(d) entries make commitments, proofs and the verifier's work as long as sqrt(d), not d.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable
from functools import lru_cache
from typing import Final, NamedTuple

from fedcli.core.errors import ConfigError
from fedcli.crypto.norm_proofs.curve import POINT_BYTES, Point, encode_points, fixed_base, hash_to_point

_LEAST_COLUMNS: Final = 4  # room for the four squares of a norm proof


class GeneratorLayout(NamedTuple):
    """Layout of `size` integers, row after row; the last row is padded with zeros."""

    size: int
    columns: int
    rows: int

    @property
    def encoded_bytes(self) -> int:
        """Size of a commitment."""
        return self.rows * POINT_BYTES


class Generators(NamedTuple):
    """Points without known relations: one for each column, one for blindings, one for values.

    `digest` is the SHA-512 of all of them, encoded in this order. The last two have tables of their multiples.
    """

    columns: tuple[Point, ...]
    blinding: Point
    value: Point
    digest: bytes
    times_blinding: Callable[[int], Point]
    times_value: Callable[[int], Point]


def layout(size: int) -> GeneratorLayout:
    """ceil(sqrt(size)) columns, at least 4, and as many rows as it takes.

    Raises:
        ConfigError: if `size` is not at least 1.
    """
    if size < 1:
        raise ConfigError(f"a committed vector must have at least 1 entry; received {size}.", key="size")
    # ceil(sqrt(size)) without floating-point numbers.
    columns = max(_LEAST_COLUMNS, math.isqrt(size - 1) + 1)
    return GeneratorLayout(size, columns, -(-size // columns))


def generator_labels(columns: int) -> list[bytes]:
    """The labels that are hashed to the curve: the columns in order, then those of blinding and value."""
    # Public labels, so that everybody can derive the generators and no trusted setup is needed.
    return [b"column %d" % index for index in range(columns)] + [b"blinding", b"value"]


@lru_cache(maxsize=4)
def generators(columns: int) -> Generators:
    """The generators for vectors laid out in that many columns; a quarter of a second for 1,000."""
    *points, blinding, value = (hash_to_point(label) for label in generator_labels(columns))
    return Generators(
        columns=tuple(points),
        blinding=blinding,
        value=value,
        digest=hashlib.sha512(encode_points([*points, blinding, value]).encoded).digest(),
        times_blinding=fixed_base(blinding),
        times_value=fixed_base(value),
    )

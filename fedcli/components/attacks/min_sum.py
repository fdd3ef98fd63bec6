"""Min-Sum: the largest deviation whose summed squared distances stay within the honest maximum."""

from __future__ import annotations

import math

from fedcli.components.attacks.attack import Attack
from fedcli.components.attacks.stretching import Direction, Geometry, stretching


def min_sum(*, direction: Direction = "std") -> Attack:
    """All malicious clients send mean + gamma p; its squared distances sum to at most those of an honest update.

    sum_i ||mean + gamma p - x_i||^2 <= max_i sum_j ||x_i - x_j||^2, with the largest gamma.

    Args:
        direction: p, one of -mean / ||mean|| (`unit`), -std (`std`) and -sign(mean) (`sign`) of the honest updates.

    Reference: Shejwalkar and Houmansadr 2021, NDSS (Manipulating the Byzantine), AGR-agnostic Min-Sum. The
    paper searches gamma by halving steps. Here it is exact: the bound is one quadratic in gamma.
    """
    return stretching("min-sum", direction, largest_within_sum)


def largest_within_sum(around: Geometry) -> float:
    """The largest gamma with sum_i offsets_i + n gamma^2 length <= D, where D is the largest sum of distances.

    The slopes sum to 0, because the offsets are taken from the mean.
    """
    if not around.length:
        return 0.0
    room = around.distances.sum(axis=1).max() - around.offsets.sum()
    # Rounding can make the room slightly negative.
    return math.sqrt(max(float(room), 0.0) / (len(around.offsets) * around.length))

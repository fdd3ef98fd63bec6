"""Updates as wrong as they can be without being further out than any honest one."""

from __future__ import annotations

import numpy as np

from fedcli.components.attacks.attack import Attack
from fedcli.components.attacks.stretching import Direction, Geometry, stretching


def min_max(*, direction: Direction = "std") -> Attack:
    """All malicious clients send mean + gamma p, no further from any honest update than two honest ones apart.

    max_i ||mean + gamma p - x_i|| <= max_ij ||x_i - x_j||, with the largest gamma.

    Args:
        direction: p, which is -mean / ||mean|| (`unit`), -std (`std`) or -sign(mean) (`sign`) of the honest updates.

    Reference: Shejwalkar and Houmansadr 2021, NDSS (Manipulating the Byzantine), AGR-agnostic Min-Max. The
    paper searches gamma by halving steps; the bound is a quadratic in gamma for each x_i, whose root is exact.
    """
    return stretching("min-max", direction, largest_within_all)


def largest_within_all(around: Geometry) -> float:
    """The largest gamma with offsets_i + 2 gamma slopes_i + gamma^2 length <= D for every i, D the largest distance."""
    if not around.length:
        return 0.0
    room = np.maximum(around.distances.max() - around.offsets, 0.0)
    roots = (np.sqrt(np.square(around.slopes) + around.length * room) - around.slopes) / around.length
    return max(float(roots.min()), 0.0)

"""Min-Max: the largest deviation whose distance to any honest update stays within the honest maximum."""

from __future__ import annotations

import numpy as np

from fedcli.components.attacks.attack import Attack
from fedcli.components.attacks.stretching import Direction, Geometry, stretching


def min_max(*, direction: Direction = "std") -> Attack:
    """All malicious clients send mean + gamma p, no further from an honest update than honest ones are apart.

    max_i ||mean + gamma p - x_i|| <= max_ij ||x_i - x_j||, with the largest gamma.

    Args:
        direction: p, one of -mean / ||mean|| (`unit`), -std (`std`) and -sign(mean) (`sign`) of the honest updates.

    Reference: Shejwalkar and Houmansadr 2021, NDSS (Manipulating the Byzantine), AGR-agnostic Min-Max. The
    paper searches gamma by halving steps. Here it is exact: the bound is a quadratic in gamma for each x_i.
    """
    return stretching("min-max", direction, largest_within_all)


def largest_within_all(around: Geometry) -> float:
    """The largest gamma with offsets_i + 2 gamma slopes_i + gamma^2 length <= D for all i; D: largest distance."""
    # Without a direction (all honest updates are equal, say) every gamma is the same.
    if not around.length:
        return 0.0
    # Rounding can make the room of the outermost update slightly negative.
    room = np.maximum(around.distances.max() - around.offsets, 0.0)
    roots = (np.sqrt(np.square(around.slopes) + around.length * room) - around.slopes) / around.length
    return max(float(roots.min()), 0.0)

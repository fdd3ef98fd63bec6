"""Gaussian noise instead of updates."""

from __future__ import annotations

import numpy as np

from fedcli.components.attacks.attack import Attack
from fedcli.core.ranges import require_positive_finite
from fedcli.core.types import Vector


def gaussian(*, std: float = 200.0) -> Attack:
    """Send N(0, std^2) in every coordinate instead of an update.

    Args:
        std: standard deviation of a coordinate, above 0.

    Raises:
        ConfigError: if `std` is outside its range.

    Reference: Blanchard et al. 2017, arXiv:1703.02757, with its standard deviation of 200.
    """
    require_positive_finite("std", std)

    def forge(update: Vector, rng: np.random.Generator) -> Vector:
        # A float32 factor, so that no float64 copy is made.
        return rng.standard_normal(update.shape, np.float32) * np.float32(std)

    return Attack("gaussian", forge=forge)

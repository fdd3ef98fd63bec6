"""Sign flipping: updates in the opposite direction."""

from __future__ import annotations

import numpy as np

from fedcli.components.attacks.attack import Attack
from fedcli.core.ranges import require_positive_finite
from fedcli.core.types import Vector


def sign_flip(*, scale: float = 1.0) -> Attack:
    """Send -scale times the update that honest training gave.

    Args:
        scale: length over that of the honest update, above 0.

    Raises:
        ConfigError: if the scale is outside its range.

    Reference: Li et al. 2019, arXiv:1811.03761 (RSA), which also scales the flipped update.
    """
    require_positive_finite("scale", scale)

    def forge(update: Vector, _rng: np.random.Generator) -> Vector:
        return np.multiply(update, -scale, dtype=np.float32)

    return Attack("sign-flip", forge=forge)

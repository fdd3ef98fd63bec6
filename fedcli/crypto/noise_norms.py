"""Upper bound on the norm of a noise vector; the probability that the norm exceeds it is negligible.

A norm proof about noise needs a bound that is known before the noise is drawn.
"""

from __future__ import annotations

import math

EXCESS_PROBABILITY = 2.0**-60
"""Probability that a noise vector exceeds `squared_norm_bound`. Code that relies on the bound adds it to delta."""

_EXPONENT = 60 * math.log(2)  # x with e^-x = EXCESS_PROBABILITY


def squared_norm_bound(deviation: float, size: int, *, rounded: bool = False) -> int:
    """E^2 = sigma^2 (d + 2 sqrt(d x) + 2 x) with e^-x = 2^-60, rounded up.

    Args:
        deviation: sigma. The coordinates are independent and sub-Gaussian with parameter sigma. This holds for the
            Gaussian and for the discrete Gaussian (Canonne et al. 2020, arXiv:2004.00010, section 2).
        size: number of coordinates, d.
        rounded: whether the noise is rounded to the nearest integers afterwards, which adds sqrt(d) / 2 to its norm.

    Reference: Hsu, Kakade, Zhang 2012, arXiv:1110.2842, theorem 2.1 with the identity as the matrix.
    """
    spread = size + 2 * math.sqrt(size * _EXPONENT) + 2 * _EXPONENT
    longest = deviation * math.sqrt(spread) + (math.sqrt(size) / 2 if rounded else 0.0)
    # The margin is larger than the rounding errors of the lines above.
    return math.ceil(longest**2 * (1 + 2.0**-40))

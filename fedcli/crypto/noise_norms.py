"""How long a vector of noise can be, all but surely."""

from __future__ import annotations

import math

EXCESS_PROBABILITY = 2.0**-60
"""Probability that a vector of noise is longer than `squared_norm_bound`; charged to delta by who relies on it."""

_EXPONENT = 60 * math.log(2)


def squared_norm_bound(deviation: float, size: int, *, rounded: bool = False) -> int:
    """E^2 = sigma^2 (d + 2 sqrt(d x) + 2 x) with e^-x = 2^-60, rounded up.

    Args:
        deviation: sigma; the noise is sub-Gaussian with it in every coordinate, independently, as the Gaussian is,
            and the discrete Gaussian (Canonne et al. 2020, arXiv:2004.00010, section 2).
        size: number of coordinates, d.
        rounded: whether the noise is rounded to the nearest integers afterwards, which adds sqrt(d) / 2 to its norm.

    Reference: Hsu, Kakade, Zhang 2012, arXiv:1110.2842, theorem 2.1 with the identity as the matrix.
    """
    spread = size + 2 * math.sqrt(size * _EXPONENT) + 2 * _EXPONENT
    longest = deviation * math.sqrt(spread) + (math.sqrt(size) / 2 if rounded else 0.0)
    # The margin is above what floating point rounds off.
    return math.ceil(longest**2 * (1 + 2.0**-40))

"""Gaussian noise in whole steps of a grid, from an exact sampler.

A sum of floating-point numbers and floating-point noise shows in its last bits what the noise should hide (Mironov
2012; Haney et al. 2022, arXiv:2207.10635). Here data are rounded to a grid before the noise, which is a whole number
of the grid's steps, so that the last bits are the same whatever the data are.

The law is that of a discrete Gaussian of at least 2^25 steps. Where the grid is coarser, its steps are rounded: for
integers u, u + round(n / 2^s) = round((2^s u + n) / 2^s), so this is post-processing. Accountants take the noise for
continuous. The Renyi divergences of the discrete Gaussian are those of the continuous one or less (Canonne, Kamath,
Steinke 2020, arXiv:2004.00010, section 2), also for sums of integer vectors. For other curves, and for sampled
cohorts, compare it with a continuous Gaussian that is rounded to the same steps, whose curves are at most the
continuous ones. At k steps the logarithms of both probabilities differ by (k^2 / sigma^2 - 1) / (24 sigma^2). Over 2^32
coordinates that is less than 2^-34, with a probability of 1 - 2^-100. So a release costs at most 2^-33 of epsilon more
than the accountant says, and the sampler at most 2^-60 of delta; the accountant's own rounding is many times larger.
"""

from __future__ import annotations

import hmac
import math
from fractions import Fraction
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from fedcli.core.errors import ConfigError
from fedcli.crypto.discrete_gaussian import Integers
from fedcli.crypto.strip_sampler import LEAST_BITS, wide_gaussian

Floats = npt.NDArray[np.float64]

FINEST_BITS = 25
"""Noise has a standard deviation of 2^25 to 2^26 steps of the grid on which it is drawn."""

_MOST_BITS = 46
_MOST_SHIFT = 62
_WIDEST_SHIFT = 19  # so that b, of 2^25 steps, spans 64 of the steps of a


def gaussian_steps(size: int, *, deviation: float, key: bytes) -> Integers:
    """Independent Gaussian samples in whole steps, int64 of shape [size].

    Args:
        size: number of samples.
        deviation: standard deviation in steps, above 0 and below 2^46.
        key: 32 bytes, used for one call only. Take it from `secrets.token_bytes` wherever the noise protects people.

    Raises:
        ConfigError: if the deviation is outside its range.
    """
    if not 0 < deviation < 2.0**_MOST_BITS:
        raise ConfigError(
            f"noise has a standard deviation above 0 and below 2^{_MOST_BITS} steps; received {deviation:g}.",
            key="noise_multiplier",
            hint="Use another noise_multiplier, or fewer bits.",
        )
    exponent = math.frexp(deviation)[1] - 1
    if exponent <= FINEST_BITS + 1:
        # Beyond the last shift there is nothing but zeros, whatever the law.
        finer = min(max(FINEST_BITS - exponent, 0), _MOST_SHIFT)
        fine = wide_gaussian(size, variance=_variance(math.ldexp(deviation, finer)), key=key)
        return (fine + (1 << (finer - 1))) >> finer if finer else fine
    # A sum of 2^c a and b is a discrete Gaussian up to e^-80000, because b spans many steps of 2^c (Micciancio and
    # Walter 2017, "Gaussian sampling over the integers", convolution theorem).
    coarser = min(exponent - FINEST_BITS, _WIDEST_SHIFT)
    keys = [hmac.digest(key, part, "sha256") for part in (b"fine", b"coarse")]
    fine = wide_gaussian(size, variance=1 << (2 * FINEST_BITS), key=keys[0])
    rest = math.ldexp(math.sqrt(deviation**2 - 4.0**FINEST_BITS), -coarser)
    coarse = wide_gaussian(size, variance=_variance(rest), key=keys[1])
    return (coarse << coarser) + fine


def _variance(deviation: float) -> int:
    # Rounded up: noise below the planned variance would protect less than its epsilon says.
    return max(math.ceil(Fraction(deviation) ** 2), 1 << LEAST_BITS)


class NoiseGrid(NamedTuple):
    """The grid on which sums are released.

    Args:
        step: a power of two, at most 2^-25 of the noise's standard deviation.
        deviation: standard deviation of the noise in steps, 2^25 or more.
    """

    step: float
    deviation: float

    def rounded(self, vector: npt.NDArray[np.floating[Any]]) -> Floats:
        """The vector in whole steps, as float64; exact below 2^53 steps."""
        # A step is a power of two, so that the quotient is exact.
        steps: Floats = np.divide(vector, self.step, dtype=np.float64)
        return np.rint(steps, out=steps)

    def noise(self, size: int, *, key: bytes) -> Integers:
        """Noise in whole steps, int64 of shape [size]; the key is as for `gaussian_steps`."""
        return gaussian_steps(size, deviation=self.deviation, key=key)

    def noised(self, vector: npt.NDArray[np.floating[Any]], *, key: bytes) -> Floats:
        """The vector on the grid, with noise in whole steps, float64 of shape [P]."""
        return self.moved(vector, self.noise(vector.size, key=key))

    def moved(self, vector: npt.NDArray[np.floating[Any]], steps: Integers) -> Floats:
        """The vector on the grid, moved by whole steps, float64 of shape [P]."""
        # In place: of a large model each of these is two copies. Beyond 2^53 steps the sum is rounded to float64, after
        # the noise.
        total = self.rounded(vector)
        total += steps
        total *= self.step
        return total


def noise_grid(deviation: float, *, bound: float, dimension: int) -> NoiseGrid:
    """The grid for noise of this standard deviation.

    Rounding moves two neighbouring vectors apart by at most a step in each coordinate. The noise is larger in
    proportion, and by as much again for sums in floating point: by 2^-24 sqrt(dimension) times the noise multiplier
    or less. So its ratio to the sensitivity on the grid is not below `deviation / bound`.

    Args:
        deviation: for a distance of `bound`, above 0.
        bound: largest L2 distance of two neighbouring vectors that the noise is meant for.
        dimension: coordinates in which two neighbouring vectors can differ.
    """
    step = math.ldexp(1.0, math.frexp(deviation)[1] - 1 - FINEST_BITS)
    return NoiseGrid(step, deviation / step * (1 + 2 * math.sqrt(dimension) * step / bound))
